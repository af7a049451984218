// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>Each call of the guest with arguments that are good and arguments that kill.</summary>
public abstract partial class EngineContract
{
    [Fact]
    public void InitFillsTheHostsFields()
    {
        StillClock clock = new() { Wall = 1_172_000_000_123_456_789, TscKhz = 2_400_000 };
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Report(1);
            },
            clock);
        guest.Next();
        GuestData data = guest.Data;
        Assert.Equal(4u << 20, data.ReserveMem);
        Assert.Equal(2_400_000u, data.TscKhz);
        Assert.Equal((1_172_000_000, 123_456_789), data.Time);
    }

    [Fact]
    public void AHostWithoutASteadyCounterSaysSo()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Report(1);
            },
            new StillClock { TscKhz = 0 },
            memory => memory.WriteUInt32(GuestPlan.Data + 1116, 77));
        guest.Next();
        Assert.Equal(0u, guest.Data.TscKhz);
    }

    [Theory]
    [InlineData(0u, "hypercall 0 before LGUEST_INIT")]
    [InlineData(2u, "hypercall 2 before LGUEST_INIT")]
    [InlineData(99u, "hypercall 99 before LGUEST_INIT")]
    [InlineData(0xFFFF_FFFFu, "hypercall -1 before LGUEST_INIT")]
    public void NothingComesBeforeInit(uint number, string reason)
    {
        using TinyGuest guest = Start(g => g.CallNumber(number));
        Assert.Equal(reason, guest.Death());
    }

    [Theory]
    [InlineData(GuestPlan.MemoryBytes)]
    [InlineData(GuestPlan.MemoryBytes - 4)]
    [InlineData(0xFFFF_FF00u)]
    public void InitBeyondMemoryKills(uint address)
    {
        using TinyGuest guest = Start(g => g.Call(HypercallKind.LguestInit, address));
        Assert.Equal($"bad guest page {address:x8}", guest.Death());
    }

    [Fact]
    public void InitTwiceKills()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Boot();
        });
        Assert.Equal("already have lguest_data", guest.Death());
    }

    [Theory]
    [InlineData(11u, "Bad hypercall 11")]
    [InlineData(17u, "Bad hypercall 17")]
    [InlineData(1000u, "Bad hypercall 1000")]
    [InlineData(0xFFFF_FFFEu, "Bad hypercall -2")]
    public void UnknownCallsKill(uint number, string reason)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.CallNumber(number);
        });
        Assert.Equal(reason, guest.Death());
    }

    [Fact]
    public void ACallLeavesItsNumberAndEverythingElse()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.mov(esi, 0x1111);
            g.Asm.mov(edi, 0x2222);
            g.Asm.mov(ebp, 0x3333);
            g.Call(HypercallKind.FlushTlb, 1, 0x4444, 0x5555);
            g.Asm.push(eax);
            g.Asm.push(ebx);
            g.Asm.push(ecx);
            g.Asm.push(edx);
            g.Asm.push(esi);
            g.Asm.push(edi);
            g.Asm.push(ebp);
            g.Report(esp);
        });
        uint stack = guest.Next() - GuestPlan.PageOffset;
        uint[] words = [.. Enumerable.Range(0, 7).Select(i => guest.Memory.ReadUInt32(stack + (uint)(i * 4)))];
        Assert.Equal([0x3333, 0x2222, 0x1111, 1, 0x5555, 0x4444, 5], words);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    [InlineData(126)]
    [InlineData(127)]
    public void CrashTextIsTheReason(int length)
    {
        string text = new([.. Enumerable.Range(0, length).Select(i => (char)('a' + (i % 26)))]);
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Call(HypercallKind.Crash, GuestPlan.Text);
            },
            prepare: memory => PutText(memory, text));
        Assert.Equal("CRASH: " + text, guest.Death());
    }

    [Fact]
    public void CrashTextWithoutAnEndIsCutAt127()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Call(HypercallKind.Crash, GuestPlan.Text);
            },
            prepare: memory => memory.Write(GuestPlan.Text, 300).Fill((byte)'x'));
        Assert.Equal("CRASH: " + new string('x', 127), guest.Death());
    }

    [Fact]
    public void CrashTextMayEndWithMemory()
    {
        const uint address = GuestPlan.MemoryBytes - 4;
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Call(HypercallKind.Crash, address);
            },
            prepare: memory => "bye\0"u8.CopyTo(memory.Write(address, 4)));
        Assert.Equal("CRASH: bye", guest.Death());
    }

    [Theory]
    [InlineData(GuestPlan.MemoryBytes, "bad read address 0x200000 len 128")]
    [InlineData(0xFFFF_FFF0u, "bad read address 0xfffffff0 len 128")]
    public void CrashTextOutsideMemoryIsItselfAReason(uint address, string reason)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.Crash, address);
        });
        Assert.Equal(reason, guest.Death());
    }

    [Theory]
    [InlineData(33u, GuestPlan.Gdt, "too many gdt entries 33")]
    [InlineData(0xFFFF_FFFFu, GuestPlan.Gdt, "too many gdt entries -1")]
    [InlineData(32u, GuestPlan.MemoryBytes - 100, "bad read address 0x1fff9c len 256")]
    [InlineData(2u, 0xFFFF_FFF8u, "bad read address 0xfffffff8 len 16")]
    public void ABadGdtKills(uint count, uint table, string reason)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.LoadGdt, table, count);
        });
        Assert.Equal(reason, guest.Death());
    }

    [Fact]
    public void DescriptorsGetRing1AndTheAccessedBit()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Asm.mov(ecx, 20 * 8);
                g.Asm.xor(eax, eax);
                g.Asm.lar(eax, ecx);
                g.Report(eax);
            },
            prepare: memory => TinyGuest.Descriptor(memory, 20, 0x00CF_9200_0000_FFFF));
        Assert.Equal(0x00C0_B300u, guest.Next() & 0x00F0_FF00);
    }

    [Theory]
    [InlineData(Selectors.TssIndex)]
    [InlineData(Selectors.HostCodeIndex)]
    [InlineData(Selectors.HostDataIndex)]
    [InlineData(Selectors.DoubleFaultTssIndex)]
    public void TheHostsDescriptorsAreNotTheGuests(int index)
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Gate(13, "trap13");
                g.Asm.mov(eax, (index * 8) | 1);
                g.Asm.mov(fs, ax);
                g.Report(1);
                g.Trap(13, hasError: true);
            },
            prepare: memory => TinyGuest.Descriptor(memory, index, 0x00CF_9200_0000_FFFF));
        Assert.Equal((uint)index * 8, guest.NextTrap(13).Error);
    }

    [Fact]
    public void LosingTheDescriptorInUseKills()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Call(HypercallKind.LoadGdt, GuestPlan.Gdt, Selectors.GdtEntries);
            },
            prepare: memory => TinyGuest.Descriptor(memory, Selectors.KernelDataIndex, 0));
        Assert.StartsWith("unhandled trap 256 at 0xc0010", guest.Death());
    }

    [Fact]
    public void ANewDescriptorIsInForceAtOnce()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Asm.mov(eax, (Selectors.TlsFirst * 8) | 1);
                g.Call(HypercallKind.LoadTls, GuestPlan.Tls);
                g.Asm.mov(eax, (Selectors.TlsFirst * 8) | 1);
                g.Asm.mov(gs, ax);
                g.Asm.mov(esi, __.gs[0]);
                g.Report(esi);
                g.Call(HypercallKind.LoadTls, GuestPlan.Tls + 24);
                g.Asm.mov(esi, __.gs[0]);
                g.Report(esi);
            },
            prepare: memory =>
            {
                memory.WriteValue(GuestPlan.Tls, DataSegment(GuestPlan.Virtual(GuestPlan.Scratch), 0xFFF));
                memory.WriteValue(GuestPlan.Tls + 24, DataSegment(GuestPlan.Virtual(GuestPlan.Scratch) + 0x100, 0xFFF));
                memory.WriteUInt32(GuestPlan.Scratch, 0xAAAA);
                memory.WriteUInt32(GuestPlan.Scratch + 0x100, 0xBBBB);
            });
        Assert.Equal(0xAAAAu, guest.Next());
        Assert.Equal(0xBBBBu, guest.Next());
    }

    [Fact]
    public void TlsBeyondMemoryKills()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.LoadTls, GuestPlan.MemoryBytes - 8);
        });
        Assert.Equal("bad read address 0x1ffff8 len 24", guest.Death());
    }

    [Theory]
    [InlineData(0x5u, 5)]
    [InlineData(0xCu, 12)]
    [InlineData(0x0u, 0)]
    public void GatesOfOtherTypesKill(uint type, int shown)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.LoadIdtEntry, 3, 0, 0x8000 | (type << 8));
        });
        Assert.Equal($"bad IDT type {shown}", guest.Death());
    }

    [Theory]
    [InlineData(2u)]
    [InlineData(8u)]
    [InlineData(15u)]
    [InlineData(0x1Fu)]
    [InlineData(0x81u)]
    [InlineData(0xFFFF_FFFFu)]
    public void GatesNoGuestMayHaveAreIgnored(uint vector)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();

            // Of a type that would kill anywhere else.
            g.Call(HypercallKind.LoadIdtEntry, vector, 0, 0x8500);
            g.Report(6);
        });
        Assert.Equal(6u, guest.Next());
    }

    [Fact]
    public void AGateThatIsNotPresentIsTakenAway()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Gate(6, "trap6", interrupt: false);
            g.Asm.ud2();
            g.Call(HypercallKind.LoadIdtEntry, 6, 0, 0x0500);
            g.Mark("second");
            g.Asm.ud2();
            g.Trap(6, skip: 2);
        });
        guest.NextTrap(6);
        Assert.Equal($"unhandled trap 6 at 0x{guest.Address("second"):x} (0x0)", guest.Death());
    }

    [Theory]
    [InlineData(0x68u, 1u, "bad stack segment 104")]
    [InlineData(0x6Bu, 1u, "bad stack segment 107")]
    [InlineData(0x69u, 3u, "bad stack pages 3")]
    [InlineData(0x69u, 0xFFFF_FFFFu, "bad stack pages 4294967295")]
    public void BadStacksKill(uint selector, uint pages, string reason)
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.SetStack, selector, GuestPlan.Virtual(GuestPlan.TrapStackTop), pages);
        });
        Assert.Equal(reason, guest.Death());
    }

    [Fact]
    public void AStackThatIsNotMappedKills()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.SetStack, Selectors.KernelData, 0x5000_0000, 1);
        });
        Assert.Equal("bad stack page 0x4fffffff", guest.Death());
    }

    [Fact]
    public void BothStackPagesAreLookedAt()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Call(HypercallKind.SetStack, Selectors.KernelData, GuestPlan.Virtual(GuestPlan.Scratch), 2);
            },
            prepare: memory => SetKernelPage(memory, GuestPlan.Scratch - (2 * Page.Size), 0));
        Assert.Equal("bad stack page 0xc005efff", guest.Death());
    }

    [Fact]
    public void TheStackIsUsedAndWrittenBeforeItIsNeeded()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.SetStack, Selectors.KernelData, GuestPlan.Virtual(GuestPlan.Scratch), 1);
            g.Report(1);
        });
        guest.Next();
        Assert.Equal(GuestPlan.Mapped, KernelPage(guest.Memory, GuestPlan.Scratch - Page.Size) & Page.OffsetMask);
        Assert.Equal((uint)PageFlags.Linear, KernelPage(guest.Memory, GuestPlan.Scratch - (2 * Page.Size)) & Page.OffsetMask);
    }

    [Fact]
    public void FloatingPointTrapsOnlyWhileTsIsSet()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Gate(7, "trap7", interrupt: false);
            g.Asm.fld1();
            g.Call(HypercallKind.SetTaskSwitched, 8);
            g.Mark("lazy");
            g.Asm.fld1();
            g.Report(2);
            g.Mark("trap7");
            g.Call(HypercallKind.SetTaskSwitched, 0);
            g.Asm.pop(esi);
            g.Report(esi);
            g.Asm.push(esi);
            g.Asm.fld1();
            g.Asm.fld1();
            g.Report(3);
        });
        Assert.Equal(guest.Address("lazy"), guest.Next());
        Assert.Equal(3u, guest.Next());
    }

    [Fact]
    public void TheSeedsClockCallsAnswerInEax()
    {
        StillClock clock = new() { Wall = 1_170_000_123_000_000_000 };
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Call(HypercallKind.GetWallclock);
                g.Asm.mov(esi, eax);
                g.Report(esi);
                g.Call(HypercallKind.TimerStart, 100);
                g.Report(7);
                g.Call(HypercallKind.TimerRead);
                g.Asm.mov(esi, eax);
                g.Report(esi);
            },
            clock,
            abi: Generation.Seed200702);
        Assert.Equal(1_170_000_123u, guest.Next());
        Assert.Equal(7u, guest.Next());
        clock.Advance(1_234_567);
        Assert.Equal(1_234_567u, guest.Next());
    }

    [Fact]
    public void NumbersAreTheGenerations()
    {
        // 9 is SET_CLOCKEVENT in one and TIMER_READ in the other; 17 is no call and LOAD_TLS.
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.mov(edx, GuestPlan.Tls);
                g.CallNumber(17);
                g.Report(9);
            },
            abi: Generation.Seed200702);
        Assert.Equal(9u, guest.Next());
    }

    private static ulong DataSegment(uint start, uint limit) =>
        0x0040_F200_0000_0000 | ((ulong)(start >> 24) << 56) | ((ulong)(start & 0xFF_FFFF) << 16) | (limit & 0xFFFF) | ((ulong)(limit >> 16 & 0xF) << 48);

    private static uint KernelPage(GuestMemory memory, uint physical) => memory.ReadUInt32(GuestPlan.KernelTable + (physical >> Page.Shift) * 4);

    private static void SetKernelPage(GuestMemory memory, uint physical, uint entry) =>
        memory.WriteUInt32(GuestPlan.KernelTable + (physical >> Page.Shift) * 4, entry);
}
