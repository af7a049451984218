// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Debugging;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Generations;
using Lguest.GuestAbi.Paging;

namespace Lguest.Engine.Hypervisor;

/// <summary>How waiting for a descriptor ended.</summary>
public enum WriteWait
{
    /// <summary>It can be written.</summary>
    Writable,

    /// <summary>The launcher is wanted: see <see cref="IGuest.Break"/>.</summary>
    Break,

    /// <summary>Somebody ended the guest.</summary>
    GuestOver,
}

/// <summary>
/// How a guest is stopped and looked into. The guest has one thread, and only that thread may touch it: so debuggers send it
/// work (<see cref="Invoke"/>), which it does between two stretches of guest code, or while it stands still. A paused guest
/// still answers its launcher: a BREAK returns as ever, and the next read goes on standing still.
/// </summary>
public sealed unsafe partial class Guest : IDebugPort
{
    private readonly GuestStatistics _statistics = new();
    private readonly Mailbox _mailbox;
    private IGuestObserver? _observer;
    private GuestEvents _wanted;
    private IGuestDebugger? _debugger;
    private GuestStop? _untold;
    private IReadOnlySet<uint> _breakpoints = new HashSet<uint>();
    private uint _pageDirectory;
    private bool _paused;
    private bool _stepOnce;
    private bool _endTold;
    private bool _disposed;
    private RunClock? _times;

    /// <summary>The processor. For the owner's thread.</summary>
    public ExecutionCore Core => _core;

    /// <inheritdoc/>
    public IRegisters Registers => _core.Registers;

    /// <inheritdoc/>
    public IReadOnlyList<EngineCounter> Counters => _core.Counters;

    /// <inheritdoc/>
    public ReadOnlySpan<ulong> Descriptors => _core.Gdt.Entries;

    /// <inheritdoc/>
    public IEnumerable<(uint Key, DmaBinding Bound)> Bindings => Dma.Bindings;

    /// <inheritdoc/>
    public GuestMemory Memory => _memory;

    /// <inheritdoc/>
    public Generation Generation => _abi;

    /// <inheritdoc/>
    public uint PageDirectory => _pageDirectory;

    /// <inheritdoc/>
    public uint PageOffset => _pageOffset;

    /// <inheritdoc/>
    public GuestData? Data => _data;

    /// <inheritdoc/>
    public bool IsHalted => _halted;

    /// <inheritdoc/>
    public uint IrqsPending => _irqsPending;

    /// <inheritdoc/>
    public long ClockEventIn => TimeToClockEvent();

    /// <inheritdoc/>
    public (uint Selector, uint Pointer, uint Pages) KernelStack => (_stackSelector, _stackPointer, _stackPages);

    /// <summary>What it has done so far.</summary>
    public GuestStatistics Statistics
    {
        get
        {
            if (!_disposed)
                _statistics.SetDirectSystemCalls(_core.DirectSystemCalls);
            return _statistics;
        }
    }

    /// <inheritdoc/>
    public RunClock? Times
    {
        get => _times;
        set
        {
            _times = value;
            _core.Times = value;
        }
    }

    /// <inheritdoc/>
    public bool IsPaused => _paused;

    /// <inheritdoc/>
    public IGuestObserver? Observer
    {
        get => _observer;
        set
        {
            _observer = value;
            _wanted = value?.Wants ?? GuestEvents.None;
            UpdateSystemCall();
        }
    }

    /// <inheritdoc/>
    public IGuestDebugger? Debugger
    {
        get => _debugger;
        set => _debugger = value;
    }

    /// <inheritdoc/>
    IGuestStatistics IDebugPort.Statistics => Statistics;

    /// <inheritdoc/>
    public Gate GateOf(uint vector) => _idt[vector];

    /// <inheritdoc/>
    public PageLookup Look(uint linear) => _core.Walker.Look(_pageDirectory, linear);

    /// <inheritdoc/>
    public IEnumerable<MappedRun> MappedRuns() => PageTableView.Runs(_core.Walker, _pageDirectory);

    /// <inheritdoc/>
    public void Invoke(Action work) => _mailbox.Invoke(work);

    /// <inheritdoc/>
    public bool Post(Action work) => _mailbox.Post(work);

    /// <inheritdoc/>
    public void Pause() => Pause(new GuestStop(StopCause.Pause));

    /// <inheritdoc/>
    public void Resume()
    {
        _paused = false;
        _untold = null;
        _stepOnce = false;
    }

    /// <inheritdoc/>
    public void ResumeForOneStep()
    {
        Resume();
        _stepOnce = true;
    }

    /// <inheritdoc/>
    public void SetBreakpoints(IReadOnlySet<uint> addresses)
    {
        _breakpoints = new HashSet<uint>(addresses);
        _core.SetBreakpoints(_breakpoints);
    }

    /// <inheritdoc/>
    public void SetWatchpoints(IReadOnlyList<Watchpoint> watchpoints) => _core.SetWatchpoints(watchpoints);

    /// <summary>
    /// For the owner, while the guest waits for what it asked for: waits until a descriptor can be written. The guest is at rest, so
    /// others may have things done with it meanwhile.
    /// </summary>
    /// <param name="fd">The descriptor.</param>
    public WriteWait WaitToWrite(int fd)
    {
        while (true)
        {
            _mailbox.Work();
            if (_dead is not null || _reset)
                return WriteWait.GuestOver;
            if (_breakAsked)
                return WriteWait.Break;
            if (_paused)
                TellStop();
            if (_wakeUp.WaitOrWritable(fd))
                return WriteWait.Writable;
        }
    }

    /// <summary>
    /// Lets a debugger, if there is one, see the guest as it was when it died, for as long as it wants.
    /// </summary>
    /// <returns>True: a break was asked for meanwhile, call again. False: the guest is let go of.</returns>
    internal bool HoldForDebugger()
    {
        if (!_endTold)
        {
            _endTold = true;
            _observer?.Ended(_dead);
            _paused = false;
            if (_debugger is not null && _dead is not null && _dead != GuestDeath.PowerDown)
                Pause(new GuestStop(StopCause.Death, Reason: _dead));
        }

        while (_paused)
        {
            Volatile.Write(ref _cpu->Attention, 0);
            Interlocked.MemoryBarrier();
            _mailbox.Work();
            if (_breakAsked)
                return true;
            if (_paused)
                StandStill();
        }

        return false;
    }

    private bool Wants(GuestEvents events) => (_wanted & events) != 0;

    private void Pause(in GuestStop stop)
    {
        _paused = true;
        _stepOnce = false;
        _untold = stop;
    }

    private void TellStop()
    {
        if (_untold is { } stop)
        {
            // Told only now: the hypercall of a step has been carried out meanwhile, and belongs to it.
            _untold = null;
            _debugger?.Stopped(in stop);
        }
    }

    private void StandStill()
    {
        TellStop();
        _times?.Enter(RunPhase.Stopped);
        _wakeUp.Wait(-1);
        _times?.Enter(RunPhase.Engine);
    }

    private RunExit LetGo()
    {
        if (HoldForDebugger())
            return RunExit.Break;
        return _reset ? RunExit.Restart : RunExit.Died(_dead!);
    }

    // [H:260+11] Sleeping
    // A halted guest costs nothing: the thread waits until the clock is due, a device has something, or a debugger wants to look.
    private void Sleep()
    {
        long before = _clock.Monotonic;
        _times?.Enter(RunPhase.Idle);
        _wakeUp.Wait(_clock.HostWait(TimeToClockEvent()));
        _times?.Enter(RunPhase.Engine);
        long slept = _clock.Monotonic - before;
        _statistics.CountSleep(slept);
        _observer?.Slept(slept);
    }

    private CpuExit RunOne()
    {
        // A step leaves the breakpoint it stands on behind; running by steps, for an observer, must not run over any.
        if (!_stepOnce && _breakpoints.Contains(_cpu->Arch.Cs.Base + _cpu->Arch.Eip))
            return new CpuExit { Kind = ExitKind.Debug, InstructionEip = _cpu->Arch.Eip };
        if (Wants(GuestEvents.Instructions))
            _observer!.Instruction();
        _times?.Enter(RunPhase.Guest);
        CpuExit exit = _core.Step();
        _times?.Enter(RunPhase.Engine);
        if (_stepOnce && exit.Kind != ExitKind.Debug)
            Pause(new GuestStop(StopCause.Step));
        return exit;
    }

    private void BeforeCall(HypercallKind kind, in GuestCall call, bool isAsync)
    {
        _statistics.CountHypercall(kind, in call, _cpu->Arch.Eip, isAsync);
        if (Wants(GuestEvents.Hypercalls))
            _observer!.Hypercall(kind, in call, isAsync);
    }

    private void BeforeTrap(in CpuExit exit)
    {
        _statistics.CountTrap(exit.Vector);
        if (Wants(GuestEvents.Traps))
            _observer!.Trap(exit.Vector, exit.ErrorCode, exit.FaultAddress);
    }
}
