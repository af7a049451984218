// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text;
using Lguest.Devices;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Statistics;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Reports;

/// <summary>
/// Keeps a run's record for the report: a timer has the guest's owner look at the counters and at where the guest is, a few
/// hundred times a second. A guest that sleeps is not woken for it. However long the run, the record stays small: the timeline
/// gets coarser.
/// </summary>
public sealed class RunRecorder
{
    private const int MostIntervals = 1200;
    private const int MostLines = 4000;
    private const int MostStacks = 20_000;
    private const int LongestLine = 300;
    private const int MostFrames = 40;
    private static readonly TimeSpan SamplePeriod = TimeSpan.FromMilliseconds(3);

    private readonly OutputFile _file;
    private readonly DebugTarget _target;
    private readonly long _start;
    private readonly RunRecord _record = new();
    private readonly Lock _lock = new();
    private readonly StringBuilder _line = new();
    private Timer? _timer;
    private DebugTarget.Running? _running;
    private DeviceWatcher? _watcher;
    private RunInterval _last = new();
    private double _interval = 0.005;
    private int _asked;

    /// <summary>A recorder that has not begun.</summary>
    /// <param name="file">Where the report goes; its owner closes it.</param>
    /// <param name="target">For its symbols.</param>
    /// <param name="start">When the launcher started, as of <see cref="Stopwatch.GetTimestamp"/>.</param>
    public RunRecorder(OutputFile file, DebugTarget target, long start)
    {
        _file = file;
        _target = target;
        _start = start;
        _record.Started = DateTimeOffset.Now;
        _record.CommandLine = string.Join(' ', Environment.GetCommandLineArgs().Skip(1).Select(static word => word.Contains(' ', StringComparison.Ordinal) ? $"'{word}'" : word));
    }

    private double Now => Stopwatch.GetElapsedTime(_start).TotalSeconds;

    /// <summary>A guest is about to run; after a restart, another one. On its owner's thread.</summary>
    public void Begin(DebugTarget.Running running, DeviceWatcher watcher)
    {
        lock (_lock)
        {
            _running = running;
            _watcher = watcher;
            _last = Totals();
            _record.Kernel = running.Places.Kernel;
            _record.Generation = running.Guest.Generation.Name;
            running.Guest.Writes.TrackWrites();
        }

        _timer = new Timer(static recorder => ((RunRecorder)recorder!).Ask(), this, SamplePeriod, SamplePeriod);
    }

    /// <summary>The guest said something. On its owner's thread.</summary>
    public void Console(ReadOnlySpan<byte> text)
    {
        foreach (byte b in text)
        {
            if (b == '\n')
                EndLine();
            else if (b is >= 0x20 and < 0x7F or (byte)'\t' && _line.Length < LongestLine)
                _line.Append((char)b);
        }
    }

    /// <summary>The guest has run. On its owner's thread, with the guest still there.</summary>
    /// <param name="ending">How it ended, in words.</param>
    public void Finish(string ending)
    {
        StopTimer();
        lock (_lock)
        {
            if (_running is not { } running)
                return;
            Point(force: true);
            EndLine();
            _record.End = ending;
            _record.Seconds = Now;
            _record.Statistics.Add(RunStatistics.Of(running, _watcher!.Traffic));
            _record.Written = running.Guest.Writes.EverWritten(new MemoryRange(0, running.Guest.Memory.Top));
            if (_record.Memory.Count == 0)
                _record.Memory.AddRange(running.Places.Memory);
        }
    }

    /// <summary>The guest is gone.</summary>
    public void End()
    {
        StopTimer();
        lock (_lock)
        {
            _running = null;
            _watcher = null;
        }
    }

    /// <summary>Writes the report.</summary>
    /// <returns>0, or the error.</returns>
    public HostErrno Write() => _file.Write(Encoding.UTF8.GetBytes(ReportPage.Of(_record)));

    private void StopTimer()
    {
        _timer?.Dispose();
        _timer = null;
    }

    private void EndLine()
    {
        string line = _line.ToString().TrimEnd();
        _line.Clear();
        if (line.Length > 0 && _record.ConsoleLines.Count < MostLines)
            _record.ConsoleLines.Add((Now, line));
    }

    /// <summary>On the timer's thread.</summary>
    private void Ask()
    {
        try
        {
            AskOwner();
        }
        catch (Exception)
        {
            // A picture of the run is not worth the run.
            StopTimer();
        }
    }

    private void AskOwner()
    {
        if (_running is not { } running)
            return;
        if (running.Guest.IsHalted || running.Guest.IsPaused)
        {
            lock (_lock)
                _record.Still++;
            return;
        }

        // One at a time: an owner that is busy with a device is not to find a heap of requests afterwards.
        if (Interlocked.Exchange(ref _asked, 1) == 0 && !running.Guest.Post(Sample))
            Volatile.Write(ref _asked, 0);
    }

    private void Sample()
    {
        Volatile.Write(ref _asked, 0);
        lock (_lock)
        {
            if (_running is not { } running)
                return;
            Point(force: false);
            if (!running.Guest.IsHalted && !running.Guest.IsPaused)
                Count(PlaceOrUnknown(running.Guest));
        }
    }

    private void Count(string place)
    {
        if (_record.Samples.TryGetValue(place, out int count) || _record.Samples.Count < MostStacks)
            _record.Samples[place] = count + 1;
    }

    /// <summary>On the owner's thread, which must not end over it: where the guest is, is up to the guest.</summary>
    private string PlaceOrUnknown(IDebugPort guest)
    {
        try
        {
            return Place(guest);
        }
        catch (Exception)
        {
            return "unknown";
        }
    }

    private string Place(IDebugPort guest)
    {
        const uint user = 3;
        if (guest.Registers.Cpl == user)
            return "programs (ring 3)";
        StringBuilder place = new("kernel (ring 1)");
        List<uint> frames = Backtrace.Frames(guest, _target.Symbols, MostFrames);
        for (int i = frames.Count - 1; i >= 0; i--)
            place.Append(';').Append(_target.Symbols.TryFind(i == 0 ? frames[i] : frames[i] - 1, out Symbols.Symbol symbol) ? symbol.Name : $"0x{frames[i]:x8}");
        return place.ToString();
    }

    private void Point(bool force)
    {
        double now = Now;
        if (!force && now - _last.End < _interval)
            return;
        RunInterval totals = Totals();
        _record.Intervals.Add(new RunInterval
        {
            End = now,
            Length = now - _last.End,
            Hypercalls = totals.Hypercalls - _last.Hypercalls,
            Interrupts = totals.Interrupts - _last.Interrupts,
            Faults = totals.Faults - _last.Faults,
            Slept = totals.Slept - _last.Slept,
            DeviceBytes = [.. totals.DeviceBytes.Zip(_last.DeviceBytes, static (a, b) => a - b)],
        });
        _last = totals;
        if (_record.Intervals.Count < MostIntervals)
            return;

        // Twice as coarse from now on.
        _interval *= 2;
        for (int i = 0; i < _record.Intervals.Count / 2; i++)
        {
            _record.Intervals[i] = _record.Intervals[2 * i];
            _record.Intervals[i].Merge(_record.Intervals[(2 * i) + 1]);
        }

        _record.Intervals.RemoveRange(_record.Intervals.Count / 2, _record.Intervals.Count - (_record.Intervals.Count / 2));
    }

    private RunInterval Totals()
    {
        IGuestStatistics statistics = _running!.Guest.Statistics;
        return new RunInterval
        {
            End = Now,
            Hypercalls = statistics.HypercallTotal,
            Interrupts = statistics.InterruptTotal,
            Faults = statistics.TrapTotal - statistics.Traps[Vectors.SystemCall],
            Slept = statistics.SleptNanoseconds,
            DeviceBytes = [.. _watcher!.Traffic.Select(static t => t.BytesIn + t.BytesOut)],
        };
    }
}
