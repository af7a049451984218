// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Engine.Interpreter;

/// <summary>
/// What a debugger needs of a processor. Breakpoints are known when blocks are decoded: one is a block of its own whose only
/// op stops, so code elsewhere runs at full speed and guest memory is never changed. A watched page is kept out of the table
/// of translated pages, so that every access to it takes the slow path, which looks. Nothing of this costs anything while
/// no debugger asks for it.
/// </summary>
public sealed unsafe partial class InterpreterCore
{
    private readonly WatchHit _watchHit = new();
    private IReadOnlySet<uint> _breakpoints = new HashSet<uint>();
    private Watchpoint[] _watchpoints = [];
    private bool _singleStep;

    /// <summary>Whether accesses must be looked at one by one.</summary>
    internal bool HasWatchpoints => _watchpoints.Length != 0;

    /// <inheritdoc/>
    public override CpuExit Step()
    {
        int budget = Cpu->Budget;
        StepUncounted();
        Cpu->Instructions += (ulong)(budget - (long)Cpu->Budget);
        return _exit;
    }

    /// <inheritdoc/>
    public override void SetBreakpoints(IReadOnlySet<uint> addresses)
    {
        _breakpoints = new HashSet<uint>(addresses);
        ForgetBlocks();
    }

    /// <inheritdoc/>
    public override void SetWatchpoints(IReadOnlyList<Watchpoint> watchpoints)
    {
        _watchpoints = [.. watchpoints];
        FlushTlb();
    }

    private void StepUncounted()
    {
        _hasExit = false;
        _singleStep = true;
        SegmentsChanged();
        try
        {
            _current = null;
            RunSingle(Cpu);
            if (!_hasExit)
                _exit = new CpuExit { Kind = ExitKind.Attention, InstructionEip = Cpu->Arch.Eip };
        }
        catch (GuestFault fault)
        {
            TakeFault(fault);
        }
        catch (WatchHit hit)
        {
            StepOverAccess(hit);
        }
        finally
        {
            _singleStep = false;
            SegmentsChanged();
        }
    }

    /// <summary>The op that stands for an instruction with a breakpoint.</summary>
    internal static MicroOp* StopAtBreakpoint(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        core.ExitAtBreakpoint(op->Eip);
        return null;
    }

    /// <summary>Whether a debugger wants to stop in front of an instruction.</summary>
    internal bool IsBreakpoint(uint linear) => _breakpoints.Count != 0 && _breakpoints.Contains(linear);

    private void ExitAtBreakpoint(uint eip)
    {
        Cpu->Arch.Eip = eip;
        _exit = new CpuExit { Kind = ExitKind.Debug, InstructionEip = eip };
        _hasExit = true;
    }

    private bool IsWatchedPage(uint page)
    {
        foreach (ref readonly Watchpoint watchpoint in _watchpoints.AsSpan())
        {
            if (watchpoint.Matches(page, (int)Page.Size, WatchKind.Read | WatchKind.Write))
                return true;
        }

        return false;
    }

    private void CheckWatchpoints(uint address, int size, WatchKind kind)
    {
        foreach (ref readonly Watchpoint watchpoint in _watchpoints.AsSpan())
        {
            if (watchpoint.Matches(address, size, kind))
            {
                _watchHit.Watchpoint = watchpoint;
                _watchHit.Kind = kind;
                throw _watchHit;
            }
        }
    }

    /// <summary>
    /// An instruction was about to touch watched memory, and like one that faults has changed nothing yet. It is done again
    /// without anyone watching, and then the run ends, with EIP behind it: what processors do too.
    /// </summary>
    private void StepOverAccess(WatchHit hit)
    {
        if (_current != null)
        {
            Cpu->Arch.Eip = _current->Eip;
            Cpu->Budget -= _current->Position;
        }

        uint eip = Cpu->Arch.Eip;
        Watchpoint[] watchpoints = _watchpoints;
        _watchpoints = [];
        try
        {
            StepUncounted();
        }
        finally
        {
            _watchpoints = watchpoints;
            FlushTlb();
        }

        // If the instruction faults after all, that is what happened.
        if (_exit.Kind == ExitKind.Attention)
            _exit = new CpuExit { Kind = ExitKind.Debug, InstructionEip = eip, FaultAddress = hit.Watchpoint.Address, Watch = hit.Kind };
        _hasExit = true;
    }

    /// <summary>Watched memory is about to be touched. Thrown and caught like a <see cref="GuestFault"/>, one object per core.</summary>
    private sealed class WatchHit : Exception
    {
        public Watchpoint Watchpoint { get; set; }

        public WatchKind Kind { get; set; }
    }
}
