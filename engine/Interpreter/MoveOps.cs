// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Interpreter;

/// <summary>Instructions that move data and leave the flags alone.</summary>
internal static unsafe class MoveOps
{
    /// <summary>MOV to a register.</summary>
    public static MicroOp* ToReg<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        Operand.Set<TWidth>(cpu, op->Destination, TSource.Get<TWidth>(core, cpu, op));
        return op + 1;
    }

    /// <summary>MOV to memory.</summary>
    public static MicroOp* ToMem<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        core.WriteLinear<TWidth>(cpu, Operand.Address(cpu, op), TSource.Get<TWidth>(core, cpu, op));
        return op + 1;
    }

    /// <summary>MOVZX.</summary>
    public static MicroOp* ZeroExtend<TSource, TFrom, TTo>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TFrom : struct, IWidth
        where TTo : struct, IWidth
    {
        Operand.Set<TTo>(cpu, op->Destination, TSource.Get<TFrom>(core, cpu, op));
        return op + 1;
    }

    /// <summary>MOVSX.</summary>
    public static MicroOp* SignExtend<TSource, TFrom, TTo>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TFrom : struct, IWidth
        where TTo : struct, IWidth
    {
        Operand.Set<TTo>(cpu, op->Destination, (uint)TFrom.Extend(TSource.Get<TFrom>(core, cpu, op)));
        return op + 1;
    }

    /// <summary>LEA. The address was worked out without its segment.</summary>
    public static MicroOp* Lea<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        Operand.Set<TWidth>(cpu, op->Destination, Operand.Address(cpu, op));
        return op + 1;
    }

    /// <summary>XCHG of registers.</summary>
    public static MicroOp* ExchangeReg<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint a = Operand.Get<TWidth>(cpu, op->Destination);
        Operand.Set<TWidth>(cpu, op->Destination, Operand.Get<TWidth>(cpu, op->Source));
        Operand.Set<TWidth>(cpu, op->Source, a);
        return op + 1;
    }

    /// <summary>XCHG with memory.</summary>
    public static MicroOp* ExchangeMem<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        byte* place = core.BeginModify(Operand.Address(cpu, op), TWidth.Size);
        uint old = TWidth.Load(place);
        TWidth.Store(place, Operand.Get<TWidth>(cpu, op->Source));
        core.EndModify();
        Operand.Set<TWidth>(cpu, op->Source, old);
        return op + 1;
    }

    /// <summary>CMOVcc. The source is read even when nothing is moved: it may fault.</summary>
    public static MicroOp* Conditional<TCondition, TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TCondition : struct, ICondition
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        uint value = TSource.Get<TWidth>(core, cpu, op);
        if (TCondition.Holds(cpu))
            Operand.Set<TWidth>(cpu, op->Destination, value);
        return op + 1;
    }

    /// <summary>SETcc of a register.</summary>
    public static MicroOp* SetReg<TCondition>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TCondition : struct, ICondition
    {
        Operand.Set<Width8>(cpu, op->Destination, TCondition.Holds(cpu) ? 1u : 0);
        return op + 1;
    }

    /// <summary>SETcc of memory.</summary>
    public static MicroOp* SetMem<TCondition>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TCondition : struct, ICondition
    {
        core.WriteLinear<Width8>(cpu, Operand.Address(cpu, op), TCondition.Holds(cpu) ? 1u : 0);
        return op + 1;
    }

    /// <summary>CBW.</summary>
    public static MicroOp* ConvertByte(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        *(ushort*)cpu = (ushort)*(sbyte*)cpu;
        return op + 1;
    }

    /// <summary>CWDE.</summary>
    public static MicroOp* ConvertWord(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        *(uint*)cpu = (uint)*(short*)cpu;
        return op + 1;
    }

    /// <summary>CWD, CDQ.</summary>
    public static MicroOp* SpreadSign<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        Operand.Set<TWidth>(cpu, (int)GeneralRegister.Edx * 4, TWidth.Extend(Operand.Get<TWidth>(cpu, 0)) < 0 ? uint.MaxValue : 0);
        return op + 1;
    }

    /// <summary>XLAT: %al from a table; the address was worked out ahead.</summary>
    public static MicroOp* TableLookup(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        *(byte*)cpu = (byte)core.ReadLinear<Width8>(cpu, Operand.Address(cpu, op));
        return op + 1;
    }

    /// <summary>LAHF.</summary>
    public static MicroOp* LoadFlags(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        *((byte*)cpu + 1) = (byte)cpu->Flags;
        return op + 1;
    }

    /// <summary>SAHF.</summary>
    public static MicroOp* StoreFlags(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        const uint low = EFlags.Sign | EFlags.Zero | EFlags.Adjust | EFlags.Parity | EFlags.Carry;
        cpu->Flags = (cpu->Flags & ~low) | (*((byte*)cpu + 1) & low);
        return op + 1;
    }

    /// <summary>SALC: %al from CF.</summary>
    public static MicroOp* SetFromCarry(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        *(byte*)cpu = (byte)(0 - LazyFlags.Carry(cpu->FlagAux));
        return op + 1;
    }

    public static MicroOp* Nop(InterpreterCore core, CpuState* cpu, MicroOp* op) => op + 1;

    /// <summary>CLC, STC (<see cref="MicroOp.Immediate"/> is the new CF).</summary>
    public static MicroOp* SetCarry(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        AluFlags.SetCarry(cpu, op->Immediate);
        return op + 1;
    }

    /// <summary>CMC.</summary>
    public static MicroOp* ComplementCarry(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        AluFlags.SetCarry(cpu, LazyFlags.Carry(cpu->FlagAux) ^ 1);
        return op + 1;
    }

    /// <summary>CLD, STD.</summary>
    public static MicroOp* SetDirection(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        cpu->SystemFlags = (cpu->SystemFlags & ~EFlags.Direction) | (op->Immediate != 0 ? EFlags.Direction : 0);
        return op + 1;
    }
}
