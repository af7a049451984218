// SPDX-License-Identifier: GPL-2.0-or-later
using System.Numerics;
using System.Runtime.CompilerServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>What a bit test does to the bit it tested.</summary>
internal interface IBitChange
{
    static abstract bool Writes { get; }

    static abstract uint Change(uint value, uint bit);
}

internal readonly struct KeepBit : IBitChange
{
    public static bool Writes => false;

    public static uint Change(uint value, uint bit) => value;
}

internal readonly struct SetBit : IBitChange
{
    public static bool Writes => true;

    public static uint Change(uint value, uint bit) => value | bit;
}

internal readonly struct ResetBit : IBitChange
{
    public static bool Writes => true;

    public static uint Change(uint value, uint bit) => value & ~bit;
}

internal readonly struct ComplementBit : IBitChange
{
    public static bool Writes => true;

    public static uint Change(uint value, uint bit) => value ^ bit;
}

/// <summary>BT, BTS, BTR, BTC, BSF, BSR, XADD, CMPXCHG, CMPXCHG8B.</summary>
internal static unsafe class BitOps
{
    /// <summary>A bit of a register; its number from a register or an immediate.</summary>
    public static MicroOp* TestReg<TChange, TIndex, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TChange : struct, IBitChange
        where TIndex : struct, ISource
        where TWidth : struct, IWidth
    {
        int index = (int)(TIndex.Get<TWidth>(core, cpu, op) & (31u >> (TWidth.Shift / 16)));
        uint value = Operand.Get<TWidth>(cpu, op->Destination);
        AluFlags.SetCarry(cpu, (value >> index) & 1);
        if (TChange.Writes)
            Operand.Set<TWidth>(cpu, op->Destination, TChange.Change(value, 1u << index));
        return op + 1;
    }

    /// <summary>A bit of memory, its number an immediate.</summary>
    public static MicroOp* TestMem<TChange, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TChange : struct, IBitChange
        where TWidth : struct, IWidth =>
        TestAt<TChange, TWidth>(core, cpu, op, Operand.Address(cpu, op), (int)(op->Immediate & (31u >> (TWidth.Shift / 16))));

    /// <summary>
    /// A bit of memory, its number in a register: the memory operand is the start of a string of bits that reaches to both
    /// sides. <see cref="BitAddress"/> has worked out the address.
    /// </summary>
    public static MicroOp* TestString<TChange, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TChange : struct, IBitChange
        where TWidth : struct, IWidth =>
        TestAt<TChange, TWidth>(core, cpu, op, cpu->Interpreter.EffectiveAddress, (int)(Operand.Get<TWidth>(cpu, op->Source) & (31u >> (TWidth.Shift / 16))));

    public static MicroOp* ScanForward<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        uint value = TSource.Get<TWidth>(core, cpu, op);
        AluFlags.SetZero(cpu, value == 0);
        if (value != 0)
            Operand.Set<TWidth>(cpu, op->Destination, (uint)BitOperations.TrailingZeroCount(value));
        return op + 1;
    }

    public static MicroOp* ScanReverse<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        uint value = TSource.Get<TWidth>(core, cpu, op);
        AluFlags.SetZero(cpu, value == 0);
        if (value != 0)
            Operand.Set<TWidth>(cpu, op->Destination, (uint)BitOperations.Log2(value));
        return op + 1;
    }

    public static MicroOp* ExchangeAddReg<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint a = Operand.Get<TWidth>(cpu, op->Destination);
        uint sum = Add.Run<TWidth>(cpu, a, Operand.Get<TWidth>(cpu, op->Source));
        Operand.Set<TWidth>(cpu, op->Source, a);
        Operand.Set<TWidth>(cpu, op->Destination, sum);
        return op + 1;
    }

    public static MicroOp* ExchangeAddMem<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        byte* place = core.BeginModify(Operand.Address(cpu, op), TWidth.Size);
        uint a = TWidth.Load(place);
        TWidth.Store(place, Add.Run<TWidth>(cpu, a, Operand.Get<TWidth>(cpu, op->Source)));
        core.EndModify();
        Operand.Set<TWidth>(cpu, op->Source, a);
        return op + 1;
    }

    public static MicroOp* CompareExchangeReg<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint accumulator = Operand.Get<TWidth>(cpu, GeneralRegister.Eax);
        uint value = Operand.Get<TWidth>(cpu, op->Destination);
        uint source = Operand.Get<TWidth>(cpu, op->Source);
        Cmp.Run<TWidth>(cpu, accumulator, value);
        if (accumulator == value)
            Operand.Set<TWidth>(cpu, op->Destination, source);
        else
            Operand.Set<TWidth>(cpu, GeneralRegister.Eax, value);
        return op + 1;
    }

    /// <summary>CMPXCHG with memory: written in any case, with the old value when it did not match.</summary>
    public static MicroOp* CompareExchangeMem<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        byte* place = core.BeginModify(Operand.Address(cpu, op), TWidth.Size);
        uint accumulator = Operand.Get<TWidth>(cpu, GeneralRegister.Eax);
        uint value = TWidth.Load(place);
        if (accumulator == value)
            TWidth.Store(place, Operand.Get<TWidth>(cpu, op->Source));
        core.EndModify();
        Cmp.Run<TWidth>(cpu, accumulator, value);
        if (accumulator != value)
            Operand.Set<TWidth>(cpu, GeneralRegister.Eax, value);
        return op + 1;
    }

    public static MicroOp* CompareExchange8(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        ulong* place = (ulong*)core.BeginModify(Operand.Address(cpu, op), 8);
        ulong old = *place;
        bool equal = old == (cpu->Arch.Registers[(int)GeneralRegister.Eax] | ((ulong)cpu->Arch.Registers[(int)GeneralRegister.Edx] << 32));
        if (equal)
            *place = cpu->Arch.Registers[(int)GeneralRegister.Ebx] | ((ulong)cpu->Arch.Registers[(int)GeneralRegister.Ecx] << 32);
        core.EndModify();
        if (!equal)
        {
            cpu->Arch.Registers[(int)GeneralRegister.Eax] = (uint)old;
            cpu->Arch.Registers[(int)GeneralRegister.Edx] = (uint)(old >> 32);
        }

        AluFlags.SetZero(cpu, equal);
        return op + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static MicroOp* TestAt<TChange, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op, uint address, int index)
        where TChange : struct, IBitChange
        where TWidth : struct, IWidth
    {
        if (!TChange.Writes)
        {
            AluFlags.SetCarry(cpu, (core.ReadLinear<TWidth>(cpu, address) >> index) & 1);
            return op + 1;
        }

        byte* place = core.BeginModify(address, TWidth.Size);
        uint value = TWidth.Load(place);
        TWidth.Store(place, TChange.Change(value, 1u << index));
        core.EndModify();
        AluFlags.SetCarry(cpu, (value >> index) & 1);
        return op + 1;
    }
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>Bits, and what exchanges while it compares.</summary>
    private Handler SelectBits(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Bt:
                return BitTest<KeepBit>(in i);
            case Mnemonic.Bts:
                return BitTest<SetBit>(in i);
            case Mnemonic.Btr:
                return BitTest<ResetBit>(in i);
            case Mnemonic.Btc:
                return BitTest<ComplementBit>(in i);
            case Mnemonic.Bsf:
                _proto.Destination = Offset(i.Op0Register);
                return Source(in i, 1, null, &BitOps.ScanForward<FromRegister, Width16>, &BitOps.ScanForward<FromRegister, Width32>, null, &BitOps.ScanForward<FromMemory, Width16>, &BitOps.ScanForward<FromMemory, Width32>);
            case Mnemonic.Bsr:
                _proto.Destination = Offset(i.Op0Register);
                return Source(in i, 1, null, &BitOps.ScanReverse<FromRegister, Width16>, &BitOps.ScanReverse<FromRegister, Width32>, null, &BitOps.ScanReverse<FromMemory, Width16>, &BitOps.ScanReverse<FromMemory, Width32>);
            case Mnemonic.Xadd:
                return Pair(in i, &BitOps.ExchangeAddReg<Width8>, &BitOps.ExchangeAddReg<Width16>, &BitOps.ExchangeAddReg<Width32>, &BitOps.ExchangeAddMem<Width8>, &BitOps.ExchangeAddMem<Width16>, &BitOps.ExchangeAddMem<Width32>);
            case Mnemonic.Cmpxchg:
                return Pair(in i, &BitOps.CompareExchangeReg<Width8>, &BitOps.CompareExchangeReg<Width16>, &BitOps.CompareExchangeReg<Width32>, &BitOps.CompareExchangeMem<Width8>, &BitOps.CompareExchangeMem<Width16>, &BitOps.CompareExchangeMem<Width32>);
            case Mnemonic.Cmpxchg8b:
                Memory(in i, 8, write: true);
                return &BitOps.CompareExchange8;
            default:
                return null;
        }
    }

    private Handler BitTest<TChange>(in Instruction i)
        where TChange : struct, IBitChange
    {
        int width = Width(in i, 0);
        bool immediate = !IsRegister(in i, 1);
        if (immediate)
            _proto.Immediate = i.Immediate8;
        else
            _proto.Source = Offset(i.Op1Register);
        if (!IsMemory(in i, 0))
        {
            _proto.Destination = Offset(i.Op0Register);
            return immediate
                ? ByWidth(width, null, &BitOps.TestReg<TChange, FromImmediate, Width16>, &BitOps.TestReg<TChange, FromImmediate, Width32>)
                : ByWidth(width, null, &BitOps.TestReg<TChange, FromRegister, Width16>, &BitOps.TestReg<TChange, FromRegister, Width32>);
        }

        if (immediate)
        {
            Memory(in i, width, TChange.Writes);
            return ByWidth(width, null, &BitOps.TestMem<TChange, Width16>, &BitOps.TestMem<TChange, Width32>);
        }

        Memory(in i, width, TChange.Writes, SegmentOps.BitString, i.Op1Register);
        return ByWidth(width, null, &BitOps.TestString<TChange, Width16>, &BitOps.TestString<TChange, Width32>);
    }

    /// <summary>An instruction that exchanges a register with a register or memory.</summary>
    private Handler Pair(in Instruction i, Handler r8, Handler r16, Handler r32, Handler m8, Handler m16, Handler m32)
    {
        int width = Width(in i, 0);
        _proto.Source = Offset(i.Op1Register);
        if (IsMemory(in i, 0))
        {
            Memory(in i, width, write: true);
            return ByWidth(width, m8, m16, m32);
        }

        _proto.Destination = Offset(i.Op0Register);
        return ByWidth(width, r8, r16, r32);
    }
}
