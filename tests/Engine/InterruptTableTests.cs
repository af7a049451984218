// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;

namespace Lguest.Tests.EngineParts;

public sealed class InterruptTableTests
{
    private const uint Present = 0x8000;

    [Fact]
    public void AGateIsTakenApart()
    {
        InterruptTable table = new();
        Assert.Null(table.Set(14, 0x0061_5678, 0x1234_0000 | Present | 0x6E00));
        Assert.Equal(new Gate(0x1234_5678, IsInterruptGate: true, Dpl: 3, Present: true), table[14]);
        Assert.Null(table.Set(Vectors.SystemCall, 0x5678, 0x1234_0000 | Present | 0x2F00));
        Assert.Equal(new Gate(0x1234_5678, IsInterruptGate: false, Dpl: 1, Present: true), table[Vectors.SystemCall]);
    }

    [Fact]
    public void ExactlyTheVectorsAGuestMayHaveAreKept()
    {
        InterruptTable table = new();
        for (uint vector = 0; vector < 300; vector++)
        {
            Assert.Null(table.Set(vector, 1, Present | 0xF00));
            bool kept = (vector < 64 && vector is not (2 or 8 or 15 or Vectors.Hypercall)) || vector == Vectors.SystemCall;
            Assert.Equal(kept, table[vector].Present);
        }
    }

    [Fact]
    public void OnlyGatesForInterruptsAndTrapsAreForgiven()
    {
        for (uint type = 0; type < 16; type++)
        {
            InterruptTable table = new();
            string? reason = table.Set(3, 0, Present | (type << 8));
            Assert.Equal(type >= 14 ? null : $"bad IDT type {type}", reason);
            Assert.Equal(type >= 14, table[3].Present);

            // Not present: whatever it says is no gate.
            Assert.Null(table.Set(3, 0, type << 8));
            Assert.False(table[3].Present);
        }
    }

    [Theory]
    [InlineData(64u)]
    [InlineData(0x7Fu)]
    [InlineData(0x81u)]
    [InlineData(uint.MaxValue)]
    public void LookingBeyondTheTableFindsNothing(uint vector) => Assert.Equal(default, new InterruptTable()[vector]);
}
