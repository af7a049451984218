// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>An operation on one operand, in place. May need a second (a count, a register): it finds it in the op.</summary>
internal unsafe interface IUnary
{
    static abstract uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth;
}

/// <summary>INC, DEC, NOT, NEG, shifts, rotates and bit changes: whatever reads a place and writes it again.</summary>
internal static unsafe class UnaryOps
{
    public static MicroOp* Reg<TUnary, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TUnary : struct, IUnary
        where TWidth : struct, IWidth
    {
        Operand.Set<TWidth>(cpu, op->Destination, TUnary.Run<TWidth>(cpu, op, Operand.Get<TWidth>(cpu, op->Destination)));
        return op + 1;
    }

    public static MicroOp* Mem<TUnary, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TUnary : struct, IUnary
        where TWidth : struct, IWidth =>
        At<TUnary, TWidth>(core, cpu, op, Operand.Address(cpu, op));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static MicroOp* At<TUnary, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op, uint address)
        where TUnary : struct, IUnary
        where TWidth : struct, IWidth
    {
        byte* place = InterpreterCore.InPlace(cpu, address, TWidth.Size);
        if (place != null)
        {
            TWidth.Store(place, TUnary.Run<TWidth>(cpu, op, TWidth.Load(place)));
            return op + 1;
        }

        place = core.BeginModify(address, TWidth.Size);
        TWidth.Store(place, TUnary.Run<TWidth>(cpu, op, TWidth.Load(place)));
        core.EndModify();
        return op + 1;
    }

    /// <summary>BSWAP; of a 16-bit register undefined: processors clear it.</summary>
    public static MicroOp* ByteSwap<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        Operand.Set<TWidth>(cpu, op->Destination, TWidth.Size == 2 ? 0 : BinaryPrimitives.ReverseEndianness(Operand.Get<Width32>(cpu, op->Destination)));
        return op + 1;
    }
}

internal readonly unsafe struct Inc : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        uint result = a + 1;
        int extended = TWidth.Extend(result);
        uint overflow = extended == int.MinValue >> TWidth.Shift ? 1u : 0;
        cpu->Arch.FlagResult = extended;
        cpu->Arch.FlagAux = LazyFlags.Make(LazyFlags.Carry(cpu->Arch.FlagAux), overflow, (result & 0xF) == 0 ? 1u : 0);
        return result;
    }
}

internal readonly unsafe struct Dec : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        uint result = a - 1;
        int extended = TWidth.Extend(result);
        uint overflow = extended == int.MaxValue >> TWidth.Shift ? 1u : 0;
        cpu->Arch.FlagResult = extended;
        cpu->Arch.FlagAux = LazyFlags.Make(LazyFlags.Carry(cpu->Arch.FlagAux), overflow, (result & 0xF) == 0xF ? 1u : 0);
        return result;
    }
}

internal readonly unsafe struct Not : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth => ~a;
}

internal readonly unsafe struct Neg : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth => Sub.Run<TWidth>(cpu, 0, a);
}

/// <summary>Where a shift finds its count.</summary>
internal unsafe interface ICount
{
    static abstract int Get(CpuState* cpu, MicroOp* op);
}

internal readonly unsafe struct ImmediateCount : ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Get(CpuState* cpu, MicroOp* op) => (int)(op->Immediate & 31);
}

internal readonly unsafe struct ClCount : ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Get(CpuState* cpu, MicroOp* op) => (int)(cpu->Arch.Registers[(int)GeneralRegister.Ecx] & 31);
}

internal readonly unsafe struct Shl<TCount> : IUnary
    where TCount : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        int count = TCount.Get(cpu, op);
        if (count == 0)
            return a;
        ulong wide = (ulong)a << count;
        uint carry = (uint)(wide >> (32 - TWidth.Shift)) & 1;
        int extended = TWidth.Extend((uint)wide);
        cpu->Arch.FlagResult = extended;
        cpu->Arch.FlagAux = LazyFlags.Make(carry, carry ^ ((uint)extended >> 31), 0);
        return (uint)wide;
    }
}

internal readonly unsafe struct Shr<TCount> : IUnary
    where TCount : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        int count = TCount.Get(cpu, op);
        if (count == 0)
            return a;
        uint carry = (a >> (count - 1)) & 1;
        uint result = a >> count;
        int extended = TWidth.Extend(result);

        // OF: the top two bits of the result differ; for a count of 1 that is the operand's old top bit.
        uint overflow = (uint)(extended ^ (extended << 1)) >> 31;
        if (TWidth.Shift != 0)
            overflow = ((result << TWidth.Shift) ^ (result << (TWidth.Shift + 1))) >> 31;
        cpu->Arch.FlagResult = extended;
        cpu->Arch.FlagAux = LazyFlags.Make(carry, overflow, 0);
        return result;
    }
}

internal readonly unsafe struct Sar<TCount> : IUnary
    where TCount : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        int count = TCount.Get(cpu, op);
        if (count == 0)
            return a;
        int value = TWidth.Extend(a);
        int result = value >> count;
        cpu->Arch.FlagResult = result;
        cpu->Arch.FlagAux = LazyFlags.Make((uint)(value >> (count - 1)) & 1, 0, 0);
        return (uint)result;
    }
}

internal readonly unsafe struct Rol<TCount> : IUnary
    where TCount : struct, ICount
{
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        int count = TCount.Get(cpu, op);
        if (count == 0)
            return a;
        int bits = 32 - TWidth.Shift;
        int turn = count & (bits - 1);
        uint mask = uint.MaxValue >> TWidth.Shift;
        uint result = turn == 0 ? a : ((a << turn) | ((a & mask) >> (bits - turn))) & mask;
        uint carry = result & 1;
        AluFlags.SetCarryOverflow(cpu, carry, carry ^ (result >> (bits - 1)));
        return result;
    }
}

internal readonly unsafe struct Ror<TCount> : IUnary
    where TCount : struct, ICount
{
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        int count = TCount.Get(cpu, op);
        if (count == 0)
            return a;
        int bits = 32 - TWidth.Shift;
        int turn = count & (bits - 1);
        uint mask = uint.MaxValue >> TWidth.Shift;
        uint result = turn == 0 ? a : (((a & mask) >> turn) | (a << (bits - turn))) & mask;
        uint carry = result >> (bits - 1);
        AluFlags.SetCarryOverflow(cpu, carry, carry ^ ((result >> (bits - 2)) & 1));
        return result;
    }
}

internal readonly unsafe struct Rcl<TCount> : IUnary
    where TCount : struct, ICount
{
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        int bits = 32 - TWidth.Shift;
        int count = TCount.Get(cpu, op) % (bits + 1);
        if (count == 0)
            return a;

        // A ring of bits + 1: the operand with CF above it.
        ulong ring = ((ulong)LazyFlags.Carry(cpu->Arch.FlagAux) << bits) | a;
        ring = (ring << count) | (ring >> (bits + 1 - count));
        uint carry = (uint)(ring >> bits) & 1;
        uint result = (uint)ring & (uint.MaxValue >> TWidth.Shift);
        AluFlags.SetCarryOverflow(cpu, carry, carry ^ (result >> (bits - 1)));
        return result;
    }
}

internal readonly unsafe struct Rcr<TCount> : IUnary
    where TCount : struct, ICount
{
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        int bits = 32 - TWidth.Shift;
        int count = TCount.Get(cpu, op) % (bits + 1);
        if (count == 0)
            return a;
        ulong ring = ((ulong)LazyFlags.Carry(cpu->Arch.FlagAux) << bits) | a;
        ring = (ring >> count) | (ring << (bits + 1 - count));
        uint carry = (uint)(ring >> bits) & 1;
        uint result = (uint)ring & (uint.MaxValue >> TWidth.Shift);
        AluFlags.SetCarryOverflow(cpu, carry, ((result >> (bits - 1)) ^ (result >> (bits - 2))) & 1);
        return result;
    }
}

/// <summary>SHLD: the count, then bits of the source register come in from the right.</summary>
internal readonly unsafe struct ShlDouble<TCount> : IUnary
    where TCount : struct, ICount
{
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        int count = TCount.Get(cpu, op);
        if (count == 0)
            return a;
        uint source = Operand.Get<TWidth>(cpu, op->Source);
        uint result;
        uint carry;
        if (TWidth.Size == 4)
        {
            result = (a << count) | (source >> (32 - count));
            carry = (a >> (32 - count)) & 1;
        }
        else
        {
            // Counts above 16 are undefined; processors go on shifting the operand itself in behind the source.
            ulong wide = ((ulong)a << 32) | (source << 16) | a;
            wide <<= count;
            result = (uint)(wide >> 32) & 0xFFFF;
            carry = (uint)(wide >> 48) & 1;
        }

        int extended = TWidth.Extend(result);
        cpu->Arch.FlagResult = extended;
        cpu->Arch.FlagAux = LazyFlags.Make(carry, (uint)(extended ^ TWidth.Extend(a)) >> 31, 0);
        return result;
    }
}

/// <summary>SHRD.</summary>
internal readonly unsafe struct ShrDouble<TCount> : IUnary
    where TCount : struct, ICount
{
    public static uint Run<TWidth>(CpuState* cpu, MicroOp* op, uint a)
        where TWidth : struct, IWidth
    {
        int count = TCount.Get(cpu, op);
        if (count == 0)
            return a;
        uint source = Operand.Get<TWidth>(cpu, op->Source);
        ulong wide = TWidth.Size == 4 ? ((ulong)source << 32) | a : ((ulong)a << 32) | (source << 16) | a;
        uint carry = (uint)(wide >> (count - 1)) & 1;
        uint result = (uint)(wide >> count) & (uint.MaxValue >> TWidth.Shift);
        int extended = TWidth.Extend(result);
        cpu->Arch.FlagResult = extended;
        cpu->Arch.FlagAux = LazyFlags.Make(carry, (uint)(extended ^ TWidth.Extend(a)) >> 31, 0);
        return result;
    }
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>One operand, shifts and rotates.</summary>
    private Handler SelectUnary(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Inc:
                return Unary<Inc>(in i);
            case Mnemonic.Dec:
                return Unary<Dec>(in i);
            case Mnemonic.Not:
                return Unary<Not>(in i);
            case Mnemonic.Neg:
                return Unary<Neg>(in i);
            case Mnemonic.Shl:
            case Mnemonic.Sal:
                return ShiftByCl(in i) ? Unary<Shl<ClCount>>(in i) : Unary<Shl<ImmediateCount>>(in i);
            case Mnemonic.Shr:
                return ShiftByCl(in i) ? Unary<Shr<ClCount>>(in i) : Unary<Shr<ImmediateCount>>(in i);
            case Mnemonic.Sar:
                return ShiftByCl(in i) ? Unary<Sar<ClCount>>(in i) : Unary<Sar<ImmediateCount>>(in i);
            case Mnemonic.Rol:
                return ShiftByCl(in i) ? Unary<Rol<ClCount>>(in i) : Unary<Rol<ImmediateCount>>(in i);
            case Mnemonic.Ror:
                return ShiftByCl(in i) ? Unary<Ror<ClCount>>(in i) : Unary<Ror<ImmediateCount>>(in i);
            case Mnemonic.Rcl:
                return ShiftByCl(in i) ? Unary<Rcl<ClCount>>(in i) : Unary<Rcl<ImmediateCount>>(in i);
            case Mnemonic.Rcr:
                return ShiftByCl(in i) ? Unary<Rcr<ClCount>>(in i) : Unary<Rcr<ImmediateCount>>(in i);
            case Mnemonic.Shld:
                return DoubleShift(in i) ? Unary<ShlDouble<ClCount>>(in i) : Unary<ShlDouble<ImmediateCount>>(in i);
            case Mnemonic.Shrd:
                return DoubleShift(in i) ? Unary<ShrDouble<ClCount>>(in i) : Unary<ShrDouble<ImmediateCount>>(in i);
            default:
                return null;
        }
    }

    private Handler Unary<TUnary>(in Instruction i)
        where TUnary : struct, IUnary
    {
        int width = Width(in i, 0);
        if (IsMemory(in i, 0))
        {
            Memory(in i, width, write: true);
            return ByWidth(width, &UnaryOps.Mem<TUnary, Width8>, &UnaryOps.Mem<TUnary, Width16>, &UnaryOps.Mem<TUnary, Width32>);
        }

        _proto.Destination = Offset(i.Op0Register);
        return ByWidth(width, &UnaryOps.Reg<TUnary, Width8>, &UnaryOps.Reg<TUnary, Width16>, &UnaryOps.Reg<TUnary, Width32>);
    }

    private bool ShiftByCl(in Instruction i)
    {
        if (IsRegister(in i, 1))
            return true;
        _proto.Immediate = i.Immediate8;
        return false;
    }

    private bool DoubleShift(in Instruction i)
    {
        _proto.Source = Offset(i.Op1Register);
        if (IsRegister(in i, 2))
            return true;
        _proto.Immediate = i.Immediate8;
        return false;
    }
}
