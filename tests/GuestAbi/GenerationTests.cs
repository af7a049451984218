// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Xunit;

namespace Lguest.Tests.GuestAbi;

/// <summary>The tables of the two generations.</summary>
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
        Check(AbiGeneration.Linux2623, linux2623);
        Check(AbiGeneration.Seed200702, seed);

        void Check(AbiGeneration generation, int number)
        {
            Assert.Equal(number < 0 ? null : (uint)number, generation.NumberOf(call));
            if (number >= 0)
                Assert.Equal(call, generation.Decode((uint)number));
        }
    }

    /// <summary>Numbers of nothing.</summary>
    [Theory]
    [InlineData(11u)]
    [InlineData(17u)]
    [InlineData(uint.MaxValue)]
    public void OtherNumbersAreNothing(uint number) => Assert.Equal(HypercallKind.None, AbiGeneration.Linux2623.Decode(number));

    /// <summary>What else differs.</summary>
    [Fact]
    public void KeysClocksAndFreeSlotsDiffer()
    {
        Assert.Equal((0u, (byte)0, ClockStyle.OneShot, true), Facts(AbiGeneration.Linux2623));
        Assert.Equal((4u, (byte)0xFF, ClockStyle.Periodic, false), Facts(AbiGeneration.Seed200702));
        static (uint Key, byte Free, ClockStyle Clock, bool Linux) Facts(AbiGeneration generation) =>
            (generation.ConsoleKey, generation.FreeNetSlot, generation.Clock, generation.HasLinuxBootParameters);
    }
}
