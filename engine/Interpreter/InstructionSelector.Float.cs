// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>Floating point: whatever the unit for it knows.</summary>
internal sealed unsafe partial class InstructionSelector
{
    private Handler SelectFloat(in Instruction i)
    {
        if (i.Mnemonic == Mnemonic.Movnti)
        {
            // A plain store of a general register that hints at caches, which are not ours.
            if (Width(in i, 0) != 4)
                return null;
            _proto.Source = Offset(i.Op1Register);
            Memory(in i, 4, write: true);
            return &MoveOps.ToMem<FromRegister, Width32>;
        }

        if (_core.CompileFloat(in i, out FloatingPointOperation? operation) is not { } index)
            return null;
        if (operation!.ImplicitDestination)
        {
            bool address16 = i.Op0Kind == OpKind.MemorySegDI;
            _proto.Base = (int)GeneralRegister.Edi * 4;
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
