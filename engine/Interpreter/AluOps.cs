// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>An operation on two operands that sets all six flags.</summary>
internal unsafe interface IAlu
{
    /// <summary>Whether the result goes to the first operand (CMP and TEST only set flags).</summary>
    static abstract bool Writes { get; }

    /// <summary>Works it out and sets the flags. Operands are zero-extended; of the result only the low bits count.</summary>
    static abstract uint Run<TWidth>(CpuState* cpu, uint a, uint b)
        where TWidth : struct, IWidth;
}

/// <summary>ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST in all their operand forms.</summary>
internal static unsafe class AluOps
{
    public static MicroOp* RegReg<TAlu, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TAlu : struct, IAlu
        where TWidth : struct, IWidth
    {
        uint result = TAlu.Run<TWidth>(cpu, Operand.Get<TWidth>(cpu, op->Destination), Operand.Get<TWidth>(cpu, op->Source));
        if (TAlu.Writes)
            Operand.Set<TWidth>(cpu, op->Destination, result);
        return op + 1;
    }

    public static MicroOp* RegImm<TAlu, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TAlu : struct, IAlu
        where TWidth : struct, IWidth
    {
        uint result = TAlu.Run<TWidth>(cpu, Operand.Get<TWidth>(cpu, op->Destination), op->Immediate);
        if (TAlu.Writes)
            Operand.Set<TWidth>(cpu, op->Destination, result);
        return op + 1;
    }

    public static MicroOp* RegMem<TAlu, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TAlu : struct, IAlu
        where TWidth : struct, IWidth
    {
        uint b = core.ReadLinear<TWidth>(cpu, Operand.Address(cpu, op));
        uint result = TAlu.Run<TWidth>(cpu, Operand.Get<TWidth>(cpu, op->Destination), b);
        if (TAlu.Writes)
            Operand.Set<TWidth>(cpu, op->Destination, result);
        return op + 1;
    }

    public static MicroOp* MemReg<TAlu, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TAlu : struct, IAlu
        where TWidth : struct, IWidth =>
        Memory<TAlu, TWidth>(core, cpu, op, Operand.Get<TWidth>(cpu, op->Source));

    public static MicroOp* MemImm<TAlu, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TAlu : struct, IAlu
        where TWidth : struct, IWidth =>
        Memory<TAlu, TWidth>(core, cpu, op, op->Immediate);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static MicroOp* Memory<TAlu, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op, uint b)
        where TAlu : struct, IAlu
        where TWidth : struct, IWidth
    {
        uint address = Operand.Address(cpu, op);
        if (!TAlu.Writes)
        {
            TAlu.Run<TWidth>(cpu, core.ReadLinear<TWidth>(cpu, address), b);
            return op + 1;
        }

        byte* place = InterpreterCore.InPlace(cpu, address, TWidth.Size);
        if (place != null)
        {
            TWidth.Store(place, TAlu.Run<TWidth>(cpu, TWidth.Load(place), b));
            return op + 1;
        }

        place = core.BeginModify(address, TWidth.Size);
        TWidth.Store(place, TAlu.Run<TWidth>(cpu, TWidth.Load(place), b));
        core.EndModify();
        return op + 1;
    }
}

// [I:160+14] An instruction
// This is what the processor does for ADD: the sum goes where the operand came from, and two words are kept from which all six
// flags can be worked out. Widths and operand forms are type arguments, so that the compiler makes a function of its own, without
// a test in it, for each.
internal readonly unsafe struct Add : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, uint a, uint b)
        where TWidth : struct, IWidth
    {
        uint result = a + b;
        cpu->Arch.FlagResult = TWidth.Extend(result);
        cpu->Arch.FlagAux = AluFlags.Add<TWidth>(a, b, result);
        return result;
    }
}

internal readonly unsafe struct Adc : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, uint a, uint b)
        where TWidth : struct, IWidth
    {
        uint result = a + b + LazyFlags.Carry(cpu->Arch.FlagAux);
        cpu->Arch.FlagResult = TWidth.Extend(result);
        cpu->Arch.FlagAux = AluFlags.Add<TWidth>(a, b, result);
        return result;
    }
}

internal readonly unsafe struct Sub : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, uint a, uint b)
        where TWidth : struct, IWidth
    {
        uint result = a - b;
        cpu->Arch.FlagResult = TWidth.Extend(result);
        cpu->Arch.FlagAux = AluFlags.Subtract<TWidth>(a, b, result);
        return result;
    }
}

internal readonly unsafe struct Sbb : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, uint a, uint b)
        where TWidth : struct, IWidth
    {
        uint result = a - b - LazyFlags.Carry(cpu->Arch.FlagAux);
        cpu->Arch.FlagResult = TWidth.Extend(result);
        cpu->Arch.FlagAux = AluFlags.Subtract<TWidth>(a, b, result);
        return result;
    }
}

internal readonly unsafe struct Cmp : IAlu
{
    public static bool Writes => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, uint a, uint b)
        where TWidth : struct, IWidth => Sub.Run<TWidth>(cpu, a, b);
}

internal readonly unsafe struct And : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, uint a, uint b)
        where TWidth : struct, IWidth => AluFlags.Logic<TWidth>(cpu, a & b);
}

internal readonly unsafe struct Or : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, uint a, uint b)
        where TWidth : struct, IWidth => AluFlags.Logic<TWidth>(cpu, a | b);
}

internal readonly unsafe struct Xor : IAlu
{
    public static bool Writes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, uint a, uint b)
        where TWidth : struct, IWidth => AluFlags.Logic<TWidth>(cpu, a ^ b);
}

internal readonly unsafe struct Test : IAlu
{
    public static bool Writes => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, uint a, uint b)
        where TWidth : struct, IWidth => AluFlags.Logic<TWidth>(cpu, a & b);
}

/// <summary>The flags of the commonest results.</summary>
internal static unsafe class AluFlags
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Add<TWidth>(uint a, uint b, uint result)
        where TWidth : struct, IWidth =>
        TWidth.Shift == 0 ? LazyFlags.AddCarries(a, b, result) : LazyFlags.Narrow((a & b) | ((a | b) & ~result), TWidth.Shift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Subtract<TWidth>(uint a, uint b, uint result)
        where TWidth : struct, IWidth =>
        TWidth.Shift == 0 ? LazyFlags.SubtractBorrows(a, b, result) : LazyFlags.Narrow((~a & b) | ((~a | b) & result), TWidth.Shift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Logic<TWidth>(CpuState* cpu, uint result)
        where TWidth : struct, IWidth
    {
        cpu->Arch.FlagResult = TWidth.Extend(result);
        cpu->Arch.FlagAux = 0;
        return result;
    }

    /// <summary>Sets CF alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetCarry(CpuState* cpu, uint carry)
    {
        uint overflow = (cpu->Arch.FlagAux ^ (cpu->Arch.FlagAux << 1)) >> 31;
        SetCarryOverflow(cpu, carry, overflow);
    }

    /// <summary>Sets CF and OF, leaving the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetCarryOverflow(CpuState* cpu, uint carry, uint overflow) =>
        cpu->Arch.FlagAux = (cpu->Arch.FlagAux & 0x3FFF_FFFF) | LazyFlags.Make(carry, overflow, 0);

    /// <summary>Sets ZF alone.</summary>
    public static void SetZero(CpuState* cpu, bool zero)
    {
        uint flags = cpu->Arch.Flags;
        cpu->Arch.Flags = zero ? flags | EFlags.Zero : flags & ~EFlags.Zero;
    }
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>Two operands and all flags.</summary>
    private Handler SelectArithmetic(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Add:
                return Alu<Add>(in i);
            case Mnemonic.Or:
                return Alu<Or>(in i);
            case Mnemonic.Adc:
                return Alu<Adc>(in i);
            case Mnemonic.Sbb:
                return Alu<Sbb>(in i);
            case Mnemonic.And:
                return Alu<And>(in i);
            case Mnemonic.Sub:
                return Alu<Sub>(in i);
            case Mnemonic.Xor:
                return Alu<Xor>(in i);
            case Mnemonic.Cmp:
                return Alu<Cmp>(in i);
            case Mnemonic.Test:
                return Alu<Test>(in i);
            default:
                return null;
        }
    }

    private Handler Alu<TAlu>(in Instruction i)
        where TAlu : struct, IAlu
    {
        int width = Width(in i, 0);
        if (IsMemory(in i, 0))
        {
            Memory(in i, width, TAlu.Writes);
            if (IsRegister(in i, 1))
            {
                _proto.Source = Offset(i.Op1Register);
                return ByWidth(width, &AluOps.MemReg<TAlu, Width8>, &AluOps.MemReg<TAlu, Width16>, &AluOps.MemReg<TAlu, Width32>);
            }

            _proto.Immediate = Immediate(in i, 1, width);
            return ByWidth(width, &AluOps.MemImm<TAlu, Width8>, &AluOps.MemImm<TAlu, Width16>, &AluOps.MemImm<TAlu, Width32>);
        }

        _proto.Destination = Offset(i.Op0Register);
        if (IsMemory(in i, 1))
        {
            Memory(in i, width, write: false);
            return ByWidth(width, &AluOps.RegMem<TAlu, Width8>, &AluOps.RegMem<TAlu, Width16>, &AluOps.RegMem<TAlu, Width32>);
        }

        if (IsRegister(in i, 1))
        {
            _proto.Source = Offset(i.Op1Register);
            return ByWidth(width, &AluOps.RegReg<TAlu, Width8>, &AluOps.RegReg<TAlu, Width16>, &AluOps.RegReg<TAlu, Width32>);
        }

        _proto.Immediate = Immediate(in i, 1, width);
        return ByWidth(width, &AluOps.RegImm<TAlu, Width8>, &AluOps.RegImm<TAlu, Width16>, &AluOps.RegImm<TAlu, Width32>);
    }
}
