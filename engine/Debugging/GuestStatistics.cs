// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;

namespace Lguest.Engine.Debugging;

/// <summary>One hypercall of the past.</summary>
/// <param name="Sequence">How many there were before it.</param>
/// <param name="Kind">Which.</param>
/// <param name="Call">Number and arguments.</param>
/// <param name="Eip">Where it was made; for one of the ring, where the guest was when the ring was run.</param>
/// <param name="IsAsync">From the ring.</param>
public readonly record struct PastHypercall(long Sequence, HypercallKind Kind, GuestCall Call, uint Eip, bool IsAsync);

/// <summary>
/// What a guest has done so far, counted from its first instruction, whoever asks later: an increment at each exit from
/// the guest's code, which is rare and expensive compared with it. Written by the thread that owns the guest; others read numbers
/// that may be a moment old.
/// </summary>
public sealed class GuestStatistics
{
    /// <summary>Hypercalls remembered with their arguments.</summary>
    public const int Remembered = 64;

    private readonly long[] _calls = new long[HypercallTable.All.Length];
    private readonly long[] _ringCalls = new long[HypercallTable.All.Length];
    private readonly long[] _irqs = new long[Vectors.IrqCount];
    private readonly long[] _traps = new long[256];
    private readonly long[] _exits = new long[Enum.GetValues<ExitKind>().Length];
    private readonly PastHypercall[] _past = new PastHypercall[Remembered];
    private long _sequence;
    private long _directSystemCalls;

    /// <summary>Hypercalls by <c>int $0x1F</c>, by <see cref="HypercallKind"/>.</summary>
    public ReadOnlySpan<long> Hypercalls => _calls;

    /// <summary>Hypercalls from the ring, likewise.</summary>
    public ReadOnlySpan<long> RingHypercalls => _ringCalls;

    /// <summary>Interrupts delivered, by irq.</summary>
    public ReadOnlySpan<long> Interrupts => _irqs;

    /// <summary>Traps, faults and <c>int n</c> delivered to the guest's handlers, by vector.</summary>
    public ReadOnlySpan<long> Traps => _traps;

    /// <summary>Ways out of the guest's code, by <see cref="ExitKind"/>.</summary>
    public ReadOnlySpan<long> Exits => _exits;

    /// <summary>Times that the guest went to sleep in HALT.</summary>
    public long Sleeps { get; private set; }

    /// <summary>Nanoseconds slept.</summary>
    public long SleptNanoseconds { get; private set; }

    /// <summary>All hypercalls.</summary>
    public long HypercallTotal => _sequence;

    /// <summary>All interrupts.</summary>
    public long InterruptTotal => Sum(_irqs);

    /// <summary>All traps.</summary>
    public long TrapTotal => Sum(_traps);

    /// <summary>The last hypercalls, oldest first.</summary>
    /// <param name="count">How many at most; no more than <see cref="Remembered"/> are known.</param>
    public IReadOnlyList<PastHypercall> Last(int count)
    {
        List<PastHypercall> last = [];
        for (long i = Math.Max(0, _sequence - Math.Min(count, Remembered)); i < _sequence; i++)
            last.Add(_past[i % Remembered]);
        return last;
    }

    internal void CountHypercall(HypercallKind kind, in GuestCall call, uint eip, bool isAsync)
    {
        (isAsync ? _ringCalls : _calls)[(int)kind]++;
        _past[_sequence % Remembered] = new PastHypercall(_sequence, kind, call, eip, isAsync);
        _sequence++;
    }

    internal void CountInterrupt(int irq) => _irqs[irq]++;

    internal void CountTrap(uint vector) => _traps[vector & 0xFF]++;

    internal void CountExit(ExitKind kind) => _exits[(int)kind]++;

    /// <summary>System calls that a core delivered by itself, all in all: they are traps like the others.</summary>
    internal void SetDirectSystemCalls(long total)
    {
        _traps[Vectors.SystemCall] += total - _directSystemCalls;
        _directSystemCalls = total;
    }

    internal void CountSleep(long nanoseconds)
    {
        Sleeps++;
        SleptNanoseconds += nanoseconds;
    }

    private static long Sum(long[] counts)
    {
        long sum = 0;
        foreach (long count in counts)
            sum += count;
        return sum;
    }
}
