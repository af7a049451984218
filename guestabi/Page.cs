// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

// [P:120] Pages, and three kinds of addresses
// Memory is given out, protected and shared by the page. Three kinds of addresses occur all over the source. A *linear* address is
// what the guest's instructions use, once the segment's base (0, nearly always) is added. The guest's page tables lead from it to
// a *guest physical* one. Where that is in our own process is a *host* address. A guest never sees the last kind, and never
// chooses one.
/// <summary>The i386 page: the unit in which everything between guest and host is mapped.</summary>
public static class Page
{
    /// <summary>Bytes in a page.</summary>
    public const uint Size = 4096;

    /// <summary>log2 of <see cref="Size"/>: a physical address shifted right by this is a page frame number.</summary>
    public const int Shift = 12;

    /// <summary>The bits of an address that say where in its page it lies.</summary>
    public const uint OffsetMask = Size - 1;

    /// <summary>Bytes that 32 bits can address: the first address that no guest has.</summary>
    public const ulong AddressSpace = 1UL << 32;

    /// <summary>Rounds a byte count up to whole pages. 64 bits wide, so that a size near 4 GiB does not wrap.</summary>
    public static ulong AlignUp(ulong bytes) => (bytes + OffsetMask) & ~(ulong)OffsetMask;
}

/// <summary>
/// Bits of an i386 page directory or page table entry (Intel SDM vol. 3, 4.3). Guests of lguest use 4 KiB pages only:
/// an entry with <see cref="WriteThrough"/> or <see cref="PageSizeOrPat"/> set kills the guest (abi.md §4.7).
/// </summary>
[Flags]
public enum PageFlags : uint
{
    /// <summary>No bits: the page is not present.</summary>
    None = 0,

    /// <summary>P: the entry maps something.</summary>
    Present = 0x001,

    /// <summary>R/W: writes are allowed.</summary>
    Writable = 0x002,

    /// <summary>U/S: ring 3 may use it.</summary>
    User = 0x004,

    /// <summary>PWT: a cache attribute that lguest does not let the guest choose.</summary>
    WriteThrough = 0x008,

    /// <summary>PCD: caching disabled.</summary>
    CacheDisable = 0x010,

    /// <summary>A: set by the host when the page is used.</summary>
    Accessed = 0x020,

    /// <summary>D: set by the host when the page is written.</summary>
    Dirty = 0x040,

    /// <summary>PS in a page directory entry (4 MiB page), PAT in a page table entry.</summary>
    PageSizeOrPat = 0x080,

    /// <summary>G: kept by the guest to tell kernel from user mappings; the host ignores it.</summary>
    Global = 0x100,

    /// <summary>What a page directory entry may consist of; any other bit kills the guest.</summary>
    DirectoryAllowed = Present | Writable | User | Accessed | Dirty,

    /// <summary>The flags of the entries that the launcher makes at start (abi.md §1.5): present, writable, user.</summary>
    Linear = Present | Writable | User,
}
