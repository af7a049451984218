// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;

namespace Lguest.GuestAbi.Debugging;

/// <summary>What the thread that owns a guest does with its time.</summary>
public enum RunPhase
{
    /// <summary>Getting ready: all before the guest's first instruction, and between two guests.</summary>
    StartUp,

    /// <summary>The guest's own code runs: host code made of it, or the interpreter's loop.</summary>
    Guest,

    /// <summary>The engine works for the guest: hypercalls, traps, translation, mapping, instructions interpreted one by one.</summary>
    Engine,

    /// <summary>The launcher looks after devices: all between two runs of the guest.</summary>
    Devices,

    /// <summary>The guest sleeps in HALT.</summary>
    Idle,

    /// <summary>A debugger has stopped it.</summary>
    Stopped,
}

/// <summary>
/// Where the time went: a stretch of it belongs to one phase, so all phases together are the time that has passed. Asked for
/// with <c>--stats</c> only, since each change of phase reads the host's clock. Written by the thread that owns the guest.
/// </summary>
public sealed class RunClock
{
    private readonly long[] _ticks = new long[Enum.GetValues<RunPhase>().Length];
    private long _since;
    private RunPhase _phase;

    /// <summary>Starts in <see cref="RunPhase.StartUp"/>.</summary>
    /// <param name="start">When, as of <see cref="Stopwatch.GetTimestamp"/>.</param>
    public RunClock(long start) => _since = start;

    /// <summary>What comes now is another phase.</summary>
    public void Enter(RunPhase phase)
    {
        long now = Stopwatch.GetTimestamp();
        _ticks[(int)_phase] += now - _since;
        _since = now;
        _phase = phase;
    }

    /// <summary>Time spent in a phase so far, the current stretch included.</summary>
    public TimeSpan this[RunPhase phase]
    {
        get
        {
            long ticks = _ticks[(int)phase];
            if (phase == _phase)
                ticks += Stopwatch.GetTimestamp() - _since;
            return Stopwatch.GetElapsedTime(0, ticks);
        }
    }
}
