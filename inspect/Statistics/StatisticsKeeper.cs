// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Statistics;

/// <summary>
/// Keeps the statistics of all guests of a launcher, one after the other, and gives them once, when it ends: however it ends.
/// </summary>
public sealed class StatisticsKeeper
{
    private readonly StatisticsRequest? _request;
    private readonly OutputFile? _file;
    private readonly RunClock? _clock;
    private readonly Action<string> _say;
    private readonly RunStatistics _past = new();
    private readonly Lock _lock = new();
    private DebugTarget.Running? _running;
    private DeviceWatcher? _watcher;
    private bool _taken;

    /// <summary>Starts keeping.</summary>
    /// <param name="request">How they are to be told at the end; null: not at all, and where the time goes is not measured.</param>
    /// <param name="file">Where they go; null: standard error. Its owner closes it.</param>
    /// <param name="start">When the launcher started, as of <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/>.</param>
    /// <param name="say">Where the launcher's own sentences go.</param>
    public StatisticsKeeper(StatisticsRequest? request, OutputFile? file, long start, Action<string> say)
    {
        _request = request;
        _file = file;
        _say = say;
        if (request != null)
            _clock = new RunClock(start);
    }

    /// <summary>A guest is about to run.</summary>
    /// <param name="running">The guest.</param>
    /// <param name="watcher">Who counts what goes through its devices, or null.</param>
    public void Begin(DebugTarget.Running running, DeviceWatcher? watcher)
    {
        running.Guest.Times = _clock;
        lock (_lock)
        {
            _running = running;
            _watcher = watcher;
        }
    }

    /// <summary>The guest is over, and still there. On its owner's thread.</summary>
    public void End()
    {
        _clock?.Enter(RunPhase.StartUp);
        lock (_lock)
        {
            if (_running is { } running)
                _past.Add(RunStatistics.Of(running, _watcher?.Traffic ?? []));
            _running = null;
            _watcher = null;
        }
    }

    /// <summary>All up to now.</summary>
    /// <param name="atRest">Asked by the guest's owner; else the engine's own counters are left alone.</param>
    public RunStatistics Now(bool atRest)
    {
        lock (_lock)
        {
            RunStatistics sum = new() { Times = _clock == null ? null : new RunTimes(_clock) };
            sum.Add(_past);
            if (_running is { } running)
                sum.Add(RunStatistics.Of(running, _watcher?.Traffic ?? [], atRest));
            return sum;
        }
    }

    /// <summary>Writes them to their file, if that is wanted and was not done before.</summary>
    /// <returns>What is to be printed on standard error instead; null: nothing.</returns>
    public string? Take()
    {
        if (_request == null || Interlocked.Exchange(ref _taken, true))
            return null;
        RunStatistics statistics = Now(atRest: false);
        string text = _request.Json ? StatisticsJson.Of(statistics) : "lguest: statistics of " + StatisticsTable.Of(statistics);
        if (_file == null)
            return text;
        HostErrno error = _file.Write(Encoding.UTF8.GetBytes(text));
        if (error != 0)
            _say($"the statistics could not be written to {_file.Path}: {HostMessage.Of(error)}");
        return null;
    }
}
