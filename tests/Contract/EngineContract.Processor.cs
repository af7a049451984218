// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Iced.Intel;
using Lguest.Engine.Time;
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>What the processor that a guest finds itself on lets it do.</summary>
public abstract partial class EngineContract
{
    [Fact]
    public void AGuestStartsWithEverythingZeroButItsSegments()
    {
        const uint page = GuestPlan.PageOffset + GuestPlan.Scratch;
        using TinyGuest guest = Start(g =>
        {
            g.Asm.mov(__[page], eax);
            g.Asm.mov(__[page + 4], ecx);
            g.Asm.mov(__[page + 8], edx);
            g.Asm.mov(__[page + 12], ebx);
            g.Asm.mov(__[page + 16], esp);
            g.Asm.mov(__[page + 20], ebp);
            g.Asm.mov(__[page + 24], esi);
            g.Asm.mov(__[page + 28], edi);
            g.Asm.mov(__word_ptr[page + 32], es);
            g.Asm.mov(__word_ptr[page + 36], cs);
            g.Asm.mov(__word_ptr[page + 40], ss);
            g.Asm.mov(__word_ptr[page + 44], ds);
            g.Asm.mov(__word_ptr[page + 48], fs);
            g.Asm.mov(__word_ptr[page + 52], gs);
            g.Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
            g.Asm.pushfd();
            g.Asm.pop(__dword_ptr[page + 56]);
            g.Boot();
            g.Report(1);
        });
        guest.Next();
        uint[] words = [.. Enumerable.Range(0, 15).Select(i => guest.Memory.ReadUInt32(GuestPlan.Scratch + (uint)(i * 4)))];
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0, 0x69, 0x61, 0x69, 0x69, 0, 0, 0x202], words);
    }

    [Fact]
    public void NobodyAnswersOnTheBus()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            foreach (int width in new[] { 1, 2, 4 })
            {
                g.Asm.mov(eax, 0x1234_5678);
                g.Asm.mov(edx, 0x3F8);
                if (width == 1)
                    g.Asm.@in(al, dx);
                else if (width == 2)
                    g.Asm.@in(ax, dx);
                else
                    g.Asm.@in(eax, dx);
                g.Asm.mov(esi, eax);
                g.Report(esi);
            }

            g.Asm.mov(eax, 0x1234_5678);
            g.Asm.@in(al, (byte)0x71);
            g.Asm.@out((byte)0x70, al);
            g.Asm.@out(dx, eax);
            g.Asm.mov(esi, eax);
            g.Report(esi);
        });
        Assert.Equal([0x1234_56FFu, 0x1234_FFFFu, 0xFFFF_FFFFu, 0x1234_56FFu], [guest.Next(), guest.Next(), guest.Next(), guest.Next()]);
    }

    public static TheoryData<string> PrivilegedInstructions =>
        ["cli", "sti", "hlt", "mov cr0", "mov cr3", "mov from cr2", "lgdt", "lidt", "ltr", "lldt", "invlpg", "wbinvd", "clts", "lmsw", "rdmsr", "wrmsr", "insb", "outsb", "mov dr7", "rdpmc"];

    [Theory]
    [MemberData(nameof(PrivilegedInstructions))]
    public void PrivilegedInstructionsAreTheGuestsOwnFault(string name)
    {
        foreach (bool user in new[] { false, true })
        {
            using TinyGuest guest = Start(g =>
            {
                g.BootWithRings();
                g.Gate(13, "trap13");
                if (user)
                {
                    g.ToRing3("user");
                    g.Mark("user");
                }

                g.Mark("bad");
                Emit(g.Asm, name);
                g.Trap(13, hasError: true);
            });
            TrapFrame frame = guest.NextTrap(13);
            Assert.Equal(0u, frame.Error);
            Assert.Equal(guest.Address("bad"), frame.Eip);
        }
    }

    [Fact]
    public void PortsAreNotForRing3()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(13, "trap13");
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.@in(al, dx);
            g.Asm.@out(dx, al);
            g.Trap(13, hasError: true, skip: 1);
        });
        Assert.Equal(guest.Address("user"), guest.NextTrap(13).Eip);
        Assert.Equal(guest.Address("user") + 1, guest.NextTrap(13).Eip);
    }

    /// <summary>PAUSE, ENDBR32, ENDBR64 and a reserved NOP with an operand that is not there: newer compilers emit them, older processors ignore them.</summary>
    [Fact]
    public void WhatIsReservedForHintsDoesNothing()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.mov(esi, 5);
            g.Asm.pause();
            g.Asm.endbr32();
            g.Asm.db(0xF3, 0x0F, 0x1E, 0xFA); // endbr64
            g.Asm.db(0x0F, 0x19, 0x46, 0x10); // reservednop [esi+0x10]
            g.Report(esi);
        });
        Assert.Equal(5u, guest.Next());
    }

    [Fact]
    public void LfsAndLgsLoadAPointerAndItsSegment()
    {
        const uint place = GuestPlan.PageOffset + GuestPlan.Scratch;
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.mov(__dword_ptr[place], 0x1234_5678);
            g.Asm.mov(__word_ptr[place + 4], (short)Selectors.KernelData);
            g.Asm.lfs(esi, __[place]);
            g.Report(esi);
            g.Asm.lgs(esi, __[place]);
            g.Report(esi);
            g.Asm.mov(esi, fs);
            g.Report(esi);
            g.Asm.mov(esi, gs);
            g.Report(esi);
        });
        Assert.Equal([0x1234_5678u, 0x1234_5678u, (uint)Selectors.KernelData, (uint)Selectors.KernelData], [guest.Next(), guest.Next(), guest.Next(), guest.Next()]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PopfLeavesInterruptsAndPrivilegeAlone(bool user)
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(Vectors.SystemCall, "trap128", interrupt: false, dpl: 3);
            g.Interrupts(on: true);
            if (user)
            {
                g.ToRing3("user");
                g.Mark("user");
            }

            g.Asm.push(0);
            g.Asm.popfd();
            g.Asm.@int(Vectors.SystemCall);
            g.Asm.mov(eax, 0x0000_3ED5);
            g.Asm.push(eax);
            g.Asm.popfd();
            g.Asm.@int(Vectors.SystemCall);
            g.Trap(128);
        });
        Assert.Equal(0x202u, guest.NextTrap(128).Flags);
        Assert.Equal(0xED7u, guest.NextTrap(128).Flags);
    }

    [Fact]
    public void IretInTheKernelLeavesInterruptsAlone()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.push(0x3002);
            g.Asm.push(Selectors.KernelCode);
            g.Asm.mov(eax, g.Address("target"));
            g.Asm.push(eax);
            g.Asm.iretd();
            g.Mark("target");
            g.Asm.pushfd();
            g.Asm.pop(esi);
            g.Report(esi);
        });
        Assert.Equal(0x202u, guest.Next());
    }

    [Fact]
    public void GoingToRing3TakesTheKernelsSegmentsAway()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(Vectors.SystemCall, "trap128", interrupt: false, dpl: 3);
            g.Asm.mov(eax, Selectors.KernelData);
            g.Asm.mov(fs, ax);
            g.Asm.mov(eax, GuestPlan.UserData);
            g.Asm.mov(gs, ax);
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.@int(Vectors.SystemCall);
            g.Mark("trap128");
            g.Asm.mov(esi, fs);
            g.Asm.mov(edi, gs);
            g.Report(esi);
            g.Report(edi);
        });
        Assert.Equal(0u, guest.Next());
        Assert.Equal(GuestPlan.UserData, guest.Next());
    }

    [Fact]
    public void TheProcessorTellsOfNothingItCannotDo()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.mov(eax, 1);
            g.Asm.cpuid();
            g.Asm.mov(esi, edx);
            g.Report(esi);
        });
        uint features = guest.Next();
        const uint needed = 1u << 0 | 1u << 4 | 1u << 8 | 1u << 15 | 1u << 23 | 1u << 24 | 1u << 25 | 1u << 26;
        const uint sysenter = 1u << 11;
        Assert.Equal(needed, features & (needed | sysenter));
    }

    [Fact]
    public void TheTimeStampCounterGoesForward()
    {
        long start = Stopwatch.GetTimestamp();
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.rdtsc();
            g.Asm.mov(esi, eax);
            g.Asm.mov(edi, edx);
            g.Asm.mov(ecx, 1000);
            g.Mark("wait");
            g.Asm.dec(ecx);
            g.Asm.jnz(g.Here("wait"));
            g.Asm.rdtsc();
            g.Asm.sub(eax, esi);
            g.Asm.sbb(edx, edi);
            g.Asm.mov(esi, eax);
            g.Asm.mov(edi, edx);
            g.Report(esi);
            g.Report(edi);
        }, new HostTime());
        ulong passed = guest.Next() | ((ulong)guest.Next() << 32);

        // It counts nanoseconds, as the host does.
        Assert.InRange(passed, 1u, (ulong)Stopwatch.GetElapsedTime(start).TotalNanoseconds);
    }

    [Fact]
    public void TheGeneralRegistersSurviveRingsAndTraps()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(Vectors.SystemCall, "trap128", interrupt: false, dpl: 3);
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.mov(eax, 0xA0A0_A0A0);
            g.Asm.mov(ecx, 0xC1C1_C1C1);
            g.Asm.mov(edx, 0xD2D2_D2D2);
            g.Asm.mov(ebx, 0xB3B3_B3B3);
            g.Asm.mov(ebp, 0xE4E4_E4E4);
            g.Asm.mov(esi, 0x5151_5151);
            g.Asm.mov(edi, 0xD1D1_D1D1);
            g.Asm.@int(Vectors.SystemCall);
            g.Mark("trap128");
            g.Asm.pushad();
            g.Report(esp);
        });
        uint stack = guest.Next() - GuestPlan.PageOffset;
        uint[] words = [.. Enumerable.Range(0, 8).Select(i => guest.Memory.ReadUInt32(stack + (uint)(i * 4)))];
        Assert.Equal(
            [0xD1D1_D1D1, 0x5151_5151, 0xE4E4_E4E4, GuestPlan.Virtual(GuestPlan.TrapStackTop) - 20, 0xB3B3_B3B3, 0xD2D2_D2D2, 0xC1C1_C1C1, 0xA0A0_A0A0],
            words);
    }

    private static void Emit(Assembler asm, string name)
    {
        switch (name)
        {
            case "cli":
                asm.cli();
                break;
            case "sti":
                asm.sti();
                break;
            case "hlt":
                asm.hlt();
                break;
            case "mov cr0":
                asm.mov(cr0, eax);
                break;
            case "mov cr3":
                asm.mov(cr3, eax);
                break;
            case "mov from cr2":
                asm.mov(eax, cr2);
                break;
            case "lgdt":
                asm.lgdt(__[GuestPlan.Virtual(GuestPlan.Scratch)]);
                break;
            case "lidt":
                asm.lidt(__[GuestPlan.Virtual(GuestPlan.Scratch)]);
                break;
            case "ltr":
                asm.ltr(ax);
                break;
            case "lldt":
                asm.lldt(ax);
                break;
            case "invlpg":
                asm.invlpg(__[GuestPlan.Virtual(GuestPlan.Scratch)]);
                break;
            case "wbinvd":
                asm.wbinvd();
                break;
            case "clts":
                asm.clts();
                break;
            case "lmsw":
                asm.lmsw(ax);
                break;
            case "rdmsr":
                asm.rdmsr();
                break;
            case "wrmsr":
                asm.wrmsr();
                break;
            case "rdpmc":
                asm.rdpmc();
                break;
            case "insb":
                asm.insb();
                break;
            case "outsb":
                asm.outsb();
                break;
            case "mov dr7":
                asm.mov(dr7, eax);
                break;
            default:
                throw new ArgumentException(name);
        }
    }
}
