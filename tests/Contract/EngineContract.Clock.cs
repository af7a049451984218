// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>The clock's irq 0, with a host time that the test holds in its hand.</summary>
public abstract partial class EngineContract
{
    [Fact]
    public void AClockEventComesOnceAndNotBeforeItsTime()
    {
        StillClock clock = new();
        using TinyGuest guest = Start(g => AskForClockEvent(g, 5_000_000), clock);
        guest.Next();
        clock.Advance(4_999_999);
        guest.RunQuietly(10);
        clock.Advance(1);
        guest.NextTrap(32);
        guest.Memory.WriteUInt32(GuestPlan.Data, GuestData.InterruptFlag);
        clock.Advance(100_000_000);
        guest.RunQuietly(10);
    }

    [Fact]
    public void AClockEventCanBeCancelled()
    {
        StillClock clock = new();
        using TinyGuest guest = Start(
            g =>
            {
                Interruptible(g, enabled: true);
                g.Call(HypercallKind.SetClockEvent, 1000);
                g.Call(HypercallKind.SetClockEvent, 0);
                g.Report(1);
                g.Spin();
                IrqHandlers(g);
            },
            clock);
        guest.Next();
        clock.Advance(1_000_000);
        guest.RunQuietly(10);
    }

    [Fact]
    public void AskingAgainReplacesWhatWasAskedFor()
    {
        StillClock clock = new();
        using TinyGuest guest = Start(
            g =>
            {
                Interruptible(g, enabled: true);
                g.Call(HypercallKind.SetClockEvent, 1000);
                g.Call(HypercallKind.SetClockEvent, 9_000_000);
                g.Report(1);
                g.Spin();
                IrqHandlers(g);
            },
            clock);
        guest.Next();
        clock.Advance(8_999_999);
        guest.RunQuietly(10);
        clock.Advance(1);
        guest.NextTrap(32);
    }

    [Fact]
    public void TheLongestClockEventIsFourSeconds()
    {
        StillClock clock = new();
        using TinyGuest guest = Start(g => AskForClockEvent(g, 0xFFFF_FFFF), clock);
        guest.Next();
        clock.Advance(0xFFFF_FFFEL);
        guest.RunQuietly(10);
        clock.Advance(1);
        guest.NextTrap(32);
    }

    [Fact]
    public void AClockEventWaitsForInterruptsToBeOn()
    {
        StillClock clock = new();
        using TinyGuest guest = Start(
            g =>
            {
                Interruptible(g, enabled: false);
                g.Call(HypercallKind.SetClockEvent, 1000);
                g.Report(1);
                g.Asm.mov(ecx, 100_000);
                g.Mark("wait");
                g.Asm.dec(ecx);
                g.Asm.jnz(g.Here("wait"));
                g.Report(2);
                g.Interrupts(on: true);
                g.Spin();
                IrqHandlers(g);
            },
            clock);
        guest.Next();
        clock.Advance(1000);
        Assert.Equal(2u, guest.Next());
        guest.NextTrap(32);
    }

    [Fact]
    public void AClockEventWakesAHaltedGuest()
    {
        // Each look at the clock is a millisecond later: the halted guest must look when its time has come.
        StillClock clock = new() { Step = 1_000_000 };
        using TinyGuest guest = Start(
            g =>
            {
                Interruptible(g, enabled: true);
                g.Call(HypercallKind.SetClockEvent, 30_000_000);
                g.Call(HypercallKind.Halt);
                g.Report(2);
                IrqHandlers(g);
            },
            clock);
        guest.NextTrap(32);
        Assert.Equal(2u, guest.Next());
    }

    [Fact]
    public void ThePeriodicTimerTicksOnAndDoesNotMakeUpForLostTime()
    {
        StillClock clock = new();
        using TinyGuest guest = Start(
            g =>
            {
                Interruptible(g, enabled: true);
                g.Call(HypercallKind.TimerStart, 100);
                g.Report(1);
                g.Spin();
                IrqHandlers(g);
            },
            clock,
            abi: Generation.Seed200702);
        guest.Next();
        for (int tick = 0; tick < 3; tick++)
        {
            clock.Advance(9_999_999);
            guest.RunQuietly(5);
            clock.Advance(1);
            guest.NextTrap(32);
            guest.Memory.WriteUInt32(GuestPlan.Data, GuestData.InterruptFlag);
        }

        // Ten ticks late is one interrupt, and the next is in step again.
        clock.Advance(105_000_000);
        guest.NextTrap(32);
        guest.Memory.WriteUInt32(GuestPlan.Data, GuestData.InterruptFlag);
        clock.Advance(4_999_999);
        guest.RunQuietly(5);
        clock.Advance(1);
        guest.NextTrap(32);
    }

    [Fact]
    public void ThePeriodicTimerStopsAtZero()
    {
        StillClock clock = new();
        using TinyGuest guest = Start(
            g =>
            {
                Interruptible(g, enabled: true);
                g.Call(HypercallKind.TimerStart, 1000);
                g.Call(HypercallKind.TimerStart, 0);
                g.Report(1);
                g.Spin();
                IrqHandlers(g);
            },
            clock,
            abi: Generation.Seed200702);
        guest.Next();
        clock.Advance(1_000_000_000);
        guest.RunQuietly(10);
    }

    private static void AskForClockEvent(GuestProgram g, uint nanoseconds)
    {
        Interruptible(g, enabled: true);
        g.Call(HypercallKind.SetClockEvent, nanoseconds);
        g.Report(1);
        g.Spin();
        IrqHandlers(g);
    }
}
