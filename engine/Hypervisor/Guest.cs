// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Debugging;
using Lguest.Engine.Memory.PageTables;
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Generations;

namespace Lguest.Engine.Hypervisor;

/// <summary>
/// A guest and its hypervisor: what lg.ko was. Any <see cref="ExecutionCore"/> runs the instructions; what they mean to the
/// world outside is decided here. The parts: <see cref="Run"/> is the loop everything hangs on,
/// <c>Guest.Hypercalls.cs</c> what the guest can ask for, <c>Guest.Traps.cs</c> how it is interrupted,
/// <c>Guest.Outside.cs</c> what devices and other threads want of it, <c>Guest.Dirty.cs</c> what it has written, <c>Guest.Debugging.cs</c> how it is stopped
/// and looked into.
/// </summary>
public sealed unsafe partial class Guest : IGuest
{
    /// <summary>Nanoseconds until an irq that the guest did not take yet is offered again.</summary>
    private const long PendingIrqRecheck = 50_000;

    /// <summary>Instructions until the next look, while an irq waits for the guest to turn interrupts on.</summary>
    private const int BudgetForIrq = 200;

    /// <summary>Likewise, while only the clock has to be looked at.</summary>
    private const int BudgetForClock = 2_000;

    /// <summary>Likewise, while there is nothing to look at but requests of other threads.</summary>
    private const int LongestBudget = 20_000;

    private readonly ExecutionCore _core;
    private readonly CpuState* _cpu;
    private readonly GuestMemory _memory;
    private readonly Generation _abi;
    private readonly HypercallTable _calls;
    private readonly CallConvention _convention;
    private readonly IGuestTime _clock;
    private readonly DescriptorTable _gdt;
    private readonly InterruptTable _idt = new();
    private readonly EventFd _wakeUp = new();
    private uint _pageOffset;
    private readonly ushort _guestId;

    private GuestContext _context = new();
    private bool _contextIsNew = true;
    private long _rechecks = long.MinValue;
    private string? _dead;
    private bool _reset;
    private bool _halted;
    private uint _irqsPending;

    // A hypercall that waits for the ring before it, or for the launcher to take what the ring sent.
    private bool _hypercallPending;
    private bool _requestPending;
    private RunExit _request;

    /// <summary>Takes over a loaded guest, as INITIALIZE does.</summary>
    /// <param name="core">A fresh processor, whose time is the guest's.</param>
    /// <param name="abi">The generation the guest speaks.</param>
    /// <param name="start">Where it begins.</param>
    public Guest(ExecutionCore core, Generation abi, GuestStart start)
    {
        _core = core;
        _cpu = core.Cpu;
        _memory = core.Memory;
        _abi = abi;
        _calls = abi.Calls;
        _convention = abi.Convention;
        _clock = core.Clock;
        _gdt = core.Gdt;
        _pageOffset = start.PageOffset;
        _guestId = start.GuestId;
        _tablesEnd = start.TablesEnd;
        _pfnLimit = start.PfnLimit;
        _memory.LimitTo((ulong)start.PfnLimit << Page.Shift);
        _pageDirectory = start.PageDirectory;
        _mailbox = new Mailbox(Wake);
        Dma = new DmaRegistry(_memory);

        // [H:120+13] How a guest begins
        // Flat segments of ring 1, the entry point, page tables if it has any; everything else is zero. The host's own entries of the descriptor
        // table are set, too: the guest cannot use them, but it can see them (abi.md §2.1).
        _gdt.Entries[Selectors.KernelCodeIndex] = DescriptorTable.FlatCode;
        _gdt.Entries[Selectors.KernelDataIndex] = DescriptorTable.FlatData;
        SetHostDescriptors();
        core.SetSegment(SegmentName.Cs, Selectors.KernelCode);
        core.SetSegment(SegmentName.Ds, Selectors.KernelData);
        core.SetSegment(SegmentName.Es, Selectors.KernelData);
        core.SetSegment(SegmentName.Ss, Selectors.KernelData);
        _cpu->Arch.Eip = start.Entry;
        core.SetGeneration(abi);
        if (abi.Boot.StartsLinear)
            core.SetPaging(PagingFormat.Linear);
        _context = _context with { KernelStart = abi.Boot.StartsLinear ? 0 : start.PageOffset };
        TellContext();
        core.LoadPageDirectory(start.PageDirectory);
    }

    /// <summary>What the guest has bound.</summary>
    public DmaRegistry Dma { get; }

    /// <summary>
    /// Ports and addresses that devices have; null: none. Given before the guest first runs: not when it is made, since devices raise the
    /// irqs of a guest that there is.
    /// </summary>
    public IDeviceSpace? Devices
    {
        get => _core.Devices;
        set => _core.Devices = value;
    }

    /// <summary>Why the guest is dead, in the genuine hypervisor's words; null while it lives.</summary>
    public string? DeathReason => _dead;

    /// <summary>The guest pulled the reset line: it is over, and wants to be started again.</summary>
    public bool ResetRequested => _reset;

    /// <inheritdoc/>
    public RunExit Run()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Thread.CurrentThread != _owner)
            throw new InvalidOperationException("a guest runs on the thread that made it");
        _times?.Enter(RunPhase.Engine);
        try
        {
            return RunUntilNeeded();
        }
        finally
        {
            _times?.Enter(RunPhase.Devices);
        }
    }

    /// <summary>Ends the guest, for the first reason given.</summary>
    public void Kill(string reason) => _dead ??= reason;

    /// <inheritdoc/>
    public void Dispose()
    {
        // What was counted is still there to be read.
        _ = Statistics;
        CloseToOutside();
        _mailbox.Close();
        _core.Dispose();
        _wakeUp.Dispose();
    }

    /// <summary>A number as 2.6.23 prints <c>%#x</c>, zero with its prefix too.</summary>
    private static string Hex(uint value) => $"0x{value:x}";

    // [H:130+60] The loop on which everything hangs
    // Make the calls that the guest asked for. If one of them is for a device, go back to the launcher. Is there work from other
    // threads, or a break? Is the clock due? Can an interrupt be delivered? Is the guest asleep? If none of that: run it, and see
    // why it stopped. The order matters in one place, and a comment says why.
    private RunExit RunUntilNeeded()
    {
        // The launcher has taken the DMA of the last time.
        _requestPending = false;
        while (_dead is null && !_reset)
        {
            DoHypercalls();
            if (_dead is not null)
                break;
            if (_requestPending)
                return _request;

            // In this order, or what is asked for in between would be lost.
            Volatile.Write(ref _cpu->Attention, 0);
            Interlocked.MemoryBarrier();
            if (!_mailbox.IsEmpty)
                _mailbox.Work();
            if (Volatile.Read(ref _irqsFromOutside) != 0)
                RaiseIrqsFromOutside();
            if (_breakAsked)
                return RunExit.Break;
            if (_paused)
            {
                StandStill();
                continue;
            }

            CheckClock();

            // A single step stays in the code at hand, whatever is pending: unless only an interrupt can go on from here.
            if (!_stepOnce || _halted)
                MaybeInterrupt();
            if (_dead is not null)
                break;
            if (_halted)
            {
                Sleep();
                continue;
            }

            _hasRun = true;
            _cpu->Budget = ChooseBudget();
            bool waits = _irqsPending != 0;
            if (_contextIsNew)
                TellContext();
            _core.SetDeadline(waits ? ++_rechecks : _clockDeadline, waits ? PendingIrqRecheck : TimeToClockEvent());
            Handle(_stepOnce || Wants(GuestEvents.Instructions) ? RunOne() : _core.Run());
        }

        return LetGo();
    }

    /// <summary>
    /// Instructions until the next look around. Short when an irq waits for the guest to turn interrupts on (it does that
    /// without telling anyone), longer when only the clock has to be looked at.
    /// </summary>
    private int ChooseBudget() => _irqsPending != 0 ? BudgetForIrq : _clockDeadline != 0 ? BudgetForClock : LongestBudget;

    /// <summary>What the processor is told before the guest runs again.</summary>
    private GuestContext Context
    {
        set
        {
            _context = value;
            _contextIsNew = true;
        }
    }

    /// <summary>Says what the processor may know of the guest.</summary>
    private void TellContext()
    {
        _contextIsNew = false;
        _core.SetContext(in _context);
    }

    private void Handle(in CpuExit exit)
    {
        _statistics.CountExit(exit.Kind);
        switch (exit.Kind)
        {
            case ExitKind.Attention:
                break;
            case ExitKind.SoftwareInterrupt:
                HandleSoftwareInterrupt(exit);
                break;
            case ExitKind.Exception:
                DeliverTrap(exit);
                break;
            case ExitKind.Reset:
                _reset = true;
                break;
            case ExitKind.Killed:
                Kill(exit.Reason ?? "unknown reason");
                break;
            case ExitKind.Debug:
                Pause(exit.Watch == WatchKind.None
                    ? new GuestStop(StopCause.Breakpoint)
                    : new GuestStop(StopCause.Watchpoint, exit.FaultAddress, exit.Watch));
                break;
        }
    }
}
