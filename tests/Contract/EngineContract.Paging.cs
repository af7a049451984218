// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>The guest's page tables: what the host marks in them, what it does not forgive, and when a change is in force.</summary>
public abstract partial class EngineContract
{
    private const uint Window = 0x1000_0000;

    /// <summary>Hangs the spare table in at <see cref="Window"/>, its first entry the one given.</summary>
    private static void Map(GuestMemory memory, uint entry, uint directoryFlags = (uint)PageFlags.Linear)
    {
        memory.WriteUInt32(GuestPlan.Directory + (Window >> 22) * 4, GuestPlan.SpareTable | directoryFlags);
        memory.WriteUInt32(GuestPlan.SpareTable, entry);
    }

    private static uint Entry(TinyGuest guest) => guest.Memory.ReadUInt32(GuestPlan.SpareTable);

    [Fact]
    public void UseIsMarkedAndWritingToo()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Report(1);
                g.Asm.mov(eax, __[Window]);
                g.Report(2);
                g.Asm.mov(__dword_ptr[Window], 7);
                g.Report(3);
            },
            prepare: memory => Map(memory, GuestPlan.Scratch | (uint)PageFlags.Linear));
        guest.Next();
        Assert.Equal((uint)PageFlags.Linear, Entry(guest) & 0xFFF);
        guest.Next();
        Assert.Equal((uint)(PageFlags.Linear | PageFlags.Accessed), Entry(guest) & 0xFFF);
        guest.Next();
        Assert.Equal(GuestPlan.Mapped, Entry(guest) & 0xFFF);
        Assert.Equal(7u, guest.Memory.ReadUInt32(GuestPlan.Scratch));
    }

    [Fact]
    public void AFaultMarksNothing()
    {
        using TinyGuest guest = Start(
            g => PageFaulting(g, Window, write: true, user: false),
            prepare: memory => Map(memory, GuestPlan.Scratch | (uint)PageFlags.Present));
        guest.NextTrap(14);
        Assert.Equal((uint)PageFlags.Present, Entry(guest) & 0xFFF);
    }

    [Theory]
    [InlineData((uint)(PageFlags.Linear | PageFlags.WriteThrough), 0u)]
    [InlineData((uint)(PageFlags.Linear | PageFlags.PageSizeOrPat), 0u)]
    [InlineData((uint)PageFlags.Linear, GuestPlan.MemoryBytes)]
    [InlineData((uint)PageFlags.Linear, 0xFFFF_F000u)]
    public void BadPageTableEntriesKill(uint flags, uint frame)
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.mov(eax, __[Window]);
            },
            prepare: memory => Map(memory, frame | flags));
        Assert.Equal("bad page table entry", guest.Death());
    }

    [Fact]
    public void NoFrameBeyondTheLimitOfInitialize()
    {
        const uint limit = GuestPlan.MemoryBytes - Page.Size;
        using TinyGuest guest = new(
            kind,
            g =>
            {
                g.Boot();
                g.Asm.mov(eax, __[Window]);
            },
            clock: new StillClock(),
            prepare: memory => Map(memory, limit | (uint)PageFlags.Linear),
            pfnLimit: limit >> Page.Shift);
        Assert.Equal("bad page table entry", guest.Death());
    }

    [Theory]
    [InlineData((uint)PageFlags.CacheDisable)]
    [InlineData((uint)PageFlags.Global)]
    [InlineData(0xE00u)]
    public void OtherFlagsAreTheGuestsOwn(uint flags)
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.mov(esi, __[Window]);
                g.Report(esi);
            },
            prepare: memory =>
            {
                Map(memory, GuestPlan.Scratch | (uint)PageFlags.Linear | flags);
                memory.WriteUInt32(GuestPlan.Scratch, 0x1234);
            });
        Assert.Equal(0x1234u, guest.Next());
        Assert.Equal(flags, Entry(guest) & flags);
    }

    [Theory]
    [InlineData((uint)(PageFlags.Linear | PageFlags.WriteThrough), GuestPlan.SpareTable)]
    [InlineData((uint)(PageFlags.Linear | PageFlags.PageSizeOrPat), GuestPlan.SpareTable)]
    [InlineData((uint)(PageFlags.Linear | PageFlags.Global), GuestPlan.SpareTable)]
    [InlineData((uint)PageFlags.Linear, GuestPlan.MemoryBytes)]
    [InlineData((uint)PageFlags.Linear, 0xFFFF_F000u)]
    public void BadPageDirectoryEntriesKill(uint flags, uint table)
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.mov(eax, __[Window]);
            },
            prepare: memory => memory.WriteUInt32(GuestPlan.Directory + (Window >> 22) * 4, table | flags));
        Assert.Equal("bad page directory entry", guest.Death());
    }

    [Fact]
    public void ADirectoryBeyondMemoryKills()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.NewPageTable, GuestPlan.MemoryBytes);
            g.Asm.mov(eax, __[Window]);
        });
        Assert.Equal("bad read address 0x200c00", guest.Death());
    }

    [Fact]
    public void TheSwitchersPagesAreOutOfReach()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.mov(eax, __[0xFFC0_1000]);
            },
            prepare: memory => memory.WriteUInt32(GuestPlan.Directory + (1023 * 4), GuestPlan.SpareTable | (uint)PageFlags.Linear));
        Assert.Equal("attempt to access switcher pages", guest.Death());
    }

    [Theory]
    [InlineData(HypercallKind.SetPte)]
    [InlineData(HypercallKind.SetPmd)]
    [InlineData(HypercallKind.FlushTlb)]
    [InlineData(HypercallKind.NewPageTable)]
    public void AChangedEntryIsInForceOnceTheHostWasTold(HypercallKind kind)
    {
        const uint other = GuestPlan.Scratch + Page.Size;
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.mov(esi, __[Window]);
                g.Report(esi);
                g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.SpareTable)], other | GuestPlan.Mapped);
                Tell(g, kind, other | GuestPlan.Mapped);
                g.Asm.mov(esi, __[Window]);
                g.Report(esi);
                g.Asm.mov(__dword_ptr[Window], 3);
                g.Report(0);
            },
            prepare: memory =>
            {
                Map(memory, GuestPlan.Scratch | GuestPlan.Mapped);
                memory.WriteUInt32(GuestPlan.Scratch, 1);
                memory.WriteUInt32(other, 2);
            });
        Assert.Equal(1u, guest.Next());
        Assert.Equal(2u, guest.Next());
        guest.Next();
        Assert.Equal(3u, guest.Memory.ReadUInt32(other));
        Assert.Equal(1u, guest.Memory.ReadUInt32(GuestPlan.Scratch));
    }

    [Theory]
    [InlineData(HypercallKind.SetPte)]
    [InlineData(HypercallKind.SetPmd)]
    [InlineData(HypercallKind.FlushTlb)]
    public void AnEntryTakenAwayFaultsOnceTheHostWasTold(HypercallKind kind)
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Gate(14, "trap14");
                g.Asm.mov(__dword_ptr[Window], 1);
                g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.SpareTable)], 0);
                Tell(g, kind, 0);
                g.Asm.mov(eax, __[Window]);
                g.Trap(14, hasError: true);
            },
            prepare: memory => Map(memory, GuestPlan.Scratch | GuestPlan.Mapped));
        Assert.Equal(0u, guest.NextTrap(14).Error);
        Assert.Equal(Window, guest.Data.Cr2);
    }

    [Fact]
    public void APageMadeReadOnlyFaultsOnceTheHostWasTold()
    {
        const uint readOnly = GuestPlan.Scratch | (uint)(PageFlags.Present | PageFlags.User | PageFlags.Accessed | PageFlags.Dirty);
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Gate(14, "trap14");
                g.Asm.mov(__dword_ptr[Window], 1);
                g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.SpareTable)], readOnly);
                Tell(g, HypercallKind.SetPte, readOnly);
                g.Asm.mov(__dword_ptr[Window], 2);
                g.Trap(14, hasError: true);
            },
            prepare: memory => Map(memory, GuestPlan.Scratch | GuestPlan.Mapped));
        Assert.Equal(3u, guest.NextTrap(14).Error);
        Assert.Equal(1u, guest.Memory.ReadUInt32(GuestPlan.Scratch));
    }

    [Fact]
    public void AddressSpacesAreKeptApart()
    {
        const uint second = GuestPlan.Scratch + Page.Size;
        const uint secondTable = GuestPlan.Scratch + (2 * Page.Size);
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                for (int i = 0; i < 2; i++)
                {
                    g.Asm.mov(esi, __[Window]);
                    g.Report(esi);
                    g.Call(HypercallKind.NewPageTable, GuestPlan.SecondDirectory);
                    g.Asm.mov(esi, __[Window]);
                    g.Report(esi);
                    g.Asm.inc(__dword_ptr[Window]);
                    g.Call(HypercallKind.NewPageTable, GuestPlan.Directory);
                }
            },
            prepare: memory =>
            {
                Map(memory, GuestPlan.Scratch | GuestPlan.Mapped);
                memory.WriteUInt32(GuestPlan.SecondDirectory + (GuestPlan.PageOffset >> 22) * 4, GuestPlan.KernelTable | (uint)PageFlags.Linear);
                memory.WriteUInt32(GuestPlan.SecondDirectory + (Window >> 22) * 4, secondTable | (uint)PageFlags.Linear);
                memory.WriteUInt32(secondTable, second | GuestPlan.Mapped);
                memory.WriteUInt32(GuestPlan.Scratch, 10);
                memory.WriteUInt32(second, 20);
            });
        Assert.Equal([10u, 20u, 10u, 21u], [guest.Next(), guest.Next(), guest.Next(), guest.Next()]);
    }

    [Theory]
    [InlineData((uint)(PageFlags.Linear | PageFlags.Accessed | PageFlags.PageSizeOrPat), 0u)]
    [InlineData((uint)(PageFlags.Linear | PageFlags.Dirty | PageFlags.WriteThrough), 0u)]
    [InlineData((uint)(PageFlags.Linear | PageFlags.Accessed), GuestPlan.MemoryBytes)]
    public void TellingOfABadEntryKills(uint flags, uint frame)
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.mov(eax, __[Window]);
                g.Call(HypercallKind.SetPte, GuestPlan.Directory, Window, frame | flags);
            },
            prepare: memory => Map(memory, GuestPlan.Scratch | GuestPlan.Mapped));
        Assert.Equal("bad page table entry", guest.Death());
    }

    [Fact]
    public void TellingOfTheSwitchersPagesKills()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.SetPte, GuestPlan.Directory, 0xFFC0_0000, 0x67);
        });
        Assert.Equal("attempt to access switcher pages", guest.Death());
    }

    [Fact]
    public void TellingOfTheSwitchersDirectoryEntryIsIgnored()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Call(HypercallKind.SetPmd, GuestPlan.Directory, 1023);
            g.Report(4);
        });
        Assert.Equal(4u, guest.Next());
    }

    [Fact]
    public void CodeIsSeenAsItIsWrittenThroughAnyMapping()
    {
        // Ring 1 patches an immediate it has just executed, through the linear mapping and through another one.
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.xor(edi, edi);
                g.Mark("again");
                g.Mark("patched");
                g.Asm.mov(esi, 0x1111);
                g.Report(esi);
                g.Asm.inc(edi);
                g.Asm.cmp(edi, 2);
                g.Asm.je(g.Here("alias"));
                g.Asm.mov(__dword_ptr[g.Address("patched") + 1], 0x2222);
                g.Asm.jmp(g.Here("again"));
                g.Mark("alias");
                g.Asm.mov(eax, (g.Address("patched") & 0xFFF) + 1 + Window);
                g.Asm.mov(__dword_ptr[eax], 0x3333);
                g.Asm.jmp(g.Here("again"));
            },
            prepare: memory => Map(memory, GuestPlan.Code | GuestPlan.Mapped));
        Assert.Equal(0x1111u, guest.Next());
        Assert.Equal(0x2222u, guest.Next());
        Assert.Equal(0x3333u, guest.Next());
    }

    [Fact]
    public void CodeIsSeenAsTheHostWritesIt()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Mark("again");
            g.Mark("patched");
            g.Asm.mov(esi, 1);
            g.Report(esi);
            g.Asm.jmp(g.Here("again"));
        });
        uint immediate = guest.Address("patched") + 1 - GuestPlan.PageOffset;
        Assert.Equal(1u, guest.Next());
        for (uint i = 2; i < 100; i++)
        {
            guest.Memory.WriteUInt32(immediate, i);
            Assert.Equal(i, guest.Next());
        }
    }

    [Fact]
    public void CodeThatCrossesIntoAnotherFrameIsThatFrames()
    {
        // mov esi, imm32 in the last byte of a page: its immediate is in whatever frame the next page is mapped to.
        const uint first = GuestPlan.Scratch;
        const uint second = GuestPlan.Scratch + (4 * Page.Size);
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                for (uint i = 0; i < 4; i++)
                {
                    g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.SpareTable) + 4], (second + ((i & 1) * Page.Size)) | GuestPlan.Mapped);
                    g.Call(HypercallKind.FlushTlb, 1);
                    g.Asm.mov(eax, Window + 0xFF0);
                    g.Asm.call(eax);
                    g.Report(esi);
                }
            },
            prepare: memory =>
            {
                Map(memory, first | GuestPlan.Mapped);

                // A branch within the page leads to the instruction that leaves it.
                byte[] branch = [0xEB, 0x0D];
                branch.CopyTo(memory.Write(first + 0xFF0, 2));
                memory.Write(first + 0xFFF, 1)[0] = 0xBE;
                for (uint i = 0; i < 2; i++)
                {
                    byte[] rest = [(byte)(0x70 + i), 0, 0, 0, 0xC3];
                    rest.CopyTo(memory.Write(second + (i * Page.Size), 5));
                }
            });
        Assert.Equal([0x70u, 0x71u, 0x70u, 0x71u], [guest.Next(), guest.Next(), guest.Next(), guest.Next()]);
    }

    private static void Tell(GuestProgram g, HypercallKind kind, uint entry)
    {
        switch (kind)
        {
            case HypercallKind.SetPte:
                g.Call(kind, GuestPlan.Directory, Window, entry);
                break;
            case HypercallKind.SetPmd:
                g.Call(kind, GuestPlan.Directory, Window >> 22);
                break;
            case HypercallKind.NewPageTable:
                // Away and back, and what was cached for the user's part is to be looked up again.
                g.Call(HypercallKind.FlushTlb, 0);
                g.Call(kind, GuestPlan.Directory);
                break;
            default:
                g.Call(kind, 0);
                break;
        }
    }
}
