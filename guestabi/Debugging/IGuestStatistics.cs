// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Debugging;

/// <summary>One hypercall of the past.</summary>
/// <param name="Sequence">How many there were before it.</param>
/// <param name="Kind">Which.</param>
/// <param name="Call">Number and arguments.</param>
/// <param name="Eip">Where it was made; for one of the ring, where the guest was when the ring was run.</param>
/// <param name="IsAsync">From the ring.</param>
public readonly record struct PastHypercall(long Sequence, HypercallKind Kind, GuestCall Call, uint Eip, bool IsAsync);

/// <summary>
/// What a guest has done so far, counted from its first instruction, whoever asks later. Written by the thread that owns the guest; others
/// read numbers that may be a moment old.
/// </summary>
public interface IGuestStatistics
{
    /// <summary>Hypercalls by <c>int $0x1F</c>, by <see cref="HypercallKind"/>.</summary>
    ReadOnlySpan<long> Hypercalls { get; }

    /// <summary>Hypercalls from the ring, likewise.</summary>
    ReadOnlySpan<long> RingHypercalls { get; }

    /// <summary>Interrupts delivered, by irq.</summary>
    ReadOnlySpan<long> Interrupts { get; }

    /// <summary>Traps, faults and <c>int n</c> delivered to the guest's handlers, by vector.</summary>
    ReadOnlySpan<long> Traps { get; }

    /// <summary>Exits from the guest's code to the hypervisor, by reason: its name, and how many.</summary>
    IEnumerable<(string Reason, long Count)> Exits { get; }

    /// <summary>Times that the guest went to sleep in HALT.</summary>
    long Sleeps { get; }

    /// <summary>Nanoseconds slept.</summary>
    long SleptNanoseconds { get; }

    /// <summary>All hypercalls.</summary>
    long HypercallTotal { get; }

    /// <summary>All interrupts.</summary>
    long InterruptTotal { get; }

    /// <summary>All traps.</summary>
    long TrapTotal { get; }

    /// <summary>The last hypercalls, oldest first.</summary>
    /// <param name="count">How many at most; some dozens are known.</param>
    IReadOnlyList<PastHypercall> Last(int count);
}
