// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Engine.Debugging;

/// <summary>
/// What a guest has done so far, counted from its first instruction, whoever asks later: an increment at each exit from
/// the guest's code, which is rare and expensive compared with it. Written by the thread that owns the guest; others read numbers
/// that may be a moment old.
/// </summary>
public sealed class GuestStatistics : IGuestStatistics
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

    /// <inheritdoc/>
    public ReadOnlySpan<long> Hypercalls => _calls;

    /// <inheritdoc/>
    public ReadOnlySpan<long> RingHypercalls => _ringCalls;

    /// <inheritdoc/>
    public ReadOnlySpan<long> Interrupts => _irqs;

    /// <inheritdoc/>
    public ReadOnlySpan<long> Traps => _traps;

    /// <inheritdoc/>
    public IEnumerable<(string Reason, long Count)> Exits => Enum.GetValues<ExitKind>().Select(kind => (NameOf(kind), _exits[(int)kind]));

    /// <inheritdoc/>
    public long Sleeps { get; private set; }

    /// <inheritdoc/>
    public long SleptNanoseconds { get; private set; }

    /// <inheritdoc/>
    public long HypercallTotal => _sequence;

    /// <inheritdoc/>
    public long InterruptTotal => Sum(_irqs);

    /// <inheritdoc/>
    public long TrapTotal => Sum(_traps);

    /// <inheritdoc/>
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

        // Word by word, as it was just written: a wider load would wait for those stores.
        GuestCall copy = new() { Number = call.Number, First = call.First, Second = call.Second, Third = call.Third, Fourth = call.Fourth };
        _past[(uint)_sequence % Remembered] = new PastHypercall(_sequence, kind, copy, eip, isAsync);
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

    private static string NameOf(ExitKind kind) => kind switch
    {
        ExitKind.Attention => "budget used up, or called away",
        ExitKind.Exception => "fault or trap",
        ExitKind.SoftwareInterrupt => "int n: hypercall or system call",
        ExitKind.Debug => "breakpoint or watchpoint",
        _ => kind.ToString().ToLowerInvariant(),
    };

    private static long Sum(long[] counts)
    {
        long sum = 0;
        foreach (long count in counts)
            sum += count;
        return sum;
    }
}
