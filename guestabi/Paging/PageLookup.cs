// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Paging;

/// <summary>What one level of page tables has for an address.</summary>
/// <param name="Name">What the level's entries are called; null: there is no such level.</param>
/// <param name="Index">Which entry of its table.</param>
/// <param name="Address">Guest physical address of the entry.</param>
/// <param name="Entry">The entry; null when it is not in the guest's memory.</param>
public readonly record struct PageTableLevel(string? Name, uint Index, uint Address, ulong? Entry)
{
    /// <summary>Whether the entry is there and present.</summary>
    public bool IsPresent => Entry is { } entry && (entry & (uint)PageFlags.Present) != 0;
}

/// <summary>All levels of a walk through the guest's page tables, as they are: nothing is marked as used by looking.</summary>
/// <param name="Linear">The address looked up.</param>
/// <param name="Pointer">The level above the directories, where a format has one.</param>
/// <param name="Directory">The level that names tables.</param>
/// <param name="Table">The level that names pages; without a name when no table is named.</param>
public readonly record struct PageLookup(uint Linear, PageTableLevel Pointer, PageTableLevel Directory, PageTableLevel Table)
{
    /// <summary>The levels that there are, the top first.</summary>
    public IEnumerable<PageTableLevel> Levels => ((PageTableLevel[])[Pointer, Directory, Table]).Where(static level => level.Name is not null);

    /// <summary>Whether there is a table, which may have an entry for the address.</summary>
    public bool HasTable => Table.Entry is not null;

    /// <summary>Whether the entries of all levels are present, and lead to an address that a guest can have.</summary>
    public bool IsMapped => Table.IsPresent && Table.Entry <= uint.MaxValue;

    /// <summary>Guest physical address, or null when nothing is mapped there.</summary>
    public uint? Physical => IsMapped ? ((uint)Table.Entry!.Value & ~Page.OffsetMask) | (Linear & Page.OffsetMask) : null;

    /// <summary>Rights that all levels grant: Writable, User.</summary>
    public PageFlags Rights => IsMapped
        ? (PageFlags)(Directory.Entry!.Value & Table.Entry!.Value) & (PageFlags.Writable | PageFlags.User)
        : PageFlags.None;
}
