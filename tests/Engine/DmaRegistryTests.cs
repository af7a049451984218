// SPDX-License-Identifier: GPL-2.0-or-later
using FsCheck;
using FsCheck.Fluent;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;

namespace Lguest.Tests.EngineParts;

/// <summary>The registry against a list of what was bound.</summary>
public sealed class DmaRegistryTests : IDisposable
{
    private const uint Bytes = 0x4000;
    private readonly MappedGuestMemory _memory = MappedGuestMemory.Create([new MemoryRange(0, Bytes)]);

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void AnySequenceOfBindingsAgreesWithAList()
    {
        Gen<(uint Key, uint Array, uint Irq)> steps =
            from key in Gen.Choose(0, 5)
            from array in Gen.Choose(0, 3)
            from irq in Gen.Elements(0u, 0u, 1u, 5u, 31u, 32u, 255u)
            select ((uint)key * 4, 0x1000 + ((uint)array * 0x400), irq);
        Prop.ForAll(steps.ArrayOf(60).ToArbitrary(), Agrees).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public void BuffersAreHandedOutUntilAllAreFull()
    {
        DmaRegistry registry = new(_memory);
        Assert.True(registry.Bind(8, 0x1000, 3, 7));
        Assert.Equal([0x1000u, 0x1064u, 0x10C8u], [registry.FindFree(8), registry.FindFree(8), registry.FindFree(8)]);
        Assert.Null(registry.FindFree(8));
        Assert.Equal(7u, _memory.ReadUInt32(0x1064));
        _memory.WriteUInt32(0x1064, 0);
        Assert.Equal(0x1064u, registry.FindFree(8));
    }

    [Theory]
    [InlineData(Bytes - 99)]
    [InlineData(Bytes)]
    [InlineData(0xFFFF_FFF0u)]
    public void AnArrayThatIsNotTheGuestsIsFoundOut(uint array)
    {
        DmaRegistry registry = new(_memory);
        registry.Bind(0, array, 1, 3);
        Assert.Throws<GuestAddressException>(() => registry.FindFree(0));
    }

    [Fact]
    public void AnArrayThatRunsOutOfMemoryIsGoodUntilThere()
    {
        DmaRegistry registry = new(_memory);
        registry.Bind(0, Bytes - LguestDma.Size, 0xFFFF, 3);
        Assert.Equal(Bytes - LguestDma.Size, registry.FindFree(0));
        Assert.Throws<GuestAddressException>(() => registry.FindFree(0));
    }

    [Theory]
    [InlineData(0u, true)]
    [InlineData(Bytes - 4, true)]
    [InlineData(2u, false)]
    [InlineData(Bytes, false)]
    [InlineData(0xFFFF_FFFCu, false)]
    public void AKeyIsAWordOfTheGuests(uint key, bool valid) => Assert.Equal(valid, new DmaRegistry(_memory).IsValidKey(key));

    private bool Agrees((uint Key, uint Array, uint Irq)[] steps)
    {
        DmaRegistry registry = new(_memory);
        List<(uint Key, uint Array, uint Irq)> bound = [];
        foreach ((uint key, uint array, uint irq) in steps)
        {
            bool expected;
            if (irq is > 0 and < 32)
            {
                expected = bound.Count < LguestDma.MaxBindings;
                if (expected)
                    bound.Add((key, array, irq));
            }
            else
            {
                // Of the same binding made twice it does not matter which goes.
                int index = irq == 0 ? bound.FindIndex(one => one.Key == key && one.Array == array) : -1;
                expected = index >= 0;
                if (expected)
                    bound.RemoveAt(index);
            }

            if (registry.Bind(key, array, 2, irq) != expected)
                return false;
        }

        IEnumerable<(uint, uint)> left = registry.Bindings.Select(one => (one.Key, one.Bound.Array));
        return left.Order().SequenceEqual(bound.Select(one => (one.Key, one.Array)).Order());
    }
}
