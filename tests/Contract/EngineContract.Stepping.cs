// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>The trap flag: one trap after each instruction, however unusual it is.</summary>
public abstract partial class EngineContract
{
    private static void Step(GuestProgram g, Action stepped, string end)
    {
        g.Gate(1, "trap1", interrupt: false);
        g.Asm.cld();
        g.Asm.mov(ecx, 3);
        g.Asm.mov(esi, GuestPlan.Virtual(GuestPlan.Scratch));
        g.Asm.mov(edi, GuestPlan.Virtual(GuestPlan.Scratch) + 0x100);
        g.Asm.pushfd();
        g.Asm.or(__dword_ptr[esp], 0x100);
        g.Asm.popfd();
        stepped();
        g.Mark(end);
        g.Asm.nop();
        g.Asm.nop();
        g.Trap(1);
    }

    private static void BootAndStep(GuestProgram g, Action stepped, string end)
    {
        g.BootWithRings();
        Step(g, stepped, end);
    }

    [Fact]
    public void ARepeatedStringInstructionTrapsAfterEachRound()
    {
        using TinyGuest guest = Start(g => BootAndStep(
            g,
            () =>
            {
                g.Mark("rep");
                g.Asm.rep.movsb();
            },
            "end"));
        Assert.Equal(guest.Address("rep"), guest.NextTrap(1).Eip);
        Assert.Equal(guest.Address("rep"), guest.NextTrap(1).Eip);
        Assert.Equal(guest.Address("end"), guest.NextTrap(1).Eip);
    }

    [Fact]
    public void TheInstructionThatClearsTheFlagIsTheLastToTrap()
    {
        using TinyGuest guest = Start(g => BootAndStep(
            g,
            () =>
            {
                g.Asm.push(2);
                g.Mark("pop");
                g.Asm.popfd();
                g.Mark("behind");
                g.Asm.nop();
                g.Report(1);
            },
            "end"));
        Assert.Equal(guest.Address("pop"), guest.NextTrap(1).Eip);
        TrapFrame last = guest.NextTrap(1);
        Assert.Equal(guest.Address("behind"), last.Eip);
        Assert.Equal(0u, last.Flags & 0x100);
        Assert.Equal(1u, guest.Next());
    }

    [Fact]
    public void LoadingTheStackSegmentHoldsTheTrapBackForOneInstruction()
    {
        using TinyGuest guest = Start(g => BootAndStep(
            g,
            () =>
            {
                g.Asm.mov(eax, ss);
                g.Mark("load");
                g.Asm.mov(ss, ax);
                g.Mark("shadow");
                g.Asm.nop();
            },
            "end"));
        Assert.Equal(guest.Address("load"), guest.NextTrap(1).Eip);
        Assert.Equal(guest.Address("end"), guest.NextTrap(1).Eip);
    }

    [Fact]
    public void ATakenBranchTrapsAtItsTarget()
    {
        using TinyGuest guest = Start(g => BootAndStep(
            g,
            () =>
            {
                g.Asm.jmp(g.Here("end"));
                g.Asm.ud2();
            },
            "end"));
        Assert.Equal(guest.Address("end"), guest.NextTrap(1).Eip);
    }

    [Fact]
    public void AHandlerRunsWithoutTheFlag()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(3, "handler", interrupt: false, dpl: 3);
            Step(g, () => g.Asm.int3(), "end");
            g.Mark("handler");
            g.Asm.nop();
            g.Asm.pushfd();
            g.Asm.pop(edi);
            g.Report(edi);
            g.Asm.iretd();
        });
        Assert.Equal(0u, guest.Next() & 0x100);

        // Its iret brings the flag back: the trap is behind the instruction that it goes to.
        Assert.Equal(guest.Address("end") + 1, guest.NextTrap(1).Eip);
    }

    [Fact]
    public void AFaultingInstructionDoesNotTrap()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(6, "trap6", interrupt: false);
            Step(
                g,
                () =>
                {
                    g.Asm.ud2();
                    g.Mark("behind");
                    g.Asm.nop();
                },
                "end");
            g.Trap(6, skip: 2);
        });
        TrapFrame fault = guest.NextTrap(6);
        Assert.Equal(0x100u, fault.Flags & 0x100);

        // The handler's iret brings the flag back: the trap is behind the instruction that it goes to.
        Assert.Equal(guest.Address("end"), guest.NextTrap(1).Eip);
    }

    [Fact]
    public void IretCanStartSteppingInRing3()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(1, "trap1", interrupt: false);
            g.ToRing3("user", flags: 0x302);
            g.Mark("user");
            g.Asm.inc(eax);
            g.Mark("second");
            g.Asm.inc(eax);
            g.Mark("third");
            g.Asm.nop();
            g.Trap(1);
        });
        TrapFrame frame = guest.NextTrap(1);
        Assert.Equal(guest.Address("second"), frame.Eip);
        Assert.Equal(GuestPlan.UserCode, frame.Cs);
        Assert.Equal(guest.Address("third"), guest.NextTrap(1).Eip);
    }

    [Fact]
    public void TheAlignmentFlagMattersInRing3Only()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(17, "trap17", interrupt: false);
            g.Asm.pushfd();
            g.Asm.or(__dword_ptr[esp], 0x4_0000);
            g.Asm.popfd();
            g.Asm.mov(ecx, __[GuestPlan.Virtual(GuestPlan.Scratch) + 1]);
            g.ToRing3("user", flags: 0x4_0202);
            g.Mark("user");
            g.Asm.mov(ecx, __[GuestPlan.Virtual(GuestPlan.Scratch) + 4]);
            g.Mark("bad");
            g.Asm.mov(ecx, __[GuestPlan.Virtual(GuestPlan.Scratch) + 1]);
            g.Trap(17, hasError: true);
        });
        TrapFrame frame = guest.NextTrap(17);
        Assert.Equal(guest.Address("bad"), frame.Eip);
        Assert.Equal(0u, frame.Error);
    }

    [Fact]
    public void TheKernelCanAskWhatADebugTrapWasFor()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Asm.mov(ebx, dr6);
            g.Report(ebx);
            Step(
                g,
                () =>
                {
                    g.Asm.push(2);
                    g.Asm.popfd();
                    g.Mark("asking");
                    g.Asm.mov(edi, dr6);
                    g.Report(edi);
                },
                "end");
        });
        Assert.Equal(0xFFFF_0FF0u, guest.Next());
        guest.NextTrap(1);
        Assert.Equal(guest.Address("asking"), guest.NextTrap(1).Eip);
        Assert.Equal(0xFFFF_4FF0u, guest.Next());
    }

    [Fact]
    public void AProgramCannotAskWhatADebugTrapWasFor()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(13, "trap13");
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.mov(eax, dr6);
            g.Trap(13, hasError: true);
        });
        Assert.Equal(guest.Address("user"), guest.NextTrap(13).Eip);
    }
}
