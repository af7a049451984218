// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>
/// The one source of time of a guest: its hypervisor and its processor ask here, whatever the engine, and nobody asks a clock of
/// the host for it. So a guest whose time is made up (by a test, or continued from an earlier run) sees it wherever it looks. For
/// the guest's own thread.
/// </summary>
public interface IGuestTime
{
    /// <summary>Nanoseconds that only go forward, from an arbitrary start: what the guest's timer runs by.</summary>
    long Monotonic { get; }

    /// <summary>The wall clock: nanoseconds since 1970.</summary>
    long Wall { get; }

    /// <summary>The time stamp counter, as the guest's RDTSC reads it.</summary>
    ulong Tsc { get; }

    /// <summary>
    /// What lguest_data.tsc_khz says: how many thousand times a second <see cref="Tsc"/> counts; or 0 when the host's own counter
    /// is not constant and the guest had better not use one.
    /// </summary>
    uint TscKhz { get; }

    /// <summary>
    /// The guest sleeps. Time that passes by itself is waited for; time that is made up may move on at once, and then there is
    /// nothing to wait for.
    /// </summary>
    /// <param name="nanoseconds">Until the guest's timer is due; negative: it has none.</param>
    /// <returns>Nanoseconds that the host is to wait, unless something else wakes the guest; negative: without limit.</returns>
    long HostWait(long nanoseconds);
}
