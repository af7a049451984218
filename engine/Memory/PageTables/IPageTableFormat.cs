// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Paging;

namespace Lguest.Engine.Memory.PageTables;

/// <summary>
/// One format of page tables (abi.md §4.5): where its entries are, and how they are read. Formats differ in how many levels there are above
/// the tables, and in the size of an entry. What they have in common is that a table fills a page, and that every entry a guest may
/// have fits in 32 bits: so entries are handed out as a two-level table would have them, whatever the format. An entry that does not
/// fit comes out as one that no guest may have.
/// <para>Implemented by structures without fields, so that <see cref="PageWalker"/> is compiled for each format by itself.</para>
/// </summary>
internal unsafe interface IPageTableFormat
{
    /// <summary>log2 of the pages that one table maps.</summary>
    static abstract int TableShift { get; }

    /// <summary>Bytes of an entry, of any level.</summary>
    static abstract uint EntryBytes { get; }

    /// <summary>log2 of the pages that one entry of the top table stands for.</summary>
    static abstract int TopShift { get; }

    /// <summary>Guest physical address of the top table's first entry: some bits of what the guest gives for it do not count.</summary>
    static abstract uint TopAddress(uint top);

    /// <summary>Walks the levels above the table as a processor does, each entry loaded once and judged.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="top">Guest physical address of the top table.</param>
    /// <param name="linear">The address to translate.</param>
    /// <param name="reservedStart">The first linear address that is the host's.</param>
    /// <param name="tableEntry">If it ends well: the entry that names the table, which is in the guest's memory.</param>
    /// <param name="reason">If the guest must die: why.</param>
    static abstract WalkResult FindTable(GuestMemory memory, uint top, uint linear, uint reservedStart, out uint tableEntry, out string? reason);

    /// <summary>The entry that names a page's table, its rights those of all levels above; 0: there is none. Nothing is judged.</summary>
    static abstract uint TableEntry(GuestMemory memory, uint top, uint page);

    /// <summary>A page's entry in its table, loaded once.</summary>
    /// <param name="table">The table, or a copy.</param>
    /// <param name="page">Linear page number.</param>
    static abstract uint PageEntry(byte* table, uint page);

    /// <summary>Where in its table a page's entry is, in bytes. Its flags are in the first four.</summary>
    static abstract uint PlaceInTable(uint page);

    /// <summary>The entries that name tables, as far as they follow one another in memory.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="top">Guest physical address of the top table.</param>
    /// <param name="table">The first: linear page number divided by the pages of a table.</param>
    /// <param name="count">How many follow one another: at least 1.</param>
    /// <returns>The guest's memory itself; empty when there are none.</returns>
    static abstract ReadOnlySpan<byte> TableEntries(GuestMemory memory, uint top, uint table, out uint count);

    /// <summary>The tables below the top one in which some pages have entries.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="top">Guest physical address of the top table.</param>
    /// <param name="first">The first page.</param>
    /// <param name="last">The last one.</param>
    /// <param name="tables">Gets the guest physical address of a table for each present entry that names one, wherever it is.</param>
    static abstract void AddTables(GuestMemory memory, uint top, uint first, uint last, List<uint> tables);

    /// <summary>Every level's entry for an address, as it is.</summary>
    static abstract PageLookup Look(GuestMemory memory, uint top, uint linear);
}
