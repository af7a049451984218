// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Devices.Backends;
using Lguest.Engine.Hypervisor;

namespace Lguest.Launcher.Run;

/// <summary>
/// <c>--eof=poweroff</c>: a guest whose input has ended is not waited for without end. It gets a ^D, as a user at a terminal would
/// type it; a shell ends by that when it has carried out what came before. A guest that is still there, and then sleeps for
/// <see cref="Silence"/> without a word, is ended as by SIGTERM, with status 0.
/// </summary>
public sealed class EndOfInput : IDisposable
{
    /// <summary>How long a guest may say and do nothing before it counts as finished.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(2);

    private const byte EndOfTransmission = 4;

    /// <summary>Of a stretch of silence, the part that a guest must have slept: its clock ticks, and that is no work.</summary>
    private const double Asleep = 0.9;

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);

    private readonly Guest _guest;
    private readonly ConsolePort _console;
    private readonly Timer _timer;
    private bool _typed;
    private long _since;
    private long _sleptBefore;
    private long _writtenBefore;

    /// <summary>Begins to watch.</summary>
    /// <param name="guest">Asked how long it slept.</param>
    /// <param name="console">Its console.</param>
    /// <param name="lookAfterDevices">Has the owner's thread call <see cref="IsFinished"/> soon.</param>
    public EndOfInput(Guest guest, ConsolePort console, Action lookAfterDevices)
    {
        _guest = guest;
        _console = console;
        _timer = new Timer(_ =>
        {
            if (console.InputEnded)
                lookAfterDevices();
        }, null, LookEvery, LookEvery);
    }

    /// <summary>Whether the guest has had its time. On the owner's thread, each time that it has looked after the devices.</summary>
    public bool IsFinished()
    {
        if (!_console.InputEnded)
            return false;
        if (!_typed)
            _typed = _console.Inject([EndOfTransmission]) == 1;
        long slept = _guest.Statistics.SleptNanoseconds;
        long now = Stopwatch.GetTimestamp();
        TimeSpan passed = Stopwatch.GetElapsedTime(_since, now);
        bool quiet = _since != 0 && _console.Held.IsEmpty && _console.BytesWritten == _writtenBefore;
        if (quiet && passed < Silence)
            return false;
        if (quiet && (slept - _sleptBefore) >= passed.TotalNanoseconds * Asleep)
            return true;
        (_since, _sleptBefore, _writtenBefore) = (now, slept, _console.BytesWritten);
        return false;
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();
}
