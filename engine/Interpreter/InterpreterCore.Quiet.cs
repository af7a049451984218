// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Interpreter;

/// <summary>
/// Page faults without an exception, where they are what is to be expected: a thrown one costs as much as a thousand
/// instructions. Most instructions change general registers, flags and EIP only, and those can be kept aside: when such an
/// instruction faults it is let go on, with nothing that it reaches behind its addresses any more, and then taken back.
/// </summary>
public sealed unsafe partial class InterpreterCore
{
    /// <summary>Bytes of what stands for memory that is not there; more than any access of an instruction that may go on.</summary>
    private const int NowhereBytes = 64;

    // The table while an instruction goes on past its fault: never filled, so that all it does next comes the slow way.
    private byte* _emptyTlb;
    private byte* _nowhere;
    private bool _faultPending;
    private bool _quietLoop;
    private MicroOp* _changed;

    /// <summary>Whether to expect faults. Running costs somewhat more, a fault a hundredth.</summary>
    internal bool Quietly { get; set; }

    /// <summary>The instruction at hand has faulted, and is only let go on to its end.</summary>
    internal bool FaultPending => _faultPending;

    /// <summary>A repeated instruction begins a round: it can still be taken back …</summary>
    internal void ChangesNothingYet() => _changed = null;

    /// <summary>… until it has done a part of its work for good.</summary>
    internal void HasChanged(MicroOp* op) => _changed = op;

    /// <summary>An exception that an instruction is there to raise, or raises before it has done anything.</summary>
    /// <returns>What its handler returns.</returns>
    internal MicroOp* RaiseQuietly(MicroOp* op, byte vector)
    {
        _fault.Vector = vector;
        _fault.ErrorCode = 0;
        _fault.Address = 0;
        _fault.KillReason = null;
        _current = op;
        TakeFault(_fault);
        _hasExit = true;
        return null;
    }

    private void RunBlocksQuietly(CpuState* cpu, MicroOp* op)
    {
        _quietLoop = true;
        while (op != null)
        {
            _current = op;
            if (op->Quiet == 0)
            {
                op = op->Handler(this, cpu, op);
                continue;
            }

            ulong* registers = (ulong*)cpu->Arch.Registers;
            (ulong first, ulong second, ulong third, ulong fourth) = (registers[0], registers[1], registers[2], registers[3]);
            ulong flags = *(ulong*)&cpu->Arch.FlagResult;
            int budget = cpu->Budget;
            MicroOp* next = op->Handler(this, cpu, op);
            if (_faultPending)
            {
                (registers[0], registers[1], registers[2], registers[3]) = (first, second, third, fourth);
                *(ulong*)&cpu->Arch.FlagResult = flags;
                cpu->Budget = budget;
                _faultPending = false;
                _current = op;
                UpdateMode();
                TakeFault(_fault);
                _hasExit = true;
                break;
            }

            op = next;
        }

        _quietLoop = false;
    }

    /// <summary>What <see cref="_fault"/> tells happens to the instruction at hand: quietly if it can be, else by an exception.</summary>
    private byte* FaultIn(CpuState* cpu)
    {
        if (!_quietLoop || _current == null || _current->Quiet == 0 || _changed == _current || _fault.KillReason is not null)
        {
            _quietLoop = false;
            throw _fault;
        }

        _faultPending = true;
        if (*(uint*)_emptyTlb == 0)
            NativeMemory.Fill(_emptyTlb, TlbBytes, 0xFF);
        cpu->Interpreter.Tlb = _emptyTlb;
        return _nowhere;
    }
}
