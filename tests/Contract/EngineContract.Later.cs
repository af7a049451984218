// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>What guests of the later generations are given that those of 2007 are not.</summary>
public abstract partial class EngineContract
{
    private TinyGuest StartLater(Action<GuestProgram> program, Action<GuestMemory>? prepare = null) =>
        Start(program, prepare: prepare, abi: LaterGuest.Linux41);

    [Fact]
    public void LaterGuestsComeFromPhysicalAddresses()
    {
        using TinyGuest guest = StartLater(g =>
        {
            g.BootWithRings();
            g.Asm.mov(esi, __dword_ptr[GuestPlan.Virtual(GuestPlan.Scratch)]);
            g.Report(esi);
        });
        guest.Memory.WriteUInt32(GuestPlan.Scratch, 41);
        Assert.Equal(41u, guest.Next());
        Assert.Equal((4u << 20, 1_234_567u), (guest.Data.ReserveMem, guest.Data.TscKhz));
        Assert.Equal(GuestPlan.PageOffset, guest.Guest.PageOffset);
    }

    [Fact]
    public void AnotherSystemCallKills()
    {
        using TinyGuest guest = StartLater(
            static g => g.Boot(),
            static memory => memory.WriteUInt32(GuestPlan.Data + GuestDataLayout.Linux41.SystemCallVector!.Value, 0x81));
        Assert.Equal("bad syscall vector", guest.Death());
    }

    /// <summary>Slots of five words, the arguments after the number.</summary>
    [Fact]
    public void TheRingHasFourArguments()
    {
        using TinyGuest guest = StartLater(
            static g =>
            {
                g.Boot();
                g.Call(HypercallKind.FlushAsync);
                g.Spin();
            },
            static memory =>
            {
                GuestDataLayout layout = GuestDataLayout.Linux41;
                for (uint slot = 0; slot < 2; slot++)
                {
                    foreach ((uint word, uint value) in (ReadOnlySpan<(uint, uint)>)[(0, 11), (1, GuestPlan.Scratch + (4 * slot)), (2, 70 + slot), (3, 1), (4, 2)])
                        memory.WriteUInt32(GuestPlan.Data + layout.Ring + (slot * 20) + (word * 4), value);
                    memory.Write(GuestPlan.Data + layout.RingStatus + slot, 1).Clear();
                }
            });
        Assert.Equal((70u, GuestPlan.Scratch), (guest.Next(), guest.Key));
        Assert.Equal((71u, GuestPlan.Scratch + 4), (guest.Next(), guest.Key));
    }

    /// <summary>A segment of a page's length in the middle of the kernel: what is before its base is not it.</summary>
    [Fact]
    public void OneDescriptorIsLoaded()
    {
        const uint start = GuestPlan.PageOffset + GuestPlan.Scratch;
        using TinyGuest guest = StartLater(static g =>
        {
            g.BootWithRings();
            g.Call(HypercallKind.LoadGdtEntry, 6, (start << 16) | 0xFFF, (start & 0xFF00_0000) | 0x0040_9200 | ((start >> 16) & 0xFF));
            g.Asm.mov(eax, 0x31);
            g.Asm.mov(fs, ax);
            g.Asm.mov(esi, __dword_ptr.fs[4]);
            g.Report(esi);
        });
        guest.Memory.WriteUInt32(GuestPlan.Scratch + 4, 41);
        Assert.Equal(41u, guest.Next());
    }

    [Fact]
    public void ADescriptorBeyondTheTableKills()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            g.Boot();
            g.Call(HypercallKind.LoadGdtEntry, Selectors.GdtEntries);
        });
        Assert.Equal("too many gdt entries 32", guest.Death());
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    public void AShutdownIsTheEndInTheGuestsWords(uint reason)
    {
        using TinyGuest guest = StartLater(
            g =>
            {
                g.Boot();
                g.Call(HypercallKind.Shutdown, GuestPlan.Text, reason);
            },
            static memory => "Power down\0"u8.CopyTo(memory.Write(GuestPlan.Text, 11)));
        Assert.Equal(GuestDeath.PowerDown, guest.Death());
    }

    [Fact]
    public void AShutdownMayBeARestart()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            g.Boot();
            g.Call(HypercallKind.Shutdown, GuestPlan.Text, 2);
        });
        Assert.Equal(RunExitKind.Restart, guest.Run().Kind);
    }

    /// <summary>A guest with interrupts off is told that there is something, and when there is nothing more.</summary>
    [Fact]
    public void WaitingIrqsAreSaid()
    {
        const uint pending = GuestPlan.Data + 20;
        using TinyGuest guest = StartLater(static g =>
        {
            Interruptible(g, enabled: false);
            g.Report(1);
            g.Mark("wait");
            g.Asm.mov(esi, __dword_ptr[GuestPlan.Virtual(pending)]);
            g.Asm.test(esi, esi);
            g.Asm.jz(g.Here("wait"));
            g.Report(esi);
            g.Interrupts(true);
            g.Call(HypercallKind.SendInterrupts);
            g.Asm.mov(esi, __dword_ptr[GuestPlan.Virtual(pending)]);
            g.Report(esi);
            IrqHandlers(g);
        });
        guest.Next();
        Assert.Equal(0u, guest.Memory.ReadUInt32(pending));
        guest.Channel.RaiseIrq(1);
        guest.Channel.RaiseIrq(2);
        Assert.Equal(GuestData.InterruptFlag, guest.Next());
        guest.NextTrap(33);
        Assert.Equal(GuestData.InterruptFlag, guest.Memory.ReadUInt32(pending));
        guest.Memory.WriteUInt32(GuestPlan.Data, GuestData.InterruptFlag);
        guest.NextTrap(34);
        Assert.Equal(0u, guest.Next());
    }

    /// <summary>An irq at the IRET itself is as one right after it: the frame is the interrupted code's, and there is only one.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AtTheReturnThereIsOneFrame(bool toProgram)
    {
        const uint stack = GuestPlan.PageOffset + GuestPlan.TrapStackTop - 20;
        using TinyGuest guest = StartWithDevices(
            g =>
            {
                Interruptible(g, enabled: false);
                g.Asm.mov(esp, stack);
                foreach ((int at, uint value) in ((int, uint)[])[(0, g.Address("target")), (4, toProgram ? GuestPlan.UserCode : Selectors.KernelCode), (8, 0x6D7), (12, GuestPlan.Virtual(GuestPlan.UserStackTop)), (16, GuestPlan.UserData)])
                    g.Asm.mov(__dword_ptr[esp + at], value);
                g.Interrupts(true);
                g.Asm.mov(edx, RecordingDevices.FirstPort);
                g.Asm.@out(dx, eax);
                g.Mark("return");
                g.Asm.iretd();
                g.Mark("target");
                g.Asm.pushfd();
                g.Asm.pop(esi);
                g.Spin();
                g.Mark("trap33");
                g.Asm.pushfd();
                g.Asm.pop(edi);
                g.Asm.cld();
                g.Asm.mov(esi, esp);
                g.Report(esi);
                g.Report(edi);
                g.Asm.mov(eax, __dword_ptr[GuestPlan.Virtual(GuestPlan.Data)]);
                g.Report(eax);
                foreach (uint vector in (ReadOnlySpan<uint>)[32, 34, 35, 36])
                    g.Trap(vector);
            },
            out RecordingDevices devices);
        devices.Accessed = () => guest.Guest.RaiseIrq(1);
        guest.Memory.WriteUInt32(GuestPlan.Data + GuestDataLayout.Linux41.NoIrqReturn!.Value, guest.Address("return"));
        Assert.Equal(stack, guest.Next());
        Assert.Equal(guest.Address("target"), guest.Memory.ReadUInt32(stack - GuestPlan.PageOffset));

        // The flags that IRET would have loaded, without TF there would be none to see; what must not be in force is not.
        Assert.Equal([0x6D7u, 0u], [guest.Next(), guest.Next()]);
    }

    /// <summary>The system call is an interrupt gate: interrupts are off in the kernel, and were on in the program.</summary>
    [Fact]
    public void ASystemCallMayTurnInterruptsOff()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            g.BootWithRings();
            g.Gate(0x80, "trap128", interrupt: true, dpl: 3);
            g.Interrupts(true);
            g.ToRing3("user");
            g.Mark("user");
            for (int i = 0; i < 4; i++)
                g.Asm.@int(0x80);
            g.Spin();
            g.Mark("trap128");
            g.Asm.pushad();
            g.Asm.push(cs);
            g.Asm.push(ss);
            g.Asm.mov(edi, __dword_ptr[GuestPlan.Virtual(GuestPlan.Data)]);
            g.Report(edi);
            g.Report(esp, GuestProgram.TrapKey + (4 * 0x80));
            g.Interrupts(true);
            g.Asm.add(esp, 8);
            g.Asm.popad();
            g.Asm.iretd();
        });
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(0u, guest.Next());
            TrapFrame frame = guest.NextTrap(0x80);
            Assert.Equal(EFlags.Interrupt, frame.Flags & EFlags.Interrupt);
            Assert.Equal((GuestPlan.UserCode, GuestPlan.UserData), (frame.Cs, frame.OuterSs));
        }
    }

    [Fact]
    public void TheHypervisorsCallIsAnother()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            g.BootWithRings();
            g.Gate(6, "trap6");
            g.Asm.mov(eax, 11);
            g.Asm.mov(ebx, GuestPlan.Scratch);
            g.Asm.mov(ecx, 77);
            g.Asm.vmcall();
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.vmcall();
            g.Trap(6);
        });
        Assert.Equal((77u, GuestPlan.Scratch), (guest.Next(), guest.Key));
        TrapFrame frame = guest.NextTrap(6);
        Assert.Equal((guest.Address("user"), GuestPlan.UserCode), (frame.Eip, frame.Cs));
    }

    /// <summary>Before there is a gate for it, a protection fault would be the end of a kernel that only looks around.</summary>
    [Fact]
    public void WhatIsPrivilegedIsAnsweredAtFirst()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            g.Asm.mov(edi, cr0);
            g.Asm.mov(cr0, edi);
            g.Asm.mov(ecx, 0x17);
            g.Asm.mov(eax, 5);
            g.Asm.mov(edx, 6);
            g.Asm.wrmsr();
            g.Asm.rdmsr();
            g.Asm.or(eax, edx);
            g.Asm.mov(esi, eax);
            g.BootWithRings();
            g.Asm.cli();
            g.Report(edi);
            g.Asm.mov(edi, esi);
            g.Report(edi);
            g.Gate(13, "trap13");
            g.Mark("late");
            g.Asm.rdmsr();
            g.Trap(13, hasError: true);
        });
        Assert.Equal([0x33u, 0u], [guest.Next(), guest.Next()]);
        Assert.Equal(guest.Address("late"), guest.NextTrap(13).Eip);
    }

    [Fact]
    public void CliIsSkipped()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            g.BootWithRings();
            g.Gate(13, "trap13");
            g.Interrupts(true);
            g.Asm.cli();
            g.Asm.mov(esi, __dword_ptr[GuestPlan.Virtual(GuestPlan.Data)]);
            g.Report(esi);
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.cli();
            g.Trap(13, hasError: true);
        });
        Assert.Equal(GuestData.InterruptFlag, guest.Next());
        Assert.Equal(guest.Address("user"), guest.NextTrap(13).Eip);
    }

    [Fact]
    public void HltWaitsWithInterruptsOnAndIsTheEndWithThemOff()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            Interruptible(g, enabled: true);
            g.Gate(13, "trap13");
            g.Report(1);
            g.Asm.hlt();
            g.Interrupts(false);
            g.Asm.hlt();
            IrqHandlers(g);
            g.Trap(13, hasError: true);
        });
        guest.Next();
        guest.RunQuietly(20);
        guest.Channel.RaiseIrq(1);
        guest.NextTrap(33);
        Assert.Equal(GuestDeath.Halted, guest.Death());
    }

    /// <summary>A kernel is shown an old processor under a hypervisor, programs the one that there is.</summary>
    [Fact]
    public void TheProcessorDependsOnTheRing()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            g.BootWithRings();
            g.Gate(0x80, "call", dpl: 3);
            g.Asm.mov(eax, 1);
            g.Asm.cpuid();
            g.Asm.mov(esi, eax);
            g.Asm.mov(edi, ecx);
            g.Report(esi);
            g.Report(edi);
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.mov(eax, 1);
            g.Asm.cpuid();
            g.Asm.mov(esi, eax);
            g.Asm.mov(edi, ecx);
            g.Asm.@int(0x80);
            g.Mark("call");
            g.Report(esi);
            g.Report(edi);
        });
        Assert.Equal([0x5A8u, 1u << 31, 0x6D8u, 0u], [guest.Next(), guest.Next(), guest.Next(), guest.Next()]);
    }

    [Fact]
    public void TheHostsPartIsAsIfNothingWasThere()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            g.BootWithRings();
            g.Gate(14, "trap14");
            g.Call(HypercallKind.SetPgd, GuestPlan.Directory, 1023);
            g.Call(HypercallKind.SetPgd, GuestPlan.Directory, 1024);
            g.Asm.mov(eax, __dword_ptr[0xFFC0_0000]);
            g.Trap(14, hasError: true);
        });
        guest.Memory.WriteUInt32(GuestPlan.Directory + (1023 * 4), GuestPlan.SpareTable | (uint)PageFlags.Linear);
        guest.Memory.WriteUInt32(GuestPlan.SpareTable, GuestPlan.Scratch | (uint)PageFlags.Linear);
        Assert.Equal(0u, guest.NextTrap(14).Error);
        Assert.Equal(0xFFC0_0000u, guest.Data.Cr2);
    }

    [Theory]
    [InlineData(HypercallKind.SetPgd, GuestPlan.Directory, 1025u, "Attempt to set pgd 1025/1024")]
    [InlineData(HypercallKind.SetPte, GuestPlan.Directory, 0xFFC0_0000u, "attempt to set pte into Switcher pages")]
    [InlineData(HypercallKind.LguestInit, GuestPlan.Data, 0u, "already have lguest_data")]
    public void LaterCallsKillInTheirWords(HypercallKind call, uint first, uint second, string reason)
    {
        using TinyGuest guest = StartLater(g =>
        {
            g.Boot();
            g.Call(call, first, second);
        });
        Assert.Equal(reason, guest.Death());
    }
}
