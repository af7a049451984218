// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Memory;

/// <summary>How a walk of the guest's page tables ended.</summary>
internal enum WalkResult
{
    /// <summary>Mapped, and the access is allowed.</summary>
    Ok,

    /// <summary>A page fault: the error code says why.</summary>
    Fault,

    /// <summary>The tables hold something no guest may write there.</summary>
    Kill,
}

/// <summary>What a walk found.</summary>
internal struct Translation
{
    /// <summary>Guest physical address of the page.</summary>
    public uint Frame;

    /// <summary>The page directory entry that was judged: whoever goes on from the walk goes on from this.</summary>
    public uint DirectoryEntry;

    /// <summary>Rights of both levels taken together: Writable, User.</summary>
    public PageFlags Rights;

    /// <summary>The page table entry, as the walk left it.</summary>
    public PageFlags Entry;

    /// <summary>The whole entry before the walk marked it as used or written, if it did; else 0.</summary>
    public uint Unmarked;

    /// <summary>Guest physical address of that entry.</summary>
    public uint MarkedAt;

    /// <summary>For <see cref="WalkResult.Fault"/>: error code of the page fault.</summary>
    public uint ErrorCode;

    /// <summary>For <see cref="WalkResult.Kill"/>: the reason, as the genuine hypervisor words it.</summary>
    public string? KillReason;
}

/// <summary>
/// Walks the guest's two-level page tables (abi.md §4.5) the way the genuine host's demand_page does: 4 KiB pages only, the
/// Accessed bit set on use and Dirty on write in the guest's own entry, and no mercy for an entry that reaches beyond the
/// guest's memory. Rights are the processor's: WP is set, so that the kernel cannot write read-only pages either.
/// </summary>
internal static unsafe class PageWalk
{
    /// <summary>Error code bits of a page fault (Intel SDM vol. 3, 4.7).</summary>
    public const uint ErrorPresent = 1;

    /// <summary>The access was a write.</summary>
    public const uint ErrorWrite = 2;

    /// <summary>It came from ring 3.</summary>
    public const uint ErrorUser = 4;

    /// <summary>The top 4 MiB belong to the host's switcher.</summary>
    private const uint SwitcherStart = uint.MaxValue - LguestData.ReservedBytes + 1;

    // [I:190+46] Walking the guest's page tables
    // The slow way: the guest's own two levels, as the processor would go. The address's upper ten bits choose an entry of the
    // directory, which names a table; the next ten an entry there, which names the page. Each entry is loaded once, judged, and
    // used from the register that it was loaded to. Where a processor would fault, the guest gets its page fault; where an entry
    // names memory that is not the guest's, it dies. What the walk finds is marked as used and written in the guest's own entry,
    // for its kernel decides by that what to swap out.
    /// <summary>Walks.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="directory">Guest physical address of the page directory.</param>
    /// <param name="linear">The address to translate.</param>
    /// <param name="write">A write is wanted.</param>
    /// <param name="user">From ring 3.</param>
    /// <param name="translation">What was found.</param>
    public static WalkResult Walk(GuestMemory memory, uint directory, uint linear, bool write, bool user, out Translation translation)
    {
        translation = default;
        uint access = (write ? ErrorWrite : 0) | (user ? ErrorUser : 0);
        uint directoryEntryAddress = (directory & ~Page.OffsetMask) + ((linear >> 22) * 4);
        if (!memory.Contains(directoryEntryAddress, 4))
            return Kill(ref translation, $"bad read address 0x{directoryEntryAddress:x}");

        // Read once: the tables may lie in a page that others write to. What is judged here is what is used.
        uint directoryEntry = Volatile.Read(ref *(uint*)(memory.Base + directoryEntryAddress));
        if ((directoryEntry & (uint)PageFlags.Present) == 0)
            return Fault(ref translation, access);
        if (linear >= SwitcherStart)
            return Kill(ref translation, "attempt to access switcher pages");
        uint table = directoryEntry & ~Page.OffsetMask;
        if ((directoryEntry & Page.OffsetMask & ~(uint)PageFlags.DirectoryAllowed) != 0 || !memory.Contains(table, Page.Size))
            return Kill(ref translation, "bad page directory entry");

        uint* entryPointer = (uint*)(memory.Base + table + ((linear >> 12 & 0x3FF) * 4));
        uint entry = Volatile.Read(ref *entryPointer); // Read once
        if ((entry & (uint)PageFlags.Present) == 0)
            return Fault(ref translation, access);
        uint rights = entry & directoryEntry & (uint)(PageFlags.Writable | PageFlags.User);
        if ((write && (rights & (uint)PageFlags.Writable) == 0) || (user && (rights & (uint)PageFlags.User) == 0))
            return Fault(ref translation, access | ErrorPresent);
        uint frame = entry & ~Page.OffsetMask;
        if ((entry & (uint)(PageFlags.WriteThrough | PageFlags.PageSizeOrPat)) != 0 || !memory.Contains(frame, Page.Size))
            return Kill(ref translation, "bad page table entry");

        uint marked = entry | (uint)PageFlags.Accessed | (write ? (uint)PageFlags.Dirty : 0);
        if (marked != entry)
        {
            *entryPointer = marked;
            translation.Unmarked = entry;
            translation.MarkedAt = (uint)((byte*)entryPointer - memory.Base);
        }

        translation.DirectoryEntry = directoryEntry;
        translation.Frame = frame;
        translation.Rights = (PageFlags)rights;
        translation.Entry = (PageFlags)(marked & Page.OffsetMask);
        return WalkResult.Ok;
    }

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
