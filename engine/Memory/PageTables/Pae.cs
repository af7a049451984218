// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Paging;

namespace Lguest.Engine.Memory.PageTables;

/// <summary>
/// Physical address extension (Intel SDM vol. 3, 4.4; abi.md §4.5): a table of four pointers, 32-byte aligned, each of which names a directory
/// of 512 entries, each of which names a table of 512 entries; all of eight bytes. A pointer has no rights. Memory of a guest ends
/// below 4 GiB and there is no NX, so that the upper half of an entry is 0.
/// </summary>
internal readonly unsafe struct Pae : IPageTableFormat
{
    private const int IndexBits = 9;

    /// <summary>Entries of a directory, and of a table.</summary>
    public const uint Entries = 1 << IndexBits;

    private const uint IndexMask = Entries - 1;
    private const uint Bytes = sizeof(ulong);
    private const uint Pointers = 4;

    /// <inheritdoc/>
    public static int TableShift => IndexBits;

    /// <inheritdoc/>
    public static uint EntryBytes => Bytes;

    /// <inheritdoc/>
    public static int TopShift => 2 * IndexBits;

    /// <inheritdoc/>
    public static uint TopAddress(uint top) => top & ~((Pointers * Bytes) - 1);

    /// <summary>Whether a pointer of the top table is present and names a directory.</summary>
    public static bool Names(GuestMemory memory, uint top, uint index, uint directory) =>
        TryLoad(memory, TopAddress(top) + (index * Bytes), out ulong pointer, out _)
        && (pointer & (uint)PageFlags.Present) != 0 && (pointer & ~(ulong)Page.OffsetMask) == (directory & ~Page.OffsetMask);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WalkResult FindTable(GuestMemory memory, uint top, uint linear, uint reservedStart, out uint tableEntry, out string? reason)
    {
        tableEntry = 0;
        uint page = linear >> Page.Shift;
        if (!TryLoad(memory, TopAddress(top) + ((page >> TopShift) * Bytes), out ulong pointer, out reason))
            return WalkResult.Kill;
        if ((pointer & (uint)PageFlags.Present) == 0)
            return WalkResult.Fault;
        if (!IsPage(memory, pointer) || (pointer & Page.OffsetMask) != (uint)PageFlags.Present)
            return Kill("bad page directory entry", out reason);

        if (!TryLoad(memory, ((uint)pointer & ~Page.OffsetMask) + ((page >> IndexBits & IndexMask) * Bytes), out ulong entry, out reason))
            return WalkResult.Kill;
        if ((entry & (uint)PageFlags.Present) == 0)
            return WalkResult.Fault;
        if (linear >= reservedStart)
            return Kill(PageWalker.ReservedPages, out reason);
        if (!IsPage(memory, entry) || (entry & Page.OffsetMask & ~(uint)PageFlags.DirectoryAllowed) != 0)
            return Kill("bad page middle directory entry", out reason);
        tableEntry = (uint)entry;
        return WalkResult.Ok;
    }

    /// <inheritdoc/>
    public static uint TableEntry(GuestMemory memory, uint top, uint page)
    {
        ReadOnlySpan<byte> entries = TableEntries(memory, top, page >> IndexBits, out _);
        if (entries.IsEmpty)
            return 0;
        fixed (byte* entry = entries)
            return Low(Volatile.Read(ref *(ulong*)entry)); // Read once
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PageEntry(byte* table, uint page)
    {
        ulong entry = Volatile.Read(ref ((ulong*)table)[page & IndexMask]);

        // What lies above 4 GiB is nobody's: an entry that leads there is one that no guest may have.
        return entry <= uint.MaxValue ? (uint)entry : (uint)entry | (uint)PageFlags.PageSizeOrPat;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PlaceInTable(uint page) => (page & IndexMask) * Bytes;

    /// <inheritdoc/>
    public static ReadOnlySpan<byte> TableEntries(GuestMemory memory, uint top, uint table, out uint count)
    {
        count = Entries - (table & IndexMask);
        if (!TryLoad(memory, TopAddress(top) + ((table >> IndexBits) * Bytes), out ulong pointer, out _)
            || (pointer & (uint)PageFlags.Present) == 0 || !IsPage(memory, pointer))
        {
            return default;
        }

        uint at = ((uint)pointer & ~Page.OffsetMask) + ((table & IndexMask) * Bytes);
        return new ReadOnlySpan<byte>(memory.Base + at, (int)(count * Bytes));
    }

    /// <inheritdoc/>
    public static void AddTables(GuestMemory memory, uint top, uint first, uint last, List<uint> tables)
    {
        for (uint index = first >> TopShift; index <= last >> TopShift; index++)
        {
            if (!TryLoad(memory, TopAddress(top) + (index * Bytes), out ulong pointer, out _) || (pointer & (uint)PageFlags.Present) == 0)
                continue;
            tables.Add((uint)pointer & ~Page.OffsetMask);
            uint from = Math.Max(first, index << TopShift) >> IndexBits;
            uint to = Math.Min(last, (index << TopShift) + (Entries * Entries) - 1) >> IndexBits;
            for (uint table = from; table <= to; table++)
            {
                uint entry = TableEntry(memory, top, table << IndexBits);
                if ((entry & (uint)PageFlags.Present) != 0)
                    tables.Add(entry & ~Page.OffsetMask);
            }
        }
    }

    /// <inheritdoc/>
    public static PageLookup Look(GuestMemory memory, uint top, uint linear)
    {
        uint page = linear >> Page.Shift;
        PageTableLevel pointer = Level("pointer", TopAddress(top), page >> TopShift);
        if (!pointer.IsPresent)
            return new PageLookup(linear, pointer, default, default);
        PageTableLevel directory = Level("directory entry", (uint)pointer.Entry!.Value & ~Page.OffsetMask, page >> IndexBits & IndexMask);
        if (!directory.IsPresent)
            return new PageLookup(linear, pointer, directory, default);
        return new PageLookup(linear, pointer, directory, Level("table entry", (uint)directory.Entry!.Value & ~Page.OffsetMask, page & IndexMask));

        PageTableLevel Level(string name, uint start, uint index)
        {
            uint at = start + (index * Bytes);
            return new PageTableLevel(name, index, at, TryLoad(memory, at, out ulong entry, out _) ? entry : null);
        }
    }

    private static uint Low(ulong entry) => entry <= uint.MaxValue ? (uint)entry : 0;

    private static bool IsPage(GuestMemory memory, ulong entry) => entry <= uint.MaxValue && memory.Contains((uint)entry & ~Page.OffsetMask, Page.Size);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryLoad(GuestMemory memory, uint at, out ulong entry, out string? reason)
    {
        bool isThere = memory.Contains(at, Bytes);
        entry = isThere ? Volatile.Read(ref *(ulong*)(memory.Base + at)) : 0; // Read once
        reason = isThere ? null : PageWalker.BadAddress(at);
        return isThere;
    }

    private static WalkResult Kill(string why, out string? reason)
    {
        reason = why;
        return WalkResult.Kill;
    }
}
