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
        FaultsInReserved = false,
        HasDevices = false,
    };

    /// <summary>Linux 2.6.25 to 2.6.30: pages cached as the guest likes.</summary>
    public static PagingRules Linux2625 { get; } = Linux2623 with { ForbiddenFlags = PageFlags.PageSizeOrPat };

    /// <summary>Linux 2.6.31 to 3.9: tables of either format.</summary>
    public static PagingRules Linux2631 { get; } = Linux2625 with { MayBePae = true };

    /// <summary>Linux 3.10 to 3.19: the host's part is as if nothing was there.</summary>
    public static PagingRules Linux310 { get; } = Linux2631 with { FaultsInReserved = true };

    /// <summary>Linux 4.0 and later: devices have addresses.</summary>
    public static PagingRules Linux40 { get; } = Linux310 with { HasDevices = true };

    /// <summary>Bytes at the top of the address space that are the host's: reserve_mem.</summary>
    public required uint ReservedBytes { get; init; }

    /// <summary>Flags of a page's entry that kill the guest when the page is used.</summary>
    public required PageFlags ForbiddenFlags { get; init; }

    /// <summary>Whether a kernel may have been built for PAE. No call says so: its first table does (abi.md §4.6).</summary>
    public required bool MayBePae { get; init; }

    /// <summary>
    /// Whether an access to the host's part of the address space is a page fault, and a directory entry that is not there kills; else the
    /// access kills, and such an entry is nothing.
    /// </summary>
    public required bool FaultsInReserved { get; init; }

    /// <summary>Whether pages may be mapped that are no memory, but a device's (abi.md §8.3).</summary>
    public required bool HasDevices { get; init; }

    /// <summary>The first linear address that is the host's.</summary>
    public uint ReservedStart => uint.MaxValue - ReservedBytes + 1;
}
