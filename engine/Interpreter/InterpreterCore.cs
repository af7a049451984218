// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Engine.Interpreter;

// [I:120] Blocks of decoded instructions
// Decoding i386 machine code is expensive: prefixes, two bytes of addressing, operands of three sizes. So it is done once. What
// comes of an instruction is a small record that knows which function carries it out and where its operands are; records of
// instructions that follow each other form a block, and running a block is calling one function after the other. A block ends with
// an instruction that goes elsewhere for sure, and at the end of its page: in the next one the guest may have mapped anything.
/// <summary>
/// The interpreter: rings 1 and 3 of a 686, one instruction after the other. Instructions are decoded once (by Iced) into
/// blocks of <see cref="MicroOp"/>s, which are kept by physical address and thrown away when their bytes are written.
/// <para>The parts: this file runs blocks; <c>InterpreterCore.Memory.cs</c> is how they reach memory,
/// <c>InterpreterCore.Blocks.cs</c> where they are kept, <c>BlockBuilder.cs</c> how they are made; the <c>*Ops.cs</c> files
/// are the instructions themselves, by kind.</para>
/// </summary>
public sealed unsafe partial class InterpreterCore : ExecutionCore, IHostWriteObserver
{
    private readonly GuestFault _fault = new();
    private readonly List<FloatingPointOperation> _floatOperations = [];
    private readonly Dictionary<FloatingPointOperation, uint> _floatIndexes = [];
    private FloatingPointUnit? _floatingPoint;
    private CpuExit _exit;
    private bool _hasExit;
    private MicroOp* _current;

    /// <summary>Makes a processor at rest.</summary>
    /// <param name="memory">The guest's memory; the core observes it.</param>
    /// <param name="gdt">The guest's GDT.</param>
    /// <param name="clock">The guest's time.</param>
    public InterpreterCore(GuestMemory memory, DescriptorTable gdt, IGuestTime clock)
        : base(memory, gdt, clock)
    {
        try
        {
            AllocateTables();
        }
        catch
        {
            Dispose();
            throw;
        }

        _builder = new BlockBuilder(this);
        memory.AddObserver(this);
        SegmentsChanged();
        Cpu->Budget = int.MaxValue;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<EngineCounter> Counters =>
    [
        new("instructions", (long)Cpu->Instructions),
        new("blocks decoded", BlocksDecoded),
        new("KiB of decoded code", DecodedBytes >> 10, IsLevel: true),
    ];

    /// <inheritdoc/>
    public override CpuExit Run()
    {
        CpuState* cpu = Cpu;
        Times?.Enter(RunPhase.Guest);
        _hasExit = false;
        int budget = cpu->Budget;
        SegmentsChanged();
        for (; ; )
        {
            try
            {
                while (!_hasExit)
                {
                    // What faults between blocks is fetching the next: EIP is where, not at the branch that went there.
                    _current = null;
                    if (cpu->Attention != 0 || cpu->Budget < 0)
                    {
                        _exit = new CpuExit { Kind = ExitKind.Attention, InstructionEip = cpu->Arch.Eip };
                        break;
                    }

                    if ((_mode & CodeMode.Single) != 0)
                    {
                        // Without blocks: 16-bit or based code, which breakpoints know by its linear address.
                        if (IsBreakpoint(cpu->Arch.Cs.Base + cpu->Arch.Eip))
                            ExitAtBreakpoint(cpu->Arch.Eip);
                        else
                            RunSingle(cpu);
                    }
                    else
                    {
                        MicroOp* op = FindBlock(cpu->Arch.Eip);
                        if (Quietly)
                            RunBlocksQuietly(cpu, op);
                        else
                            RunBlocks(cpu, op);
                    }
                }

                break;
            }
            catch (GuestFault fault)
            {
                TakeFault(fault);
                break;
            }
            catch (WatchHit hit)
            {
                StepOverAccess(hit);
                break;
            }
        }

        cpu->Instructions += (ulong)(budget - (long)cpu->Budget);
        Times?.Enter(RunPhase.Engine);
        return _exit;
    }

    /// <summary>Ends the run with an exit that is not a fault. The handler returns null behind it.</summary>
    internal MicroOp* Exit(ExitKind kind, uint eip, MicroOp* op, byte vector = 0)
    {
        _exit = new CpuExit { Kind = kind, Vector = vector, InstructionEip = op->Eip };
        _hasExit = true;
        Cpu->Arch.Eip = eip;
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

    /// <summary>Set by MOV and POP to %ss.</summary>
    internal bool StackSegmentLoaded { get; set; }

    /// <summary>What was compiled under an index.</summary>
    internal FloatingPointOperation FloatOperation(uint index) => _floatOperations[(int)index];

    /// <summary>Compiles an instruction of the floating point unit, which is made when the first one comes.</summary>
    /// <returns>Its index, or null when it is none of them.</returns>
    internal uint? CompileFloat(in Iced.Intel.Instruction instruction, out FloatingPointOperation? operation)
    {
        _floatingPoint ??= new FloatingPointUnit();
        operation = _floatingPoint.Compile(in instruction);
        if (operation is null)
            return null;
        if (!_floatIndexes.TryGetValue(operation, out uint index))
        {
            index = (uint)_floatOperations.Count;
            _floatOperations.Add(operation);
            _floatIndexes.Add(operation, index);
        }

        return index;
    }

    /// <inheritdoc/>
    protected override void ContextChanged(in GuestContext before)
    {
        // It comes back for everything.
    }

    /// <inheritdoc/>
    public override void SetDeadline(long deadline, long nanoseconds)
    {
        // It is back in time by counting.
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _floatingPoint?.Dispose();
        Memory.RemoveObserver(this);
        FreeTables();

        // Null, if the tables could not be had.
        _builder?.Dispose();
    }

    private void RunBlocks(CpuState* cpu, MicroOp* op)
    {
        _quietLoop = false;
        while (op != null)
        {
            _current = op;
            op = op->Handler(this, cpu, op);
        }
    }

    /// <summary>
    /// One instruction, decoded afresh. With TF set before it the processor traps after it, unless it was a MOV or POP to %ss,
    /// which %esp is to follow undisturbed; the trap's EIP is the next instruction.
    /// </summary>
    private void RunSingle(CpuState* cpu)
    {
        bool trap = (cpu->Arch.SystemFlags & EFlags.Trap) != 0;
        StackSegmentLoaded = false;
        MicroOp* op = _builder.BuildSingle(cpu->Arch.Eip);
        MicroOp* last = op;
        while (op != null)
        {
            _current = op;
            last = op;
            op = op->Handler(this, cpu, op);
        }

        if (trap && !_hasExit && !StackSegmentLoaded)
        {
            cpu->Arch.SingleStepped = DebugStatus.SingleStep;
            _exit = new CpuExit { Kind = ExitKind.Exception, Vector = ExceptionVector.Debug, InstructionEip = last->Eip };
            _hasExit = true;
        }
    }

    private void TakeFault(GuestFault fault)
    {
        _quietLoop = false;

        // A fault without an instruction is one of fetching it: EIP is right already.
        if (_current != null)
        {
            Cpu->Arch.Eip = _current->Eip;
            Cpu->Budget -= _current->Position;
        }

        _exit = fault.KillReason is { } reason
            ? new CpuExit { Kind = ExitKind.Killed, Reason = reason, InstructionEip = Cpu->Arch.Eip }
            : new CpuExit
            {
                Kind = ExitKind.Exception,
                Vector = fault.Vector,
                ErrorCode = fault.ErrorCode,
                FaultAddress = fault.Address,
                InstructionEip = Cpu->Arch.Eip,
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
