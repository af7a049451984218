// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Run;

/// <summary>
/// Signals that ask us to end. The owner thread is broken out of the guest and exits the normal way. If it does not come out
/// in time (it may hang in a write to a terminal that somebody stopped with ^S), or the user asks again, the process is ended
/// on the signal's own thread.
/// </summary>
public sealed class StopSignals : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Lock _lock = new();
    private readonly Action<int> _emergency;
    private readonly Action _continued;
    private PosixSignalRegistration? _interrupt;
    private Action? _wake;
    private int _status;
    private bool _interruptsIgnored;
    private Timer? _timer;

    /// <summary>Starts to listen.</summary>
    /// <param name="emergency">Restores the terminal, saves the disks and ends the process with the status given.</param>
    /// <param name="continued">Called after a stop (SIGCONT): whoever stopped us may have set the terminal.</param>
    public StopSignals(Action<int> emergency, Action continued)
    {
        _emergency = emergency;
        _continued = continued;
        foreach (EndingSignal ending in EndingSignal.All)
            Listen(ending);
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGCONT, context =>
        {
            // Else the runtime, which remembers the terminal from its own start, sets it after us.
            context.Cancel = true;
            _continued();
        }));
    }

    /// <summary>0, or the exit status that a signal asked for.</summary>
    public int Status => Volatile.Read(ref _status);

    /// <summary>The name of the signal that asked for a status; null for another reason, or when nobody can read it: after a hang-up.</summary>
    public static string? NameOf(int status) => EndingSignal.All.FirstOrDefault(ending => ending.Status == status)?.Name;

    /// <summary>Who is to be woken, or nobody.</summary>
    public void OnStop(Action? wake)
    {
        lock (_lock)
        {
            _wake = wake;
            if (_status != 0)
                wake?.Invoke();
        }
    }

    /// <summary>
    /// From now on to the process's end ^C changes nothing. For a user who pressed it three times, and once more by the time that
    /// the terminal makes a signal of it again: the disks are to be saved, and the status is that of the first three.
    /// </summary>
    public void IgnoreInterrupts() => Volatile.Write(ref _interruptsIgnored, true);

    /// <summary>Asks for the end as a signal does.</summary>
    /// <param name="status">The exit status, not 0.</param>
    public void Ask(int status) => Asked(status);

    /// <summary>Stops listening; the defaults are back.</summary>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            if (registration != _interrupt || !_interruptsIgnored)
                registration.Dispose();
        }

        lock (_lock)
        {
            _wake = null;
            _timer?.Dispose();
        }
    }

    private void Listen(EndingSignal ending)
    {
        bool isInterrupt = ending.Signal == PosixSignal.SIGINT;
        PosixSignalRegistration registration = PosixSignalRegistration.Create(ending.Signal, context =>
        {
            context.Cancel = true;
            if (!isInterrupt || !Volatile.Read(ref _interruptsIgnored))
                Asked(ending.Status);
        });
        _registrations.Add(registration);
        if (isInterrupt)
            _interrupt = registration;
    }

    private void Asked(int status)
    {
        lock (_lock)
        {
            if (_status == 0)
            {
                _status = status;
                _timer = new Timer(_ => _emergency(status), null, Patience, Timeout.InfiniteTimeSpan);
                _wake?.Invoke();
                return;
            }
        }

        _emergency(status);
    }
}
