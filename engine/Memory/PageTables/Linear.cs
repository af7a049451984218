// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Paging;

namespace Lguest.Engine.Memory.PageTables;

/// <summary>
/// No page tables: how guests begin that make their own (abi.md §1.5). Each page of memory is mapped at its own address, for the kernel
/// to do with as it likes. There are no entries, so that none is ever marked or changed.
/// </summary>
internal readonly unsafe struct Linear : IPageTableFormat
{
    private const uint Rights = (uint)(PageFlags.Present | PageFlags.Writable);
    private const uint Used = (uint)(PageFlags.Accessed | PageFlags.Dirty);

    /// <inheritdoc/>
    public static int TableShift => TwoLevel.TableShift;

    /// <inheritdoc/>
    public static uint EntryBytes => sizeof(uint);

    /// <inheritdoc/>
    public static int TopShift => TwoLevel.TopShift;

    /// <summary>A place that is no memory of any guest's: there is no table.</summary>
    public static uint TopAddress(uint top) => uint.MaxValue & ~Page.OffsetMask;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WalkResult FindTable(GuestMemory memory, uint top, uint linear, uint reservedStart, out uint tableEntry, out string? reason)
    {
        tableEntry = Rights;
        reason = null;
        return WalkResult.Ok;
    }

    /// <inheritdoc/>
    public static uint TableEntry(GuestMemory memory, uint top, uint page) => Rights;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PageEntry(byte* table, uint page) => (page << Page.Shift) | Rights | Used;

    /// <inheritdoc/>
    public static uint PlaceInTable(uint page) => 0;

    /// <inheritdoc/>
    public static ReadOnlySpan<byte> TableEntries(GuestMemory memory, uint top, uint table, out uint count)
    {
        count = uint.MaxValue;
        return default;
    }

    /// <inheritdoc/>
    public static void AddTables(GuestMemory memory, uint top, uint first, uint last, List<uint> tables)
    {
    }

    /// <inheritdoc/>
    public static PageLookup Look(GuestMemory memory, uint top, uint linear) =>
        new(linear, default, new PageTableLevel(null, 0, 0, Rights), new PageTableLevel(null, 0, 0, memory.Contains(linear, 1) ? PageEntry(null, linear >> Page.Shift) : 0));
}
