// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Paging;

namespace Lguest.Engine.Memory.PageTables;

/// <summary>
/// The i386's own format: a page directory of 1,024 entries, each of which names a table of 1,024 entries, four bytes each
/// (Intel SDM vol. 3, 4.3). The address's upper ten bits choose the one, the next ten the other.
/// </summary>
internal readonly unsafe struct TwoLevel : IPageTableFormat
{
    private const int IndexBits = 10;
    private const int DirectoryShift = Page.Shift + IndexBits;
    private const uint Entries = 1 << IndexBits;
    private const uint IndexMask = Entries - 1;
    private const uint Bytes = sizeof(uint);

    /// <summary>Bytes that one table maps.</summary>
    public const uint TableSpan = Page.Size * Entries;

    /// <inheritdoc/>
    public static int TableShift => IndexBits;

    /// <inheritdoc/>
    public static uint EntryBytes => Bytes;

    /// <inheritdoc/>
    public static int TopShift => IndexBits;

    /// <inheritdoc/>
    public static uint TopAddress(uint top) => top & ~Page.OffsetMask;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WalkResult FindTable(GuestMemory memory, uint top, uint linear, uint reservedStart, out uint tableEntry, out string? reason)
    {
        tableEntry = 0;
        reason = null;
        uint at = EntryAddress(top, linear >> Page.Shift);
        if (!memory.Contains(at, Bytes))
        {
            reason = PageWalker.BadAddress(at);
            return WalkResult.Kill;
        }

        uint entry = Volatile.Read(ref *(uint*)(memory.Base + at)); // Read once: what is judged here is what is used
        if ((entry & (uint)PageFlags.Present) == 0)
            return WalkResult.Fault;
        if (linear >= reservedStart)
            reason = PageWalker.ReservedPages;
        else if ((entry & Page.OffsetMask & ~(uint)PageFlags.DirectoryAllowed) != 0 || !memory.Contains(entry & ~Page.OffsetMask, Page.Size))
            reason = "bad page directory entry";
        tableEntry = entry;
        return reason is null ? WalkResult.Ok : WalkResult.Kill;
    }

    /// <inheritdoc/>
    public static uint TableEntry(GuestMemory memory, uint top, uint page)
    {
        // The directory is what NEW_PGTABLE said: nobody has looked yet whether it is the guest's at all.
        uint at = EntryAddress(top, page);
        return memory.Contains(at, Bytes) ? Volatile.Read(ref *(uint*)(memory.Base + at)) : 0; // Read once
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PageEntry(byte* table, uint page) => Volatile.Read(ref ((uint*)table)[page & IndexMask]);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PlaceInTable(uint page) => (page & IndexMask) * Bytes;

    /// <inheritdoc/>
    public static ReadOnlySpan<byte> TableEntries(GuestMemory memory, uint top, uint table, out uint count)
    {
        count = Entries - table;
        uint at = EntryAddress(top, table << IndexBits);
        return memory.Contains(at, count * Bytes) ? new ReadOnlySpan<byte>(memory.Base + at, (int)(count * Bytes)) : default;
    }

    /// <inheritdoc/>
    public static void AddTables(GuestMemory memory, uint top, uint first, uint last, List<uint> tables)
    {
        for (uint table = first >> IndexBits; table <= last >> IndexBits; table++)
        {
            uint entry = TableEntry(memory, top, table << IndexBits);
            if ((entry & (uint)PageFlags.Present) != 0)
                tables.Add(entry & ~Page.OffsetMask);
        }
    }

    /// <inheritdoc/>
    public static PageLookup Look(GuestMemory memory, uint top, uint linear)
    {
        PageTableLevel directory = Level("directory entry", EntryAddress(top, 0), linear >> DirectoryShift);
        if (!directory.IsPresent)
            return new PageLookup(linear, default, directory, default);
        return new PageLookup(linear, default, directory, Level("table entry", (uint)directory.Entry!.Value & ~Page.OffsetMask, linear >> Page.Shift & IndexMask));

        PageTableLevel Level(string name, uint start, uint index)
        {
            uint at = start + (index * Bytes);
            return new PageTableLevel(name, index, at, memory.Contains(at, Bytes) ? Volatile.Read(ref *(uint*)(memory.Base + at)) : null); // Read once
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint EntryAddress(uint top, uint page) => (top & ~Page.OffsetMask) + ((page >> IndexBits) * Bytes);
}
