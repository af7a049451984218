// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;
using Lguest.GuestAbi;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>x87, MMX, SSE and SSE2, and a few instructions that only touch memory.</summary>
internal static unsafe class FloatOps
{
    /// <summary>
    /// An instruction that the host's own unit executes. The unit never sees guest memory: its operand is copied to
    /// <see cref="CpuState.Scratch"/> and back, here, where faults are understood.
    /// </summary>
    public static MicroOp* Execute(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        FloatingPointOperation operation = core.FloatOperation(op->Immediate);
        if (Unavailable(cpu, operation) is var unavailable and not 0)
            return core.RaiseQuietly(op, unavailable);
        uint address = 0;
        int bytes = operation.OperandBytes;
        if (bytes != 0)
        {
            address = op->Second != 0 ? core.SegmentAddress((SegmentName)op->Extra, Operand.Address(cpu, op) & Mask(op), (uint)bytes, operation.Writes) : Operand.Address(cpu, op);
            if (operation.AlignmentRequired > 1 && (address & (operation.AlignmentRequired - 1)) != 0)
                throw core.RaiseProtection();
            if (operation.Writes)
                core.ProbeWrite(address, bytes);
            if (operation.Reads)
                core.CopyFrom(address, cpu->Scratch, bytes);
        }

        cpu->Arch.Eip = op->Eip;
        cpu->Interpreter.EffectiveAddress = address;
        byte vector = operation.Execute(cpu);
        if (vector != 0)
            throw core.Raise(vector);
        if (operation.Writes)
            core.CopyTo(address, cpu->Scratch, bytes);
        return op + 1;
    }

    /// <summary>Goes in front of working out an address that can fault by itself.</summary>
    public static MicroOp* CheckAvailable(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        byte unavailable = Unavailable(cpu, core.FloatOperation(op->Immediate));
        return unavailable != 0 ? core.RaiseQuietly(op, unavailable) : op + 1;
    }

    /// <summary>CLFLUSH: nothing but a read that may fault.</summary>
    public static MicroOp* Touch(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        core.ReadLinear<Width8>(cpu, Operand.Address(cpu, op));
        return op + 1;
    }

    /// <summary>SMSW to memory.</summary>
    public static MicroOp* StoreMachineStatus(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        core.WriteLinear<Width16>(cpu, Operand.Address(cpu, op), 0x33u | (cpu->Arch.TaskSwitched != 0 ? 8u : 0));
        return op + 1;
    }

    // No unit, or an exception left behind by an earlier instruction, comes before anything that is wrong with the operand.
    private static byte Unavailable(CpuState* cpu, FloatingPointOperation operation) =>
        cpu->Arch.TaskSwitched != 0 ? ExceptionVector.DeviceNotAvailable : operation.IsHeldUp(cpu) ? ExceptionVector.MathFault : (byte)0;

    private static uint Mask(MicroOp* op) => (op->Second & SegmentOps.Address16) != 0 ? 0xFFFFu : uint.MaxValue;
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>x87, MMX, SSE and SSE2: whatever the unit for them knows.</summary>
    private Handler SelectFloat(in Instruction i)
    {
        if (_core.CompileFloat(in i, out FloatingPointOperation? operation) is not { } index)
            return null;
        if (operation!.ImplicitDestination)
        {
            bool address16 = i.Op0Kind == OpKind.MemorySegDI;
            _proto.Base = Offset(Register.EDI);
            _proto.Second = 0x8000_0000 | (address16 ? SegmentOps.Address16 : 0);
            _proto.Extra = (byte)SegmentOf(i.MemorySegment);
        }
        else if (operation.OperandBytes != 0)
        {
            MicroOp* before = _op;
            Memory(in i, operation.OperandBytes, operation.Writes);
            if (_op != before)
            {
                // Room in front of the op that works out the address.
                _op[0] = _op[-1];
                _op[-1] = _proto;
                _op[-1].Immediate = index;
                _op[-1].Handler = &FloatOps.CheckAvailable;
                _op++;
            }
        }

        _proto.Immediate = index;
        return &FloatOps.Execute;
    }
}
