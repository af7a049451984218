// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.Debugging;

namespace Lguest.Inspect.Statistics;

/// <summary>Where the time went, up to a moment.</summary>
public sealed class RunTimes
{
    private readonly TimeSpan[] _phases = new TimeSpan[Enum.GetValues<RunPhase>().Length];

    /// <summary>Takes the times as they are now.</summary>
    public RunTimes(RunClock clock)
    {
        foreach (RunPhase phase in Enum.GetValues<RunPhase>())
        {
            _phases[(int)phase] = clock[phase];
            Wall += _phases[(int)phase];
        }

        Environment.ProcessCpuUsage usage = Environment.CpuUsage;
        User = usage.UserTime;
        System = usage.PrivilegedTime;
    }

    /// <summary>From the launcher's first statement to now: all phases together.</summary>
    public TimeSpan Wall { get; }

    /// <summary>Processor time of the process outside the host's kernel, all threads, the .NET runtime's start included.</summary>
    public TimeSpan User { get; }

    /// <summary>Processor time in the host's kernel, likewise.</summary>
    public TimeSpan System { get; }

    /// <summary>One phase.</summary>
    public TimeSpan this[RunPhase phase] => _phases[(int)phase];

    /// <summary>A phase as the table and the JSON object call it.</summary>
    public static string NameOf(RunPhase phase) => phase == RunPhase.StartUp ? "start-up" : phase.ToString().ToLowerInvariant();
}
