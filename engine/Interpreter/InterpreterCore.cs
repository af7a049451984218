// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;

namespace Lguest.Engine.Interpreter;

/// <summary>
/// The interpreter: rings 1 and 3 of a 686, one instruction after the other. Instructions are decoded once (by Iced) into
/// blocks of <see cref="MicroOp"/>s, which are kept by physical address and thrown away when their bytes are written.
/// <para>The tour: this file runs blocks; <c>InterpreterCore.Memory.cs</c> is how they reach memory,
/// <c>InterpreterCore.Blocks.cs</c> where they are kept, <c>BlockBuilder.cs</c> how they are made; the <c>*Ops.cs</c> files
/// are the instructions themselves, by kind.</para>
/// </summary>
public sealed unsafe partial class InterpreterCore : ExecutionCore, IHostWriteObserver
{
    private readonly GuestFault _fault = new();
    private CpuExit _exit;
    private bool _hasExit;
    private MicroOp* _current;

    /// <summary>Makes a processor at rest.</summary>
    /// <param name="memory">The guest's memory; the core becomes its observer.</param>
    /// <param name="gdt">The guest's GDT.</param>
    public InterpreterCore(GuestMemory memory, DescriptorTable gdt)
        : base(memory, gdt)
    {
        AllocateTables();
        _builder = new BlockBuilder(this);
        memory.Observer = this;
        SegmentsChanged();
        Cpu->Budget = int.MaxValue;
    }

    /// <inheritdoc/>
    public override CpuExit Run()
    {
        CpuState* cpu = Cpu;
        _hasExit = false;
        int budget = cpu->Budget;
        SegmentsChanged();
        for (; ; )
        {
            try
            {
                _current = null;
                while (!_hasExit)
                {
                    if (cpu->Attention != 0 || cpu->Budget < 0)
                    {
                        _exit = new CpuExit { Kind = ExitKind.Attention, InstructionEip = cpu->Eip };
                        break;
                    }

                    if ((_mode & CodeMode.Single) != 0)
                        RunSingle(cpu);
                    else
                        RunBlocks(cpu, FindBlock(cpu->Eip));
                }

                break;
            }
            catch (GuestFault fault)
            {
                TakeFault(fault);
                break;
            }
        }

        cpu->Instructions += (ulong)(budget - (long)cpu->Budget);
        return _exit;
    }

    /// <summary>Ends the run with an exit that is not a fault. The handler returns null behind it.</summary>
    internal MicroOp* Exit(ExitKind kind, uint eip, MicroOp* op, byte vector = 0)
    {
        _exit = new CpuExit { Kind = kind, Vector = vector, InstructionEip = op->Eip };
        _hasExit = true;
        Cpu->Eip = eip;
        Cpu->Budget -= op->Position + 1;
        return null;
    }

    /// <summary>Raises an exception: does not return.</summary>
    internal Exception Raise(byte vector, uint errorCode = 0, uint address = 0)
    {
        _fault.Vector = vector;
        _fault.ErrorCode = errorCode;
        _fault.Address = address;
        _fault.KillReason = null;
        throw _fault;
    }

    /// <summary>Kills the guest: does not return.</summary>
    internal Exception Kill(string reason)
    {
        _fault.KillReason = reason;
        throw _fault;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (Memory.Observer == this)
            Memory.Observer = null;
        FreeTables();
    }

    private void RunBlocks(CpuState* cpu, MicroOp* op)
    {
        while (op != null)
        {
            _current = op;
            op = op->Handler(this, cpu, op);
        }
    }

    /// <summary>
    /// One instruction, decoded afresh. With TF set the processor traps behind every instruction but those that load %ss or
    /// change TF themselves; the trap's EIP is the next instruction.
    /// </summary>
    private void RunSingle(CpuState* cpu)
    {
        bool trap = (cpu->SystemFlags & EFlags.Trap) != 0;
        MicroOp* op = _builder.BuildSingle(cpu->Eip);
        MicroOp* last = op;
        while (op != null)
        {
            _current = op;
            last = op;
            op = op->Handler(this, cpu, op);
        }

        if (trap && !_hasExit)
        {
            _exit = new CpuExit { Kind = ExitKind.Exception, Vector = 1, InstructionEip = last->Eip };
            _hasExit = true;
        }
    }

    private void TakeFault(GuestFault fault)
    {
        // A fault without an instruction is one of fetching it: EIP is right already.
        if (_current != null)
        {
            Cpu->Eip = _current->Eip;
            Cpu->Budget -= _current->Position;
        }

        _exit = fault.KillReason is { } reason
            ? new CpuExit { Kind = ExitKind.Killed, Reason = reason, InstructionEip = Cpu->Eip }
            : new CpuExit
            {
                Kind = ExitKind.Exception,
                Vector = fault.Vector,
                ErrorCode = fault.ErrorCode,
                FaultAddress = fault.Address,
                InstructionEip = Cpu->Eip,
            };
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct JumpEntry
    {
        public uint Eip;
        public uint Key;
        public MicroOp* First;
    }
}
