// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends;
using Lguest.Devices.Bus;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Symbols;

namespace Lguest.Inspect.Target;

/// <summary>
/// The guest as debuggers know it: there is always one, though a restart puts another guest behind it. Breakpoints and
/// watchpoints belong to it, so they outlive the guest they were set in.
/// </summary>
public sealed class DebugTarget
{
    /// <summary>From the launcher's start to its guest's, or from one guest to the next, takes a moment; then something is wrong.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly HashSet<uint> _breakpoints = [];
    private readonly List<Watchpoint> _watchpoints = [];
    private readonly Lazy<SymbolTable> _symbols;
    private readonly ManualResetEventSlim _hasGuest = new();
    private volatile Running? _running;
    private volatile bool _closed;
    private IGuestDebugger? _debugger;

    /// <summary>A target without a guest yet.</summary>
    /// <param name="symbols">The kernel's names, read when first asked for.</param>
    public DebugTarget(Lazy<SymbolTable> symbols) => _symbols = symbols;

    /// <summary>The kernel's names.</summary>
    public SymbolTable Symbols => _symbols.Value;

    /// <summary>The guest that runs now, with what belongs to it; null between two.</summary>
    public Running? Current => _running;

    /// <summary>Whether a debugger has the guest: then nobody else may resume it.</summary>
    public bool HasDebugger => Volatile.Read(ref _debugger) != null;

    /// <summary>A new guest, not running yet. On the thread that owns it.</summary>
    /// <param name="running">The guest and its surroundings.</param>
    /// <param name="pause">Stop it before its first instruction.</param>
    public void Begin(Running running, bool pause)
    {
        _running = running;
        Apply(running.Guest);
        running.Guest.Debugger = _debugger;
        if (pause)
            running.Guest.Pause();
        _hasGuest.Set();
    }

    /// <summary>The guest is over; there may be another one.</summary>
    public void End()
    {
        _hasGuest.Reset();
        _running = null;
    }

    /// <summary>There will be no guest any more.</summary>
    public void Close()
    {
        _closed = true;
        _hasGuest.Set();
    }

    /// <summary>
    /// Has something done with the guest at rest, on the thread that owns it, and waits for the result; first, if need be, for
    /// the guest.
    /// </summary>
    /// <exception cref="GuestGoneException">There is none just now.</exception>
    public T Ask<T>(Func<Running, T> question)
    {
        if (!_closed)
            _hasGuest.Wait(Patience);
        Running running = _running ?? throw new GuestGoneException();
        T answer = default!;
        running.Guest.Invoke(() => answer = question(running));
        return answer;
    }

    /// <summary>The same without a result.</summary>
    /// <exception cref="GuestGoneException">There is none just now.</exception>
    public void Do(Action<Running> work) => Ask(running =>
    {
        work(running);
        return true;
    });

    /// <summary>A debugger takes the guest over, which stops if it runs.</summary>
    /// <returns>False: another debugger has it.</returns>
    public bool TryAttach(IGuestDebugger debugger)
    {
        if (Interlocked.CompareExchange(ref _debugger, debugger, null) != null)
            return false;
        try
        {
            Do(running =>
            {
                running.Guest.Debugger = debugger;
                if (!running.Guest.IsPaused)
                    running.Guest.Pause();
            });
        }
        catch (GuestGoneException)
        {
        }

        return true;
    }

    /// <summary>The debugger lets go: no breakpoints any more, and the guest runs.</summary>
    public void Detach()
    {
        Volatile.Write(ref _debugger, null);
        try
        {
            Do(running =>
            {
                running.Guest.Debugger = null;
                _breakpoints.Clear();
                _watchpoints.Clear();
                Apply(running.Guest);
                running.Guest.Resume();
            });
        }
        catch (GuestGoneException)
        {
            _breakpoints.Clear();
            _watchpoints.Clear();
        }
    }

    /// <summary>Sets or clears a breakpoint.</summary>
    public void SetBreakpoint(uint address, bool on) => Do(running =>
    {
        if (on ? _breakpoints.Add(address) : _breakpoints.Remove(address))
            running.Guest.SetBreakpoints(_breakpoints);
    });

    /// <summary>Sets or clears a watchpoint.</summary>
    public void SetWatchpoint(Watchpoint watchpoint, bool on) => Do(running =>
    {
        if (on)
            _watchpoints.Add(watchpoint);
        else
            _watchpoints.Remove(watchpoint);
        running.Guest.SetWatchpoints(_watchpoints);
    });

    private void Apply(IDebugPort guest)
    {
        guest.SetBreakpoints(_breakpoints);
        guest.SetWatchpoints(_watchpoints);
    }

    /// <summary>A guest and what belongs to it.</summary>
    /// <param name="Guest">The guest.</param>
    /// <param name="Bus">Its devices.</param>
    /// <param name="Places">Where the launcher put what it gave the guest.</param>
    /// <param name="Console">The host's side of its console.</param>
    /// <param name="Engine">The name of the engine that it got.</param>
    /// <param name="EngineWords">The same as users are shown it.</param>
    /// <param name="LookAfterDevices">Makes the launcher look after its devices soon. Any thread.</param>
    public sealed record Running(IDebugPort Guest, IGuestBus Bus, GuestPlaces Places, ConsolePort Console, string Engine, string EngineWords, Action LookAfterDevices);
}
