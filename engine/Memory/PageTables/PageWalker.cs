// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using Lguest.GuestAbi.Paging;

namespace Lguest.Engine.Memory.PageTables;

/// <summary>
/// The guest's page tables, for engines: the only place that knows how they are made. It walks them (abi.md §4.5) the way the genuine
/// host's demand_page does: 4 KiB pages only, the Accessed bit set on use and Dirty on write in the guest's own entry, and no mercy for
/// an entry that reaches beyond the guest's memory. Rights are the processor's: WP is set, so that the kernel cannot write read-only
/// pages either. And it says what is in the tables, without judging or marking anything, to those that keep what walks have found.
/// <para>Pages and tables are named by number: a linear address divided by what one of them spans.</para>
/// </summary>
internal sealed unsafe class PageWalker
{
    /// <summary>Error code bits of a page fault (Intel SDM vol. 3, 4.7).</summary>
    public const uint ErrorPresent = 1;

    /// <summary>The access was a write.</summary>
    public const uint ErrorWrite = 2;

    /// <summary>It came from ring 3.</summary>
    public const uint ErrorUser = 4;

    /// <summary>What kills who touches it.</summary>
    public const string ReservedPages = "attempt to access switcher pages";

    private readonly GuestMemory _memory;
    private uint _forbidden;

    /// <summary>Looks into a guest's memory.</summary>
    /// <param name="memory">The guest's memory.</param>
    public PageWalker(GuestMemory memory)
    {
        _memory = memory;
        Rules = PagingRules.Linux2623;
    }

    /// <summary>What the guest may have in its tables.</summary>
    public PagingRules Rules
    {
        get;
        set
        {
            field = value;
            ReservedStart = value.ReservedStart;
            _forbidden = (uint)value.ForbiddenFlags;
        }
    }

    /// <summary>Who has addresses that are no memory; null: nobody.</summary>
    public IDeviceSpace? Devices { get; set; }

    /// <summary>How the guest's tables are made now.</summary>
    public PagingFormat Format { get; set; }

    /// <summary>From here on the address space is the host's switcher's.</summary>
    public uint ReservedStart { get; private set; }

    /// <summary>Whether a page's entry, or the page that it names, is not to be had by any guest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsForbidden(uint entry) => (entry & _forbidden) != 0 || !_memory.Contains(entry & ~Page.OffsetMask, Page.Size);

    /// <summary>Whether a guest dies of using a page's entry.</summary>
    public bool IsDeadly(uint entry) => IsForbidden(entry) && !IsDevice(entry);

    /// <summary>Pages that one table maps.</summary>
    public uint PagesPerTable => 1u << TableShift;

    /// <summary>log2 of that.</summary>
    public int TableShift => Format switch
    {
        PagingFormat.TwoLevel => TwoLevel.TableShift,
        PagingFormat.Pae => Pae.TableShift,
        _ => Linear.TableShift,
    };

    /// <summary>Bytes of an entry.</summary>
    public uint EntryBytes => Format switch
    {
        PagingFormat.TwoLevel => TwoLevel.EntryBytes,
        PagingFormat.Pae => Pae.EntryBytes,
        _ => Linear.EntryBytes,
    };

    /// <summary>Why who walks to an address outside of the guest's memory dies.</summary>
    public static string BadAddress(uint address) => $"bad read address 0x{address:x}";

    /// <summary>Walks.</summary>
    /// <param name="top">Guest physical address of the page directory.</param>
    /// <param name="linear">The address to translate.</param>
    /// <param name="write">A write is wanted.</param>
    /// <param name="user">From ring 3.</param>
    /// <param name="translation">What was found.</param>
    public WalkResult Walk(uint top, uint linear, bool write, bool user, out Translation translation) =>
        Format switch
        {
            PagingFormat.TwoLevel => Walk<TwoLevel>(top, linear, write, user, out translation),
            PagingFormat.Pae => Walk<Pae>(top, linear, write, user, out translation),
            _ => Walk<Linear>(top, linear, write, user, out translation),
        };

    /// <summary>The entry that names a page's table, with the rights of all levels above the table; 0: there is none.</summary>
    public uint TableEntry(uint top, uint page) => Format switch
    {
        PagingFormat.TwoLevel => TwoLevel.TableEntry(_memory, top, page),
        PagingFormat.Pae => Pae.TableEntry(_memory, top, page),
        _ => Linear.TableEntry(_memory, top, page),
    };

    /// <summary>The table that an entry names, in the guest's memory; empty when there is none.</summary>
    public ReadOnlySpan<byte> Table(uint tableEntry)
    {
        uint table = tableEntry & ~Page.OffsetMask;
        return (tableEntry & (uint)PageFlags.Present) != 0 && _memory.Contains(table, Page.Size) ? new(_memory.Base + table, (int)Page.Size) : default;
    }

    /// <summary>A page's entry in a copy of its table.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint PageEntryIn(ReadOnlySpan<byte> table, uint page)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual((uint)table.Length, Page.Size);
        fixed (byte* entries = table)
            return PageEntry(entries, page);
    }

    /// <summary>A page's entry, loaded once.</summary>
    /// <param name="tableEntry">The entry that a walk has found to name a table of the guest's, and not what is there now.</param>
    /// <param name="page">The page.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint PageEntry(uint tableEntry, uint page) => PageEntry(_memory.Base + (tableEntry & ~Page.OffsetMask), page);

    /// <summary>The pages that an entry of the top table stands for: the first and the last.</summary>
    /// <param name="index">Which entry.</param>
    public (uint First, uint Last) PagesOf(uint index) => (index << TopShift, (index << TopShift) + (1u << TopShift) - 1);

    /// <summary>Whether tables have a level between the top and those that name pages, whose directories several top tables may share.</summary>
    /// <param name="index">An entry of a directory there.</param>
    public bool HasMiddleEntry(uint index) => Format == PagingFormat.Pae && index < Pae.Entries;

    /// <summary>Whether an entry of a top table names a directory of the middle level.</summary>
    /// <param name="top">Guest physical address of the top table.</param>
    /// <param name="index">Which entry.</param>
    /// <param name="directory">Guest physical address of the directory's page.</param>
    public bool Names(uint top, uint index, uint directory) => Format == PagingFormat.Pae && Pae.Names(_memory, top, index, directory);

    /// <summary>Whether a top table has such an entry, and it is not all for addresses of the host's.</summary>
    /// <param name="index">Which entry.</param>
    public bool IsGuestsEntry(uint index) => index <= TopIndex(uint.MaxValue) && PagesOf(index).First < ReservedStart >> Page.Shift;

    /// <summary>The format of tables that a guest has made by itself, which may be either (abi.md §4.6).</summary>
    /// <param name="top">Guest physical address of the first that it wants to use.</param>
    public PagingFormat FormatOf(uint top)
    {
        const uint mask = (uint)(PageFlags.Present | PageFlags.Writable);
        uint at = top & ~Page.OffsetMask;
        return Rules.MayBePae && _memory.Contains(at, sizeof(uint)) && (Volatile.Read(ref *(uint*)(_memory.Base + at)) & mask) == (uint)PageFlags.Present
            ? PagingFormat.Pae
            : PagingFormat.TwoLevel;
    }

    /// <summary>Which entry of the top table stands for an address.</summary>
    public uint TopIndex(uint linear) => linear >> (Page.Shift + TopShift);

    /// <summary>Guest physical address of the top table.</summary>
    public uint TopAddress(uint top) => Format switch
    {
        PagingFormat.TwoLevel => TwoLevel.TopAddress(top),
        PagingFormat.Pae => Pae.TopAddress(top),
        _ => Linear.TopAddress(top),
    };

    /// <summary>The entries that name tables, as far as they follow one another in memory.</summary>
    /// <param name="top">Guest physical address of the page directory.</param>
    /// <param name="table">The first table.</param>
    /// <param name="count">How many follow one another: at least 1.</param>
    /// <returns>The guest's memory itself; empty when there are none.</returns>
    public ReadOnlySpan<byte> TableEntries(uint top, uint table, out uint count)
    {
        switch (Format)
        {
            case PagingFormat.TwoLevel:
                return TwoLevel.TableEntries(_memory, top, table, out count);
            case PagingFormat.Pae:
                return Pae.TableEntries(_memory, top, table, out count);
            default:
                return Linear.TableEntries(_memory, top, table, out count);
        }
    }

    /// <summary>The tables below the top one in which some pages have entries.</summary>
    /// <param name="top">Guest physical address of the page directory.</param>
    /// <param name="first">The first page.</param>
    /// <param name="last">The last one.</param>
    /// <param name="tables">Gets the guest physical address of a table for each present entry that names one, wherever it is.</param>
    public void AddTables(uint top, uint first, uint last, List<uint> tables)
    {
        switch (Format)
        {
            case PagingFormat.TwoLevel:
                TwoLevel.AddTables(_memory, top, first, last, tables);
                break;
            case PagingFormat.Pae:
                Pae.AddTables(_memory, top, first, last, tables);
                break;
        }
    }

    /// <summary>Every level's entry for an address, as it is.</summary>
    public PageLookup Look(uint top, uint linear) => Format switch
    {
        PagingFormat.TwoLevel => TwoLevel.Look(_memory, top, linear),
        PagingFormat.Pae => Pae.Look(_memory, top, linear),
        _ => Linear.Look(_memory, top, linear),
    };

    private int TopShift => Format switch
    {
        PagingFormat.TwoLevel => TwoLevel.TopShift,
        PagingFormat.Pae => Pae.TopShift,
        _ => Linear.TopShift,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint PageEntry(byte* table, uint page) => Format switch
    {
        PagingFormat.TwoLevel => TwoLevel.PageEntry(table, page),
        PagingFormat.Pae => Pae.PageEntry(table, page),
        _ => Linear.PageEntry(table, page),
    };

    // [I:190+32] Walking the guest's page tables
    // The slow way: level by level, as the processor would go. The upper bits of the address choose an entry of the directory, which
    // names a table; the next ones an entry there, which names the page. Each entry is loaded once, judged, and used from the register
    // that it was loaded to. Where a processor would fault, the guest gets its page fault; where an entry names memory that is not
    // the guest's, it dies. What the walk finds is marked as used and written in the guest's own entry, for its kernel decides by that
    // what to swap out.
    private WalkResult Walk<TFormat>(uint top, uint linear, bool write, bool user, out Translation translation)
        where TFormat : struct, IPageTableFormat
    {
        translation = default;
        uint access = (write ? ErrorWrite : 0) | (user ? ErrorUser : 0);
        WalkResult above = TFormat.FindTable(_memory, top, linear, ReservedStart, out uint tableEntry, out string? reason);
        if (above != WalkResult.Ok)
        {
            return reason is null || (Rules.FaultsInReserved && ReferenceEquals(reason, ReservedPages))
                ? Fault(ref translation, access)
                : Kill(ref translation, reason);
        }

        uint page = linear >> Page.Shift;
        byte* table = _memory.Base + (tableEntry & ~Page.OffsetMask);
        uint entry = TFormat.PageEntry(table, page); // Read once
        if ((entry & (uint)PageFlags.Present) == 0)
            return Fault(ref translation, access);
        uint rights = entry & tableEntry & (uint)(PageFlags.Writable | PageFlags.User);
        if ((write && (rights & (uint)PageFlags.Writable) == 0) || (user && (rights & (uint)PageFlags.User) == 0))
            return Fault(ref translation, access | ErrorPresent);
        uint frame = entry & ~Page.OffsetMask;
        bool isDevice = false;
        if (IsForbidden(entry))
        {
            isDevice = IsDevice(entry);
            if (!isDevice)
                return Kill(ref translation, "bad page table entry");
        }

        uint marked = entry | (uint)PageFlags.Accessed | (write ? (uint)PageFlags.Dirty : 0);
        if (marked != entry)
        {
            uint* place = (uint*)(table + TFormat.PlaceInTable(page));
            *place = marked;
            translation.Unmarked = entry;
            translation.MarkedAt = (uint)((byte*)place - _memory.Base);
        }

        translation.TableEntry = tableEntry;
        translation.Frame = frame;
        translation.Rights = (PageFlags)rights;
        translation.Entry = (PageFlags)(marked & Page.OffsetMask);
        return isDevice ? WalkResult.Device : WalkResult.Ok;
    }

    /// <summary>Whether a page's entry names a page of a device. Devices are above all memory: tables that engines have of it end there.</summary>
    private bool IsDevice(uint entry) =>
        Rules.HasDevices && (entry & _forbidden) == 0 && entry >= _memory.Top && Devices is { } devices && devices.HasAddress(entry & ~Page.OffsetMask);

    private static WalkResult Fault(ref Translation translation, uint errorCode)
    {
        translation.ErrorCode = errorCode;
        return WalkResult.Fault;
    }

    private static WalkResult Kill(ref Translation translation, string reason)
    {
        translation.KillReason = reason;
        return WalkResult.Kill;
    }
}
