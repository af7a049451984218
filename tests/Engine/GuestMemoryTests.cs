// SPDX-License-Identifier: GPL-2.0-or-later
using FsCheck;
using FsCheck.Fluent;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;

namespace Lguest.Tests.EngineParts;

/// <summary>What is the guest's and what is not, up to the last byte of 4 GiB.</summary>
public sealed class GuestMemoryTests
{
    private static readonly MemoryRange[] s_ranges =
        [new MemoryRange(0, 0x2000), new MemoryRange(0x2000, 0x1000), new MemoryRange(0x8000, 0x1000), new MemoryRange(0xFFFF_E000, 0x2000)];

    [Fact]
    public void ARunIsTheGuestsWhenOneRangeHoldsItAll()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create(s_ranges);
        Gen<uint> values = Gen.Frequency(
            (3, Gen.Elements(0u, 1u, 4u, 0xFFFu, 0x1000u, 0x1FFFu, 0x2000u, 0x2FFFu, 0x3000u, 0x7FFFu, 0x8000u, 0x8FFFu, 0xFFFF_E000u, 0xFFFF_FFFCu, 0xFFFF_FFFFu)),
            (1, Gen.Choose(int.MinValue, int.MaxValue).Select(value => (uint)value)));
        Prop.ForAll(
            values.ToArbitrary(),
            values.ToArbitrary(),
            (address, length) =>
            {
                bool owned = s_ranges.Any(range => address >= range.Start && (ulong)address + length <= range.Start + range.Length);
                if (memory.Contains(address, length) != owned)
                    return false;
                try
                {
                    return memory.Read(address, length).Length == length && memory.Write(address, length).Length == length && owned;
                }
                catch (GuestAddressException e)
                {
                    return !owned && e.Address == address && e.Length == length;
                }
            })
            .Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
    }

    [Fact]
    public void TheLastWordOfTheAddressSpaceIsMemoryLikeAnyOther()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create(s_ranges);
        memory.WriteUInt32(0xFFFF_FFFC, 0xCAFE_F00D);
        Assert.Equal(0xCAFE_F00D, memory.ReadUInt32(0xFFFF_FFFC));
        Assert.Throws<GuestAddressException>(() => memory.ReadUInt32(0xFFFF_FFFD));
        Assert.Equal(1UL << 32, memory.Top);
    }

    [Fact]
    public void FourGibibytesInOneRange()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 1UL << 32)]);
        memory.WriteUInt32(0xC000_0000, 1);
        memory.WriteUInt32(0xFFFF_FFFC, 2);
        Assert.Equal((1u, 2u), (memory.ReadUInt32(0xC000_0000), memory.ReadUInt32(0xFFFF_FFFC)));
        Assert.True(memory.Contains(0, uint.MaxValue));

        // More than a span can hold is refused, not cut.
        Assert.Throws<GuestAddressException>(() => memory.Read(0, 0x8000_0000).Length);
    }

    public static TheoryData<ulong, ulong, ulong, ulong> BadRanges => new()
    {
        { 0, 0x1000, 0xFFF, 0x1000 },
        { 0, 0x2000, 0x1000, 0x1000 },
        { 0x4000, 0x1000, 0, 0x1000 },
        { 0, 0x1000, 0x1800, 0x1000 },
        { 0, 0x1000, 0x2000, 0x800 },
        { 0, 0x1000, 0x2000, 0 },
        { 0, 0x1000, 0xFFFF_F000, 0x2000 },
    };

    [Theory]
    [MemberData(nameof(BadRanges))]
    public void RangesThatCannotBeAreRefused(ulong first, ulong firstLength, ulong second, ulong secondLength) =>
        Assert.Throws<ArgumentException>(() => MappedGuestMemory.Create([new MemoryRange((uint)first, firstLength), new MemoryRange((uint)second, secondLength)]));

    [Fact]
    public void TheObserverIsToldBeforeEachWrite()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create(s_ranges);
        Observer observer = new();
        memory.AddObserver(observer);
        memory.WriteUInt32(0x100, 5);
        memory.Write(0x8000, 16).Clear();
        Assert.Throws<GuestAddressException>(() => memory.WriteUInt32(0x5000, 1));
        _ = memory.ReadUInt32(0x100);
        Assert.Equal([(0x100u, 4u), (0x8000u, 16u)], observer.Writes);
    }

    private sealed class Observer : IHostWriteObserver
    {
        public List<(uint Address, uint Length)> Writes { get; } = [];

        public void HostWrites(uint address, uint length) => Writes.Add((address, length));
    }
}
