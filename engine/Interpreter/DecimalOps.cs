// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>The decimal adjustments (Intel SDM vol. 2: AAA, AAD, AAM, AAS, DAA, DAS).</summary>
internal static unsafe class DecimalOps
{
    public static MicroOp* Daa(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        uint flags = cpu->Arch.Flags;
        uint al = *(byte*)cpu->Arch.Registers;
        uint result = al;
        uint carry = flags & EFlags.Carry;
        uint adjust = 0;
        if ((al & 0xF) > 9 || (flags & EFlags.Adjust) != 0)
        {
            result += 6;
            adjust = 1;
        }

        bool high = al > 0x99 || carry != 0;
        if (high)
            result += 0x60;
        Finish(cpu, result, high ? 1u : 0, adjust);
        return op + 1;
    }

    public static MicroOp* Das(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        uint flags = cpu->Arch.Flags;
        uint al = *(byte*)cpu->Arch.Registers;
        uint result = al;
        uint carry = flags & EFlags.Carry;
        uint newCarry = 0;
        uint adjust = 0;
        if ((al & 0xF) > 9 || (flags & EFlags.Adjust) != 0)
        {
            result -= 6;
            newCarry = carry | (al < 6 ? 1u : 0);
            adjust = 1;
        }

        if (al > 0x99 || carry != 0)
        {
            result -= 0x60;
            newCarry = 1;
        }

        Finish(cpu, result, newCarry, adjust);
        return op + 1;
    }

    public static MicroOp* Aaa(InterpreterCore core, CpuState* cpu, MicroOp* op) => AdjustAscii(cpu, op, 0x106);

    public static MicroOp* Aas(InterpreterCore core, CpuState* cpu, MicroOp* op) => AdjustAscii(cpu, op, unchecked((ushort)-0x106));

    public static MicroOp* Aam(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        uint divisor = op->Immediate & 0xFF;
        if (divisor == 0)
            throw core.Raise(ExceptionVector.DivideError);
        uint al = *(byte*)cpu->Arch.Registers;
        *(ushort*)cpu->Arch.Registers = (ushort)((al / divisor << 8) | (al % divisor));
        Finish(cpu, al % divisor, 0, 0);
        return op + 1;
    }

    public static MicroOp* Aad(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        uint ax = *(ushort*)cpu->Arch.Registers;
        uint al = ((ax & 0xFF) + ((ax >> 8) * (op->Immediate & 0xFF))) & 0xFF;
        *(ushort*)cpu->Arch.Registers = (ushort)al;
        Finish(cpu, al, 0, 0);
        return op + 1;
    }

    private static MicroOp* AdjustAscii(CpuState* cpu, MicroOp* op, uint step)
    {
        uint flags = cpu->Arch.Flags;
        uint ax = *(ushort*)cpu->Arch.Registers;
        bool adjust = (ax & 0xF) > 9 || (flags & EFlags.Adjust) != 0;
        if (adjust)
            ax += step;
        *(ushort*)cpu->Arch.Registers = (ushort)(ax & 0xFF0F);
        Finish(cpu, ax & 0xF, adjust ? 1u : 0, adjust ? 1u : 0);
        return op + 1;
    }

    private static void Finish(CpuState* cpu, uint al, uint carry, uint adjust)
    {
        *(byte*)cpu->Arch.Registers = (byte)al;
        cpu->Arch.FlagResult = (sbyte)al;
        cpu->Arch.FlagAux = LazyFlags.Make(carry, 0, adjust);
    }
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>Decimal adjustments.</summary>
    private Handler SelectDecimal(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Daa:
                return &DecimalOps.Daa;
            case Mnemonic.Das:
                return &DecimalOps.Das;
            case Mnemonic.Aaa:
                return &DecimalOps.Aaa;
            case Mnemonic.Aas:
                return &DecimalOps.Aas;
            case Mnemonic.Aam:
                _proto.Immediate = i.Immediate8;
                return &DecimalOps.Aam;
            case Mnemonic.Aad:
                _proto.Immediate = i.Immediate8;
                return &DecimalOps.Aad;
            default:
                return null;
        }
    }
}
