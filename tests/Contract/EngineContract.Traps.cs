// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>Faults and traps of the guest's own making: their frames, their error codes, and what happens without a gate.</summary>
public abstract partial class EngineContract
{
    private const uint ResumeFlag = 0x10000;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AFaultInTheKernelStaysOnItsStack(bool interruptGate)
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(6, "trap6", interruptGate);
            g.Interrupts(on: true);
            g.Asm.stc();
            g.Mark("bad");
            g.Asm.ud2();
            g.Report(2);
            g.Trap(6, skip: 2);
        });
        TrapFrame frame = guest.NextTrap(6);
        Assert.Equal(guest.Address("bad"), frame.Eip);
        Assert.Equal((uint)Selectors.KernelCode, frame.Cs);
        Assert.Equal((uint)Selectors.KernelCode, frame.HandlerCs);
        Assert.Equal((uint)Selectors.KernelData, frame.HandlerSs);
        Assert.Equal(GuestPlan.Virtual(GuestPlan.StackTop) - 12, frame.Esp);
        Assert.Equal(0x203u | ResumeFlag, frame.Flags & ~0xD4u);
        Assert.Equal(interruptGate ? 0 : GuestData.InterruptFlag, guest.Data.IrqEnabled);
        Assert.Equal(2u, guest.Next());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AFaultInRing3TakesTheTrapStack(bool interruptGate)
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(0, "trap0", interruptGate);
            g.Interrupts(on: true);
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.xor(edx, edx);
            g.Asm.xor(ecx, ecx);
            g.Mark("bad");
            g.Asm.div(ecx);
            g.Asm.int3();
            g.Trap(0, skip: 2);
        });
        TrapFrame frame = guest.NextTrap(0);
        Assert.Equal(guest.Address("bad"), frame.Eip);
        Assert.Equal(GuestPlan.UserCode, frame.Cs);
        Assert.Equal(GuestPlan.UserData, frame.OuterSs);
        Assert.Equal(GuestPlan.Virtual(GuestPlan.UserStackTop), frame.OuterEsp);
        Assert.Equal(GuestPlan.Virtual(GuestPlan.TrapStackTop) - 20, frame.Esp);
        Assert.Equal((uint)Selectors.KernelCode, frame.HandlerCs);
        Assert.Equal((uint)Selectors.KernelData, frame.HandlerSs);
        Assert.Equal(ResumeFlag, frame.Flags & ResumeFlag);

        // Back in ring 3 the next instruction has no gate for its ring.
        Assert.StartsWith("unhandled trap 13 at", guest.Death());
    }

    [Fact]
    public void ASystemCallIsATrapBehindItsInstruction()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(Vectors.SystemCall, "trap128", interrupt: false, dpl: 3);
            g.Interrupts(on: true);
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.mov(eax, 20);
            g.Asm.@int(Vectors.SystemCall);
            g.Mark("behind");
            g.Asm.@int(Vectors.SystemCall);
            g.Trap(128);
        });
        TrapFrame frame = guest.NextTrap(128);
        Assert.Equal(guest.Address("behind"), frame.Eip);
        Assert.Equal(GuestPlan.UserCode, frame.Cs);
        Assert.Equal(0u, frame.Flags & ResumeFlag);
        Assert.Equal(GuestData.InterruptFlag, guest.Data.IrqEnabled);
        Assert.Equal(guest.Address("behind") + 2, guest.NextTrap(128).Eip);
    }

    [Theory]
    [InlineData(3, 3u, true)]
    [InlineData(3, 1u, false)]
    [InlineData(3, 0u, false)]
    [InlineData(1, 1u, true)]
    [InlineData(1, 3u, true)]
    [InlineData(1, 0u, false)]
    public void IntNeedsAGateForItsRing(int ring, uint dpl, bool allowed)
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(13, "trap13");
            g.Gate(Vectors.SystemCall, "trap128", interrupt: false, dpl);
            if (ring == 3)
            {
                g.ToRing3("user");
                g.Mark("user");
            }

            g.Mark("int");
            g.Asm.@int(Vectors.SystemCall);
            g.Trap(128);
            g.Trap(13, hasError: true);
        });
        if (allowed)
        {
            Assert.Equal(guest.Address("int") + 2, guest.NextTrap(128).Eip);
            return;
        }

        TrapFrame frame = guest.NextTrap(13);
        Assert.Equal(guest.Address("int"), frame.Eip);
        Assert.Equal((0x80u * 8) + 2, frame.Error);
    }

    [Theory]
    [InlineData(0x20)]
    [InlineData(0x50)]
    [InlineData(0xFF)]
    [InlineData(13)]
    [InlineData(14)]
    [InlineData(7)]
    public void IntOfAVectorTheHostKeepsIsAProtectionFault(int vector)
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(13, "trap13");
            if (vector is not 13)
                g.Gate((uint)vector, "other", interrupt: false, dpl: 3);
            g.Asm.@int((byte)vector);
            g.Handler("other", (uint)vector);
            g.Trap(13, hasError: true);
        });
        Assert.Equal(((uint)vector * 8) + 2, guest.NextTrap(13).Error);
    }

    [Fact]
    public void Ring3MakesNoHypercalls()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(13, "trap13");
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.mov(eax, 2);
            g.Asm.@int(Vectors.Hypercall);
            g.Trap(13, hasError: true);
        });
        Assert.Equal((0x1Fu * 8) + 2, guest.NextTrap(13).Error);
    }

    [Fact]
    public void Int3AndIntoAreTrapsBehindTheirInstruction()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Gate(3, "trap3", interrupt: false, dpl: 3);
            g.Gate(4, "trap4", interrupt: false, dpl: 3);
            g.Asm.int3();
            g.Mark("behind3");
            g.Asm.into();
            g.Asm.mov(al, 0x7F);
            g.Asm.add(al, 1);
            g.Asm.into();
            g.Mark("behind4");
            g.Report(1);
            g.Trap(3);
            g.Trap(4);
        });
        TrapFrame breakpoint = guest.NextTrap(3);
        Assert.Equal(guest.Address("behind3"), breakpoint.Eip);
        Assert.Equal(0u, breakpoint.Flags & ResumeFlag);
        Assert.Equal(guest.Address("behind4"), guest.NextTrap(4).Eip);
        Assert.Equal(1u, guest.Next());
    }

    [Fact]
    public void BoundFaultsAtItsInstruction()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Gate(5, "trap5");
                g.Asm.mov(eax, 11);
                g.Mark("bound");
                g.Asm.bound(eax, __qword_ptr[GuestPlan.Virtual(GuestPlan.Scratch)]);
                g.Report(1);
                g.Trap(5, skip: 6);
            },
            prepare: memory =>
            {
                memory.WriteUInt32(GuestPlan.Scratch, 1);
                memory.WriteUInt32(GuestPlan.Scratch + 4, 10);
            });
        Assert.Equal(guest.Address("bound"), guest.NextTrap(5).Eip);
        Assert.Equal(1u, guest.Next());
    }

    [Theory]
    [InlineData(false, false, 0u)]
    [InlineData(true, false, 2u)]
    [InlineData(false, true, 4u)]
    [InlineData(true, true, 6u)]
    public void APageFaultTellsTheAccess(bool write, bool user, uint error)
    {
        using TinyGuest guest = Start(g => PageFaulting(g, 0x1234_5678, write, user));
        TrapFrame frame = guest.NextTrap(14);
        Assert.Equal(error, frame.Error);
        Assert.Equal(guest.Address("access"), frame.Eip);
        Assert.Equal(0x1234_5678u, guest.Data.Cr2);
        Assert.Equal(ResumeFlag, frame.Flags & ResumeFlag);
    }

    [Theory]
    [InlineData(true, false, 3u)]
    [InlineData(true, true, 7u)]
    public void WritingAReadOnlyPageFaultsInBothRings(bool write, bool user, uint error)
    {
        using TinyGuest guest = Start(
            g => PageFaulting(g, GuestPlan.Virtual(GuestPlan.Scratch), write, user),
            prepare: memory => SetKernelPage(memory, GuestPlan.Scratch, GuestPlan.Scratch | (uint)(PageFlags.Present | PageFlags.User)));
        Assert.Equal(error, guest.NextTrap(14).Error);
        Assert.Equal(GuestPlan.Virtual(GuestPlan.Scratch), guest.Data.Cr2);
    }

    [Theory]
    [InlineData(false, 5u)]
    [InlineData(true, 7u)]
    public void TheKernelsPagesAreNotForRing3(bool write, uint error)
    {
        using TinyGuest guest = Start(
            g => PageFaulting(g, GuestPlan.Virtual(GuestPlan.Scratch), write, user: true),
            prepare: memory => SetKernelPage(memory, GuestPlan.Scratch, GuestPlan.Scratch | (uint)(PageFlags.Present | PageFlags.Writable)));
        Assert.Equal(error, guest.NextTrap(14).Error);
    }

    [Fact]
    public void FetchingFaultsWhereThereIsNothing()
    {
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(14, "trap14");
            g.Asm.mov(eax, 0x4000_0000);
            g.Asm.jmp(eax);
            g.Trap(14, hasError: true);
        });
        TrapFrame frame = guest.NextTrap(14);
        Assert.Equal(0x4000_0000u, frame.Eip);
        Assert.Equal(0x4000_0000u, guest.Data.Cr2);
        Assert.Equal(0u, frame.Error);
    }

    [Fact]
    public void AnInstructionThatCrossesIntoNothingFaultsThere()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Gate(14, "trap14");
                g.Asm.mov(eax, GuestPlan.Virtual(GuestPlan.Scratch) - 2);
                g.Asm.jmp(eax);
                g.Trap(14, hasError: true);
            },
            prepare: memory =>
            {
                memory.Write(GuestPlan.Scratch - 2, 2)[0] = 0xB8;
                SetKernelPage(memory, GuestPlan.Scratch, 0);
            });
        Assert.Equal(GuestPlan.Virtual(GuestPlan.Scratch) - 2, guest.NextTrap(14).Eip);
        Assert.Equal(GuestPlan.Virtual(GuestPlan.Scratch), guest.Data.Cr2);
    }

    [Fact]
    public void AWriteThatCrossesIntoNothingWritesNothing()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Gate(14, "trap14");
                g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.Scratch) - 2], 0x1122_3344);
                g.Trap(14, hasError: true);
            },
            prepare: memory => SetKernelPage(memory, GuestPlan.Scratch, 0));
        Assert.Equal(2u, guest.NextTrap(14).Error);
        Assert.Equal(GuestPlan.Virtual(GuestPlan.Scratch), guest.Data.Cr2);
        Assert.Equal(0u, guest.Memory.ReadUInt32(GuestPlan.Scratch - 4));
    }

    [Theory]
    [InlineData(0x71u, 0x70u, 13)]
    [InlineData(0x1000u, 0x1000u, 13)]
    [InlineData(0x14u, 0x14u, 13)]
    [InlineData(0xA1u, 0xA0u, 11)]
    public void LoadingABadSegmentTellsItsSelector(uint selector, uint error, int vector)
    {
        // 0x70 is ring 3 code that cannot be read as data here, 0xA0 a data segment that is not present.
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Gate((uint)vector, "handler");
                g.Asm.mov(eax, selector);
                g.Mark("load");
                g.Asm.mov(fs, ax);
                g.Handler("handler", (uint)vector, hasError: true);
            },
            prepare: memory =>
            {
                TinyGuest.Descriptor(memory, 0x70 >> 3, 0x00CF_F800_0000_FFFF);
                TinyGuest.Descriptor(memory, 0xA0 >> 3, 0x00CF_7200_0000_FFFF);
            });
        TrapFrame frame = guest.NextTrap((uint)vector);
        Assert.Equal(error, frame.Error);
        Assert.Equal(guest.Address("load"), frame.Eip);
    }

    [Fact]
    public void SegmentLimitsAreKept()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Gate(13, "trap13");
                g.Call(HypercallKind.LoadTls, GuestPlan.Tls);
                g.Asm.mov(eax, (Selectors.TlsFirst * 8) | 3);
                g.Asm.mov(gs, ax);
                g.Asm.mov(esi, __.gs[0xFC]);
                g.Report(esi);
                g.Mark("beyond");
                g.Asm.mov(esi, __.gs[0xFD]);
                g.Trap(13, hasError: true);
            },
            prepare: memory =>
            {
                memory.WriteValue(GuestPlan.Tls, DataSegment(GuestPlan.Virtual(GuestPlan.Scratch), 0xFF));
                memory.WriteUInt32(GuestPlan.Scratch + 0xFC, 42);
            });
        Assert.Equal(42u, guest.Next());
        TrapFrame frame = guest.NextTrap(13);
        Assert.Equal(guest.Address("beyond"), frame.Eip);
        Assert.Equal(0u, frame.Error);
    }

    [Fact]
    public void ATrapWithoutAGateKillsAndSaysWhere()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Mark("bad");
            g.Asm.ud2();
        });
        Assert.Equal($"unhandled trap 6 at 0x{guest.Address("bad"):x} (0x0)", guest.Death());
    }

    [Fact]
    public void APageFaultWithoutAGateSaysItsAddress()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Mark("bad");
            g.Asm.mov(eax, __[0x1234]);
        });
        Assert.Equal($"unhandled trap 14 at 0x{guest.Address("bad"):x} (0x1234)", guest.Death());
        Assert.Equal(0x1234u, guest.Data.Cr2);
    }

    [Fact]
    public void AProtectionFaultWithoutAGateSaysItsErrorCode()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Mark("bad");
            g.Asm.@int(Vectors.SystemCall);
        });
        Assert.Equal($"unhandled trap 13 at 0x{guest.Address("bad"):x} (0x402)", guest.Death());
    }

    [Fact]
    public void AFaultBeforeInitKills()
    {
        using TinyGuest guest = Start(g => g.Asm.mov(eax, __[0x1234]));
        Assert.Equal($"unhandled trap 14 at 0x{GuestPlan.Virtual(GuestPlan.Code):x} (0x1234)", guest.Death());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AStackThatIsNotThereIsDeath(bool interruptGate)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Gate(6, "trap6", interruptGate);
            g.Asm.mov(esp, 0x5000_0000);
            g.Mark("bad");
            g.Asm.ud2();
            g.Trap(6);
        });

        // Through the host it is a bad address (as guest physical, by subtraction); straight from the processor a double fault.
        Assert.Equal(
            interruptGate ? "bad write address 0x8ffffffc" : $"unhandled trap 8 at 0x{guest.Address("bad"):x} (0x0)",
            guest.Death());
    }

    [Fact]
    public void SingleStepsTrapBehindEachInstruction()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Gate(1, "trap1", interrupt: false);
            g.Asm.pushfd();
            g.Asm.or(__dword_ptr[esp], 0x100);
            g.Asm.popfd();
            g.Mark("first");
            g.Asm.nop();
            g.Mark("second");
            g.Asm.inc(esi);
            g.Mark("third");
            g.Asm.nop();
            g.Trap(1);
        });
        TrapFrame frame = guest.NextTrap(1);
        Assert.Equal(guest.Address("second"), frame.Eip);
        Assert.Equal(0x100u, frame.Flags & 0x100);
        Assert.Equal(0u, frame.Flags & ResumeFlag);
        Assert.Equal(guest.Address("third"), guest.NextTrap(1).Eip);
    }

    private static void PageFaulting(GuestProgram g, uint address, bool write, bool user)
    {
        g.BootWithRings();
        g.Gate(14, "trap14");
        if (user)
        {
            g.ToRing3("user");
            g.Mark("user");
        }

        g.Mark("access");
        if (write)
            g.Asm.mov(__dword_ptr[address], 1);
        else
            g.Asm.mov(ecx, __[address]);
        g.Trap(14, hasError: true);
    }

    /// <summary>A prefix is part of the instruction that the fault points to.</summary>
    [Fact]
    public void APrefixedIntFaultsWhereItBegins()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Gate(13, "trap13");
            g.Mark("int");
            g.Asm.db(0x66, 0xCD, 0x40);
            g.Trap(13, hasError: true);
        });
        Assert.Equal(guest.Address("int"), guest.NextTrap(13).Eip);
    }

    /// <summary>An indirect jump that leads to the instruction right behind it, by way of %cs.</summary>
    [Fact]
    public void AJumpToTheNextInstructionGoesThere()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.mov(ecx, 3);
            g.Asm.mov(ebx, g.Address("next"));
            g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.Scratch)], ebx);
            g.Mark("again");
            g.Asm.inc(esi);
            g.Asm.db([0x2E, 0xFF, 0x25, .. BitConverter.GetBytes(GuestPlan.Virtual(GuestPlan.Scratch))]);
            g.Mark("next");
            g.Asm.dec(ecx);
            g.Asm.jnz(g.Here("again"));
            g.Report(esi);
        });
        Assert.Equal(3u, guest.Next());
    }
}
