// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Xunit;

namespace Lguest.Tests.GuestAbi;

/// <summary>The tables of the generations.</summary>
public sealed class GenerationTests
{
    /// <summary>Hypercall numbers: abi.md §3.2.</summary>
    [Theory]
    [InlineData(HypercallKind.FlushAsync, 0, 0)]
    [InlineData(HypercallKind.LguestInit, 1, 1)]
    [InlineData(HypercallKind.Crash, 2, 2)]
    [InlineData(HypercallKind.LoadGdt, 3, 3)]
    [InlineData(HypercallKind.NewPageTable, 4, 4)]
    [InlineData(HypercallKind.FlushTlb, 5, 5)]
    [InlineData(HypercallKind.LoadIdtEntry, 6, 6)]
    [InlineData(HypercallKind.SetStack, 7, 7)]
    [InlineData(HypercallKind.SetTaskSwitched, 8, 8)]
    [InlineData(HypercallKind.SetClockEvent, 9, -1)]
    [InlineData(HypercallKind.Halt, 10, 11)]
    [InlineData(HypercallKind.BindDma, 12, 13)]
    [InlineData(HypercallKind.SendDma, 13, 14)]
    [InlineData(HypercallKind.SetPte, 14, 15)]
    [InlineData(HypercallKind.SetPmd, 15, 16)]
    [InlineData(HypercallKind.LoadTls, 16, 17)]
    [InlineData(HypercallKind.TimerRead, -1, 9)]
    [InlineData(HypercallKind.TimerStart, -1, 10)]
    [InlineData(HypercallKind.GetWallclock, -1, 12)]
    public void CallsHaveTheirNumbers(HypercallKind call, int linux2623, int seed)
    {
        Check(Generation.Linux2623, linux2623);
        Check(Generation.Seed200702, seed);

        void Check(Generation generation, int number)
        {
            Assert.Equal(number < 0 ? null : (uint)number, generation.Calls.NumberOf(call));
            if (number >= 0)
                Assert.Equal(call, generation.Calls.Decode((uint)number));
        }
    }

    /// <summary>The same for those with virtio on PCI.</summary>
    [Theory]
    [InlineData(HypercallKind.FlushAsync, 0)]
    [InlineData(HypercallKind.LguestInit, 1)]
    [InlineData(HypercallKind.Shutdown, 2)]
    [InlineData(HypercallKind.LoadGdt, -1)]
    [InlineData(HypercallKind.NewPageTable, 4)]
    [InlineData(HypercallKind.FlushTlb, 5)]
    [InlineData(HypercallKind.LoadIdtEntry, 6)]
    [InlineData(HypercallKind.SetStack, 7)]
    [InlineData(HypercallKind.SetClockEvent, 9)]
    [InlineData(HypercallKind.Halt, 10)]
    [InlineData(HypercallKind.SetPmdPae, 13)]
    [InlineData(HypercallKind.SetPte, 14)]
    [InlineData(HypercallKind.SetPgd, 15)]
    [InlineData(HypercallKind.LoadTls, 16)]
    [InlineData(HypercallKind.LoadGdtEntry, 18)]
    [InlineData(HypercallKind.SendInterrupts, 19)]
    public void LaterCallsHaveTheirNumbers(HypercallKind call, int number)
    {
        foreach (Generation generation in (ReadOnlySpan<Generation>)[Generation.Linux40, Generation.Linux41, Generation.Linux410])
        {
            Assert.Equal(number < 0 ? null : (uint)number, generation.Calls.NumberOf(call));
            if (number >= 0)
                Assert.Equal(call, generation.Calls.Decode((uint)number));
        }

        Assert.Equal([8u, 8u, null], ((Generation[])[Generation.Linux40, Generation.Linux41, Generation.Linux410]).Select(static generation => generation.Calls.NumberOf(HypercallKind.SetTaskSwitched)));
    }

    /// <summary>Numbers of nothing.</summary>
    [Theory]
    [InlineData(11u)]
    [InlineData(17u)]
    [InlineData(uint.MaxValue)]
    public void OtherNumbersAreNothing(uint number) => Assert.Equal(HypercallKind.None, Generation.Linux2623.Calls.Decode(number));

    /// <summary>What else differs.</summary>
    [Fact]
    public void KeysClocksAndFreeSlotsDiffer()
    {
        Assert.Equal((new DmaProtocol(0, 0), ClockStyle.OneShot, BootInformationKind.ZeroPage), Facts(Generation.Linux2623));
        Assert.Equal((new DmaProtocol(4, 0xFF), ClockStyle.Periodic, BootInformationKind.Seed), Facts(Generation.Seed200702));
        static (DmaProtocol? Bus, ClockStyle Clock, BootInformationKind Information) Facts(Generation generation) =>
            (generation.Bus, generation.Clock, generation.Boot.Information);
    }

    /// <summary>A part that another generation changes stays as it was where it came from.</summary>
    [Fact]
    public void AGenerationIsMadeFromItsNeighbour()
    {
        Generation other = Generation.Linux2623 with { Name = "other", Data = GuestDataLayout.Linux2624 };
        Assert.Same(Generation.Linux2623.Calls, other.Calls);
        Assert.Equal(1136u, other.Data.Size);
        Assert.Equal(1128u, Generation.Linux2623.Data.Size);
    }

    /// <summary>All slots of the ring are inside the structure, and nothing else is.</summary>
    [Fact]
    public void TheRingFitsItsLayout() => Assert.All(
        Generation.All, static generation => Assert.Equal(generation.Data.ReserveMem, generation.Data.Ring + (uint)(GuestData.RingSize * generation.Convention.SlotWords * 4)));
}
