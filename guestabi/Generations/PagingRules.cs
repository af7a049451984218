// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>What a guest may have in its page tables (abi.md §4.5 to §4.7).</summary>
public sealed record PagingRules
{
    /// <summary>The seed patch to Linux 2.6.24: two levels, and no say in how pages are cached.</summary>
    public static PagingRules Linux2623 { get; } = new()
    {
        ReservedBytes = 4u * 1024 * 1024,
        ForbiddenFlags = PageFlags.WriteThrough | PageFlags.PageSizeOrPat,
        MayBePae = false,
    };

    /// <summary>Linux 3.1 to 3.9: tables of either format, pages cached as the guest likes.</summary>
    public static PagingRules Linux31 { get; } = new()
    {
        ReservedBytes = 4u * 1024 * 1024,
        ForbiddenFlags = PageFlags.PageSizeOrPat,
        MayBePae = true,
    };

    /// <summary>Bytes at the top of the address space that are the host's: reserve_mem.</summary>
    public required uint ReservedBytes { get; init; }

    /// <summary>Flags of a page's entry that kill the guest when the page is used.</summary>
    public required PageFlags ForbiddenFlags { get; init; }

    /// <summary>Whether a kernel may have been built for PAE. No call says so: its first table does (abi.md §4.6).</summary>
    public required bool MayBePae { get; init; }

    /// <summary>The first linear address that is the host's.</summary>
    public uint ReservedStart => uint.MaxValue - ReservedBytes + 1;
}
