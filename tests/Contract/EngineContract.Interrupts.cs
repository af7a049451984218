// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>When an irq reaches the guest, and what it finds there.</summary>
public abstract partial class EngineContract
{
    /// <summary>Boots, sets gates for irqs 0 to 4 that report and return, and turns interrupts on or off.</summary>
    private static void Interruptible(GuestProgram g, bool enabled, bool interruptGates = true)
    {
        g.BootWithRings();
        for (uint vector = 32; vector < 37; vector++)
            g.Gate(vector, $"trap{vector}", interruptGates);
        g.Interrupts(enabled);
    }

    private static void IrqHandlers(GuestProgram g)
    {
        for (uint vector = 32; vector < 37; vector++)
            g.Trap(vector);
    }

    [Fact]
    public void AnIrqInterruptsALoop()
    {
        StillClock clock = new();
        using TinyGuest guest = Start(
            g =>
            {
                Interruptible(g, enabled: true);
                g.Report(1);
                g.Mark("loop");
                g.Asm.jmp(g.Here("loop"));
                IrqHandlers(g);
            },
            clock);
        guest.Next();
        clock.Wall = 1_200_000_000_000_000_007;
        guest.Channel.RaiseIrq(3);
        TrapFrame frame = guest.NextTrap(35);
        Assert.Equal(guest.Address("loop"), frame.Eip);
        Assert.Equal((uint)Selectors.KernelCode, frame.Cs);
        Assert.Equal(0x200u, frame.Flags & 0x200);
        Assert.Equal((uint)Selectors.KernelCode, frame.HandlerCs);
        Assert.Equal((uint)Selectors.KernelData, frame.HandlerSs);
        Assert.Equal(0u, guest.Data.IrqEnabled);
        Assert.Equal((1_200_000_000, 7), (guest.Data.Time.Seconds, guest.Data.Time.Nanoseconds));

        // Once is enough.
        guest.Memory.WriteUInt32(GuestPlan.Data, GuestData.InterruptFlag);
        guest.RunQuietly(10);
    }

    [Fact]
    public void ATrapGateLeavesInterruptsOn()
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: true, interruptGates: false);
            g.Spin();
            IrqHandlers(g);
        });
        guest.Channel.RaiseIrq(1);
        guest.NextTrap(33);
        Assert.Equal(GuestData.InterruptFlag, guest.Data.IrqEnabled);
    }

    [Fact]
    public void WithInterruptsOffIrqsWait()
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: false);
            g.Report(1);
            g.Asm.mov(ecx, 300_000);
            g.Mark("wait");
            g.Asm.dec(ecx);
            g.Asm.jnz(g.Here("wait"));
            g.Report(2);
            g.Interrupts(on: true);
            g.Spin();
            IrqHandlers(g);
        });
        guest.Next();
        guest.Channel.RaiseIrq(2);
        Assert.Equal(2u, guest.Next());
        guest.NextTrap(34);
    }

    [Fact]
    public void TheFrameTellsWhatTheGuestBelieves()
    {
        // Interrupts are never off for the processor: pushed is what irq_enabled says.
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Gate(3, "trap3", interrupt: false, dpl: 3);
            g.Interrupts(on: false);
            g.Asm.int3();
            g.Interrupts(on: true);
            g.Asm.int3();
            g.Trap(3);
        });
        Assert.Equal(0u, guest.NextTrap(3).Flags & 0x200);
        Assert.Equal(0x200u, guest.NextTrap(3).Flags & 0x200);
    }

    [Fact]
    public void MaskedIrqsWaitUntilTheyAreNot()
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: true);
            g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.Data) + 4], 0xFFFF_FFFB);
            g.Report(1);
            g.Spin();
            IrqHandlers(g);
        });
        guest.Next();
        guest.Channel.RaiseIrq(1);
        guest.Channel.RaiseIrq(3);
        guest.RunQuietly(10);
        guest.Memory.WriteUInt32(GuestPlan.Data + 4, 2);
        guest.NextTrap(35);
        guest.Memory.WriteUInt32(GuestPlan.Data, GuestData.InterruptFlag);
        guest.Memory.WriteUInt32(GuestPlan.Data + 4, 0);
        guest.NextTrap(33);
    }

    [Fact]
    public void TheLowestComesFirst()
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: true);
            g.Report(1);
            g.Spin();
            IrqHandlers(g);
        });
        guest.Next();
        foreach (uint irq in new uint[] { 4, 2, 0, 2 })
            guest.Channel.RaiseIrq(irq);
        foreach (uint irq in new uint[] { 0, 2, 4 })
        {
            guest.NextTrap(32 + irq);
            guest.Memory.WriteUInt32(GuestPlan.Data, GuestData.InterruptFlag);
        }

        // Raised twice before it came is once.
        guest.RunQuietly(10);
    }

    [Fact]
    public void NoIrqInTheRangeThatForbidsThem()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Mark("setup");
                g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.Data) + 1120], g.Address("from"));
                g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.Data) + 1124], g.Address("to"));
                Interruptible(g, enabled: true);
                g.Report(1);
                g.Mark("from");
                g.Asm.mov(ecx, 500_000);
                g.Mark("inside");
                g.Asm.inc(edi);
                g.Asm.dec(ecx);
                g.Asm.jnz(g.Here("inside"));
                g.Asm.nop();
                g.Mark("to");
                g.Asm.inc(esi);
                g.Asm.jmp(g.Here("to"));
                IrqHandlers(g);
            });
        guest.Next();
        guest.Channel.RaiseIrq(1);
        TrapFrame frame = guest.NextTrap(33);
        Assert.True(frame.Eip >= guest.Address("to"), $"0x{frame.Eip:x} is inside");
    }

    [Fact]
    public void AnIrqWithoutAGateWaitsForOne()
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: true);
            g.Report(1);
            g.Asm.mov(ecx, 100_000);
            g.Mark("wait");
            g.Asm.dec(ecx);
            g.Asm.jnz(g.Here("wait"));
            g.Report(2);
            g.Gate(32 + 9, "nine");
            g.Spin();
            g.Handler("nine", 41);
            IrqHandlers(g);
        });
        guest.Next();
        guest.Channel.RaiseIrq(9);
        Assert.Equal(2u, guest.Next());
        guest.NextTrap(41);
    }

    [Fact]
    public void NothingComesBeforeThereIsAnyLguestData()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Asm.mov(ecx, 100_000);
            g.Mark("wait");
            g.Asm.dec(ecx);
            g.Asm.jnz(g.Here("wait"));
            Interruptible(g, enabled: true);
            g.Spin();
            IrqHandlers(g);
        });
        guest.Channel.RaiseIrq(1);
        guest.NextTrap(33);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnIrqWakesAHaltedGuestAndTurnsInterruptsOn(bool enabled)
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled, interruptGates: false);
            g.Report(1);
            g.Call(HypercallKind.Halt);
            g.Mark("behind");
            g.Report(2);
            g.Spin();
            IrqHandlers(g);
        });
        guest.Next();
        guest.RunQuietly(20);
        guest.Channel.RaiseIrq(2);
        TrapFrame frame = guest.NextTrap(34);
        Assert.Equal(guest.Address("behind"), frame.Eip);
        Assert.Equal(0x200u, frame.Flags & 0x200);
        Assert.Equal(GuestData.InterruptFlag, guest.Data.IrqEnabled);
        Assert.Equal(2u, guest.Next());
    }

    [Fact]
    public void AMaskedIrqDoesNotWake()
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: true);
            g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.Data) + 4], 4);
            g.Report(1);
            g.Call(HypercallKind.Halt);
            g.Report(2);
            g.Spin();
            IrqHandlers(g);
        });
        guest.Next();
        guest.Channel.RaiseIrq(2);
        guest.RunQuietly(20);
        guest.Channel.RaiseIrq(1);
        guest.NextTrap(33);
        Assert.Equal(2u, guest.Next());
    }

    [Fact]
    public void AnIrqThatIsPendingAlreadyEndsTheHaltAtOnce()
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: false);
            g.Report(1);
            g.Call(HypercallKind.Halt);
            g.Report(2);
            g.Spin();
            IrqHandlers(g);
        });
        guest.Next();
        guest.Channel.RaiseIrq(2);
        guest.NextTrap(34);
        Assert.Equal(2u, guest.Next());
    }

    [Fact]
    public void FromRing3AnIrqTakesTheTrapStack()
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: true);
            g.Report(1);
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.jmp(g.Here("user"));
            IrqHandlers(g);
        });
        guest.Next();
        guest.RunQuietly(10);
        guest.Channel.RaiseIrq(0);
        TrapFrame frame = guest.NextTrap(32);
        Assert.Equal(GuestPlan.UserCode, frame.Cs);
        Assert.Equal(guest.Address("user"), frame.Eip);
        Assert.Equal(GuestPlan.UserData, frame.OuterSs);
        Assert.Equal(GuestPlan.Virtual(GuestPlan.UserStackTop), frame.OuterEsp);
        Assert.Equal(GuestPlan.Virtual(GuestPlan.TrapStackTop) - 20, frame.Esp);
    }

    [Fact]
    public void IrqsComeWithinAReasonableTime()
    {
        using TinyGuest guest = Start(g =>
        {
            Interruptible(g, enabled: true);
            g.Report(1);
            g.Mark("loop");
            g.Asm.inc(edi);
            g.Asm.jmp(g.Here("loop"));
            IrqHandlers(g);
        });
        guest.Next();
        TimeSpan start = ThreadTime.Now;
        for (int i = 0; i < 200; i++)
        {
            guest.Channel.RaiseIrq(1);
            guest.NextTrap(33);
            guest.Memory.WriteUInt32(GuestPlan.Data, GuestData.InterruptFlag);
        }

        // A millisecond each would be far too much. The guest computes meanwhile, so it is processor time.
        Assert.InRange((ThreadTime.Now - start).TotalMilliseconds, 0, 200);
    }
}
