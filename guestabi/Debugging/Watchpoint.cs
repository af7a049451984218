// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Debugging;

/// <summary>Which accesses a watchpoint stops at.</summary>
[Flags]
public enum WatchKind : byte
{
    /// <summary>None: the stop was no watchpoint's.</summary>
    None = 0,

    /// <summary>Reads.</summary>
    Read = 1,

    /// <summary>Writes.</summary>
    Write = 2,
}

/// <summary>
/// Stops a guest whose instructions touch memory. Matched by linear address in every address space; what a device or the
/// hypervisor writes is not seen, as a processor's debug registers would not see it either.
/// </summary>
/// <param name="Address">First linear address.</param>
/// <param name="Length">Bytes, at least one; the range must not wrap.</param>
/// <param name="Kind">What counts.</param>
public readonly record struct Watchpoint(uint Address, uint Length, WatchKind Kind)
{
    /// <summary>Whether an access is one that counts.</summary>
    /// <param name="address">Its first linear address.</param>
    /// <param name="size">Its bytes.</param>
    /// <param name="kind">Read or write.</param>
    public bool Matches(uint address, int size, WatchKind kind) =>
        (Kind & kind) != 0 && address < Address + (ulong)Length && address + (ulong)size > Address;
}
