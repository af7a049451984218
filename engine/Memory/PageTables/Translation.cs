// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Memory.PageTables;

/// <summary>How a walk of the guest's page tables ended.</summary>
internal enum WalkResult
{
    /// <summary>Mapped, and the access is allowed.</summary>
    Ok,

    /// <summary>Mapped and allowed, but no memory: the page is a device's.</summary>
    Device,

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

    /// <summary>
    /// The entry that named the page's table, as <see cref="PageWalker.TableEntry"/> has it, and as it was judged: whoever goes on from the
    /// walk goes on from this.
    /// </summary>
    public uint TableEntry;

    /// <summary>Rights of all levels taken together: Writable, User.</summary>
    public PageFlags Rights;

    /// <summary>The flags of the page's own entry, as the walk left it.</summary>
    public PageFlags Entry;

    /// <summary>The entry's low word before the walk marked it as used or written, if it did; else 0.</summary>
    public uint Unmarked;

    /// <summary>Guest physical address of that word.</summary>
    public uint MarkedAt;

    /// <summary>For <see cref="WalkResult.Fault"/>: error code of the page fault.</summary>
    public uint ErrorCode;

    /// <summary>For <see cref="WalkResult.Kill"/>: the reason, as the genuine hypervisor words it.</summary>
    public string? KillReason;
}
