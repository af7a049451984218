// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using Lguest.Engine.Memory;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Paging;

namespace Lguest.Tests.EngineParts;

/// <summary>PAE against its rules written down once more; and against two levels that map the same, for all that engines ask of either.</summary>
public sealed class PageFormatTests : IDisposable
{
    private const uint Pointers = 0x1020;
    private const uint Middle = 0x2000;
    private const uint Table = 0x3000;
    private const uint Bytes = 0x8_0000;
    private const uint Directory = 0x1_0000;
    private readonly MappedGuestMemory _memory = MappedGuestMemory.Create([new MemoryRange(0, Bytes), new MemoryRange(0x10_0000, 0x1000)]);

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void EveryPaeWalkEndsAsTheRulesSay()
    {
        Gen<ulong> flags = Gen.Frequency((3, Gen.Choose(0, 0xFFF)), (3, Gen.Choose(0, 0x7F)), (3, Gen.Elements(0x67, 7, 5, 3, 1))).Select(static value => (ulong)value);
        Gen<ulong> high = Gen.Frequency((9, Gen.Constant(0UL)), (1, Gen.Elements(1UL << 32, 1UL << 63, 0xFUL << 32)));
        Gen<ulong> frames = Gen.Elements(0UL, 0x4000UL, 0xF000UL, Bytes, 0x10_0000UL, 0x10_1000UL, 0xFFFF_F000UL);
        Gen<ulong> pointers = Entry(Gen.Frequency((5, Gen.Constant((ulong)Middle)), (1, frames)), Gen.Frequency((5, Gen.Constant(1UL)), (1, flags)));
        Gen<ulong> middles = Entry(Gen.Frequency((5, Gen.Constant((ulong)Table)), (1, frames)), flags);
        Gen<ulong> entries = Entry(frames, flags);
        Gen<uint> addresses = Gen.Elements(0u, 0x1234u, 0x4020_0000u, 0xC010_0FFFu, 0xFFBF_FFFFu, 0xFFC0_0000u, 0xFFFF_FFFFu);
        var cases =
            from pointer in pointers
            from middle in middles
            from entry in entries
            from linear in addresses
            from access in Gen.Choose(0, 3)
            select (pointer, middle, entry, linear, access);
        Prop.ForAll(cases.ToArbitrary(), one => Agrees(one.pointer, one.middle, one.entry, one.linear, (one.access & 1) != 0, (one.access & 2) != 0))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(20_000));

        Gen<ulong> Entry(Gen<ulong> places, Gen<ulong> how) =>
            from frame in places
            from flag in how
            from above in high
            select frame | flag | above;
    }

    [Theory]
    [InlineData(Bytes)]
    [InlineData(0xFFFF_F000u)]
    public void PointersThatAreNotTheGuestsKill(uint top)
    {
        Assert.Equal(WalkResult.Kill, Walker(PagingFormat.Pae).Walk(top, 0x4000_0000, write: false, user: false, out Translation found));
        Assert.Equal($"bad read address 0x{top + 8:x}", found.KillReason);
    }

    /// <summary>The same mappings, at random, in both formats: walks, rights, marks, what a debugger sees, which tables there are.</summary>
    [Fact]
    public void BothFormatsMapTheSame()
    {
        Random random = new(7);
        PageWalker two = Walker(PagingFormat.TwoLevel);
        PageWalker pae = Walker(PagingFormat.Pae);
        for (int round = 0; round < 200; round++)
        {
            Clear();
            Dictionary<uint, uint> mapped = [];
            uint nextTwo = Directory + Page.Size;
            uint nextPae = 0x4_0000;
            for (int i = 0; i < 24; i++)
            {
                // Close together, so that some share their tables; both formats' tables for 4 MiB get the same rights.
                uint linear = ((uint)random.Next(4) << 30) + ((uint)random.Next(3) << 22) + ((uint)random.Next(1024) << 12);
                if (linear >= two.ReservedStart)
                    continue;
                uint directoryFlags = (linear >> 22 & 3) switch { 0 => 7u, 1 => 5u, _ => 3u };
                uint entry = ((uint)random.Next((int)(Bytes >> 12)) << 12) | (uint)random.Next(0x80) & ~8u;
                mapped[linear] = entry;
                EnterTwoLevel(linear, directoryFlags, entry, ref nextTwo);
                EnterPae(linear, directoryFlags, entry, ref nextPae);
            }

            foreach ((uint linear, uint entry) in mapped.Concat([new(0x8000_0000, 0), new(0x0040_0000, 0)]))
            {
                uint page = linear >> 12;
                if (mapped.ContainsKey(linear))
                    Assert.Equal(Rights(two, Directory, page), Rights(pae, Pointers, page));
                Assert.Equal(Seen(two.Look(Directory, linear)), Seen(pae.Look(Pointers, linear)));
                foreach ((bool write, bool user) in (ReadOnlySpan<(bool, bool)>)[(false, false), (false, true), (true, false), (true, true)])
                {
                    WalkResult first = two.Walk(Directory, linear + 0x123, write, user, out Translation one);
                    WalkResult second = pae.Walk(Pointers, linear + 0x123, write, user, out Translation other);
                    Assert.Equal((first, one.ErrorCode, one.KillReason, one.Frame, one.Rights, one.Entry, one.Unmarked), (second, other.ErrorCode, other.KillReason, other.Frame, other.Rights, other.Entry, other.Unmarked));
                    if (first == WalkResult.Ok && other.Unmarked != 0)
                        Assert.Equal((uint)other.Entry, _memory.ReadUInt32(other.MarkedAt) & Page.OffsetMask);
                    Assert.Equal(Leaf(two, Directory, page), Leaf(pae, Pointers, page));
                }
            }
        }
    }

    /// <summary>What changes between two looks is said once, by table; and nothing else is.</summary>
    [Theory]
    [InlineData(PagingFormat.TwoLevel)]
    [InlineData(PagingFormat.Pae)]
    public void AChangeOfATablesEntryIsSaidOnce(PagingFormat format)
    {
        Clear();
        PageWalker walker = Walker(format);
        uint top = format == PagingFormat.Pae ? Pointers : Directory;
        uint nextTwo = Directory + Page.Size, nextPae = 0x4_0000;
        foreach (uint linear in (ReadOnlySpan<uint>)[0xC000_0000, 0xC0C0_0000, 0x1000])
        {
            EnterTwoLevel(linear, 7, 0x67, ref nextTwo);
            EnterPae(linear, 7, 0x67, ref nextPae);
        }

        uint first = 0xC000_0000u >> 12 >> walker.TableShift;
        TableEntries entries = new(walker, first, ((1u << 20) >> walker.TableShift) - first);
        List<uint> changed = [];
        entries.Remember(top);
        entries.Update(top, changed);
        Assert.Empty(changed);

        uint table = 0xC0C0_0000u >> 12 >> walker.TableShift;
        uint place = walker.Look(top, 0xC0C0_0000).Directory.Address;
        _memory.WriteUInt32(place, 0);
        entries.Update(top, changed);
        Assert.Equal([table], changed);
        changed.Clear();
        entries.Update(top, changed);
        Assert.Empty(changed);

        // Below where it was asked for, and in no table's entry.
        _memory.WriteUInt32(walker.Look(top, 0x1000).Directory.Address, 0);
        entries.Update(top, changed);
        Assert.Empty(changed);

        // A directory that is not there any more has nothing.
        if (format == PagingFormat.Pae)
            _memory.WriteUInt32(Pointers + 24, 0);
        entries.Update(format == PagingFormat.Pae ? top : 0xFFFF_F000, changed);
        Assert.Equal([first], changed);
    }

    [Fact]
    public void TablesAreFoundAtEveryLevel()
    {
        Clear();
        uint nextTwo = Directory + Page.Size, nextPae = 0x4_0000;
        foreach (uint linear in (ReadOnlySpan<uint>)[0xC000_0000, 0xC020_0000, 0x1000])
        {
            EnterTwoLevel(linear, 7, 0x67, ref nextTwo);
            EnterPae(linear, 7, 0x67, ref nextPae);
        }

        Assert.Equal([Directory + 0x1000, Directory + 0x2000], Found(PagingFormat.TwoLevel, Directory, 0));
        Assert.Equal([Directory + 0x1000], Found(PagingFormat.TwoLevel, Directory, 0xC_0000));

        // Two directories, of which one has two tables.
        Assert.Equal([0x4_0000u, 0x4_1000u, 0x4_2000u, 0x4_3000u, 0x4_4000u], Found(PagingFormat.Pae, Pointers, 0));
        Assert.Equal([0x4_0000u, 0x4_1000u, 0x4_2000u], Found(PagingFormat.Pae, Pointers, 0xC_0000));
        Assert.Equal([0x4_0000u, 0x4_2000u], Found(PagingFormat.Pae, Pointers, 0xC_0200));
        Assert.Equal(3, Walker(PagingFormat.Pae).Look(Pointers, 0xC020_0000).Levels.Count());

        uint[] Found(PagingFormat format, uint top, uint from)
        {
            List<uint> tables = [];
            Walker(format).AddTables(top, from, 0xF_FFFF, tables);
            return [.. tables.Order()];
        }
    }

    [Fact]
    public void AnEntryOfTheTopStandsForItsPages()
    {
        PageWalker two = Walker(PagingFormat.TwoLevel);
        PageWalker pae = Walker(PagingFormat.Pae);
        Assert.Equal((0xC_0000u, 0xC_03FFu), two.PagesOf(768));
        Assert.Equal((0xC_0000u, 0xF_FFFFu), pae.PagesOf(3));
        Assert.True(two.IsGuestsEntry(1022));
        Assert.False(two.IsGuestsEntry(1023));
        Assert.True(pae.IsGuestsEntry(3));
        Assert.False(pae.IsGuestsEntry(4));
        Assert.Equal(0x1020u, pae.TopAddress(0x1020));
    }

    /// <summary>abi.md §4.6.</summary>
    [Theory]
    [InlineData(0x134_B067u, true, PagingFormat.TwoLevel)]
    [InlineData(0x134_B063u, true, PagingFormat.TwoLevel)]
    [InlineData(0x131_C001u, true, PagingFormat.Pae)]
    [InlineData(0x131_C001u, false, PagingFormat.TwoLevel)]
    [InlineData(0u, true, PagingFormat.TwoLevel)]
    public void TheFirstWordSaysWhatTheTablesAre(uint word, bool mayBePae, PagingFormat expected)
    {
        _memory.WriteUInt32(Directory, word);
        PageWalker walker = new(_memory) { Rules = PagingRules.Linux2631 with { MayBePae = mayBePae } };
        Assert.Equal(expected, walker.FormatOf(Directory));
        Assert.Equal(PagingFormat.TwoLevel, walker.FormatOf(0xFFFF_F000));
    }

    [Fact]
    public void WithoutTablesAnAddressIsItsOwn()
    {
        PageWalker walker = Walker(PagingFormat.Linear);
        Assert.Equal(WalkResult.Ok, walker.Walk(0, 0x1_2345, write: true, user: false, out Translation found));
        Assert.Equal((0x1_2000u, 0u, PageFlags.Writable), (found.Frame, found.Unmarked, found.Rights));
        Assert.Equal(WalkResult.Fault, walker.Walk(0, 0x1_2345, write: false, user: true, out _));
        Assert.Equal(WalkResult.Kill, walker.Walk(0, Bytes, write: false, user: false, out found));
        Assert.Equal("bad page table entry", found.KillReason);
        Assert.Equal(0x1_2345u, walker.Look(0, 0x1_2345).Physical);
        Assert.Null(walker.Look(0, Bytes).Physical);
        Assert.Empty(walker.Look(0, 0x1_2345).Levels);
    }

    private PageWalker Walker(PagingFormat format) => new(_memory) { Format = format };

    private void Clear() => _memory.Write(0, Bytes).Clear();

    private static PageFlags Rights(PageWalker walker, uint top, uint page) =>
        (PageFlags)walker.TableEntry(top, page) & (PageFlags.Present | PageFlags.Writable | PageFlags.User);

    private static (uint?, PageFlags) Seen(in PageLookup found) => (found.Physical, found.Rights);

    /// <summary>A page's entry in place, which is the one of a copy of its table, too.</summary>
    private static uint Leaf(PageWalker walker, uint top, uint page)
    {
        uint tableEntry = walker.TableEntry(top, page);
        ReadOnlySpan<byte> table = walker.Table(tableEntry);
        if (table.IsEmpty)
            return 0;
        uint entry = walker.PageEntry(tableEntry, page);
        Assert.Equal(entry, walker.PageEntryIn(table.ToArray(), page));
        return entry;
    }

    private void EnterTwoLevel(uint linear, uint directoryFlags, uint entry, ref uint next)
    {
        uint at = Directory + ((linear >> 22) * 4);
        if (_memory.ReadUInt32(at) == 0)
        {
            _memory.WriteUInt32(at, next | directoryFlags);
            next += Page.Size;
        }

        _memory.WriteUInt32((_memory.ReadUInt32(at) & ~0xFFFu) + ((linear >> 12 & 0x3FF) * 4), entry);
    }

    private void EnterPae(uint linear, uint directoryFlags, uint entry, ref uint next)
    {
        uint directory = Below(Pointers + ((linear >> 30) * 8), 1, ref next);
        uint table = Below(directory + ((linear >> 21 & 0x1FF) * 8), directoryFlags, ref next);
        _memory.WriteValue<ulong>(table + ((linear >> 12 & 0x1FF) * 8), entry);
    }

    private uint Below(uint at, uint flags, ref uint next)
    {
        if (_memory.ReadUInt32(at) == 0)
        {
            _memory.WriteValue<ulong>(at, next | flags);
            next += Page.Size;
        }

        return _memory.ReadUInt32(at) & ~0xFFFu;
    }

    private bool Agrees(ulong pointer, ulong middle, ulong entry, uint linear, bool write, bool user)
    {
        uint place = Table + ((linear >> 12 & 0x1FF) * 8);
        _memory.WriteValue(Pointers + ((linear >> 30) * 8), pointer);
        _memory.WriteValue(Middle + ((linear >> 21 & 0x1FF) * 8), middle);
        _memory.WriteValue(place, entry);
        WalkResult result = Walker(PagingFormat.Pae).Walk(Pointers, linear, write, user, out Translation found);
        ulong after = MemoryMarshal.Read<ulong>(_memory.Read(place, 8));
        (WalkResult expected, uint error, string? reason) = Expect(pointer, middle, entry, linear, write, user);
        bool agrees = result == expected && found.ErrorCode == error && found.KillReason == reason
            && after == (expected == WalkResult.Ok ? entry | 0x20 | (write ? 0x40u : 0) : entry)
            && (expected != WalkResult.Ok || (found.Frame == (entry & ~0xFFFUL) && (uint)found.Entry == (after & 0xFFF)));

        // Elsewhere everything is zero.
        _memory.Write(Middle, Page.Size).Clear();
        _memory.Write(Table, Page.Size).Clear();
        return agrees;
    }

    /// <summary>What must come out. Directories and tables elsewhere than ours are zeros.</summary>
    private static (WalkResult Result, uint Error, string? Reason) Expect(ulong pointer, ulong middle, ulong entry, uint linear, bool write, bool user)
    {
        uint access = (write ? 2u : 0) | (user ? 4u : 0);
        if ((pointer & 1) == 0)
            return (WalkResult.Fault, access, null);
        if ((pointer & 0xFFE) != 0 || !Owned(pointer))
            return (WalkResult.Kill, 0, "bad page directory entry");
        if ((pointer & ~0xFFFUL) != Middle || (middle & 1) == 0)
            return (WalkResult.Fault, access, null);
        if (linear >= 0xFFC0_0000)
            return (WalkResult.Kill, 0, "attempt to access switcher pages");
        if ((middle & 0xF98) != 0 || !Owned(middle))
            return (WalkResult.Kill, 0, "bad page middle directory entry");
        if ((middle & ~0xFFFUL) != Table || (entry & 1) == 0)
            return (WalkResult.Fault, access, null);
        ulong rights = middle & entry;
        if ((write && (rights & 2) == 0) || (user && (rights & 4) == 0))
            return (WalkResult.Fault, access | 1, null);
        if ((entry & 0x88) != 0 || !Owned(entry))
            return (WalkResult.Kill, 0, "bad page table entry");
        return (WalkResult.Ok, 0, null);
    }

    private static bool Owned(ulong entry) => (entry & ~0xFFFUL) is < Bytes or 0x10_0000;
}
