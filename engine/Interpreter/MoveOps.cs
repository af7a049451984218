// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

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
        *(ushort*)cpu->Arch.Registers = (ushort)*(sbyte*)cpu->Arch.Registers;
        return op + 1;
    }

    /// <summary>CWDE.</summary>
    public static MicroOp* ConvertWord(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        *(uint*)cpu->Arch.Registers = (uint)*(short*)cpu->Arch.Registers;
        return op + 1;
    }

    /// <summary>CWD, CDQ.</summary>
    public static MicroOp* SpreadSign<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        Operand.Set<TWidth>(cpu, GeneralRegister.Edx, TWidth.Extend(Operand.Get<TWidth>(cpu, GeneralRegister.Eax)) < 0 ? uint.MaxValue : 0);
        return op + 1;
    }

    /// <summary>XLAT: %al from a table; the address was worked out ahead.</summary>
    public static MicroOp* TableLookup(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        *(byte*)cpu->Arch.Registers = (byte)core.ReadLinear<Width8>(cpu, Operand.Address(cpu, op));
        return op + 1;
    }

    /// <summary>LAHF.</summary>
    public static MicroOp* LoadFlags(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        *((byte*)cpu->Arch.Registers + 1) = (byte)cpu->Arch.Flags;
        return op + 1;
    }

    /// <summary>SAHF.</summary>
    public static MicroOp* StoreFlags(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        const uint low = EFlags.Sign | EFlags.Zero | EFlags.Adjust | EFlags.Parity | EFlags.Carry;
        cpu->Arch.Flags = (cpu->Arch.Flags & ~low) | (*((byte*)cpu->Arch.Registers + 1) & low);
        return op + 1;
    }

    /// <summary>SALC: %al from CF.</summary>
    public static MicroOp* SetFromCarry(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        *(byte*)cpu->Arch.Registers = (byte)(0 - LazyFlags.Carry(cpu->Arch.FlagAux));
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
        AluFlags.SetCarry(cpu, LazyFlags.Carry(cpu->Arch.FlagAux) ^ 1);
        return op + 1;
    }

    /// <summary>CLD, STD.</summary>
    public static MicroOp* SetDirection(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        cpu->Arch.SystemFlags = (cpu->Arch.SystemFlags & ~EFlags.Direction) | (op->Immediate != 0 ? EFlags.Direction : 0);
        return op + 1;
    }
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>Moves, extensions, single flags; hints.</summary>
    private Handler SelectMove(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Mov:
                return Mov(in i);
            case Mnemonic.Movzx:
                return Extend(in i, signed: false);
            case Mnemonic.Movsx:
                return Extend(in i, signed: true);
            case Mnemonic.Lea:
                return Lea(in i);
            case Mnemonic.Xchg:
                return Exchange(in i);
            case Mnemonic.Bswap:
                _proto.Destination = Offset(i.Op0Register);
                return Width(in i, 0) == 2 ? &UnaryOps.ByteSwap<Width16> : &UnaryOps.ByteSwap<Width32>;
            case Mnemonic.Cbw:
                return &MoveOps.ConvertByte;
            case Mnemonic.Cwde:
                return &MoveOps.ConvertWord;
            case Mnemonic.Cwd:
                return &MoveOps.SpreadSign<Width16>;
            case Mnemonic.Cdq:
                return &MoveOps.SpreadSign<Width32>;
            case Mnemonic.Xlatb:
                return Xlat(in i);
            case Mnemonic.Lahf:
                return &MoveOps.LoadFlags;
            case Mnemonic.Sahf:
                return &MoveOps.StoreFlags;
            case Mnemonic.Salc:
                return &MoveOps.SetFromCarry;
            case Mnemonic.Clc:
                _proto.Immediate = 0;
                return &MoveOps.SetCarry;
            case Mnemonic.Stc:
                _proto.Immediate = 1;
                return &MoveOps.SetCarry;
            case Mnemonic.Cmc:
                return &MoveOps.ComplementCarry;
            case Mnemonic.Cld:
                _proto.Immediate = 0;
                return &MoveOps.SetDirection;
            case Mnemonic.Std:
                _proto.Immediate = 1;
                return &MoveOps.SetDirection;
            case Mnemonic.Movnti:
                // A plain store of a general register that hints at caches, which are not ours; there is none of 16 bits.
                if (Width(in i, 0) != 4)
                    return null;
                _proto.Source = Offset(i.Op1Register);
                Memory(in i, 4, write: true);
                return &MoveOps.ToMem<FromRegister, Width32>;
            case Mnemonic.Nop:
            case Mnemonic.Reservednop:
            case Mnemonic.Pause:
            case Mnemonic.Endbr32:
            case Mnemonic.Endbr64:
            case Mnemonic.Prefetchnta:
            case Mnemonic.Prefetcht0:
            case Mnemonic.Prefetcht1:
            case Mnemonic.Prefetcht2:
            case Mnemonic.Lfence:
            case Mnemonic.Mfence:
            case Mnemonic.Sfence:
                return &MoveOps.Nop;
            case Mnemonic.Clflush:
                Memory(in i, 1, write: false);
                return &FloatOps.Touch;
            default:
                return null;
        }
    }

    private Handler Mov(in Instruction i)
    {
        if (IsRegister(in i, 0) && i.Op0Register.IsSegmentRegister())
            return MovToSegment(in i);
        if (IsRegister(in i, 1) && i.Op1Register.IsSegmentRegister())
            return MovFromSegment(in i);
        if (Kernel && i.Op1Register == Register.DR6)
        {
            _proto.Destination = Offset(i.Op0Register);
            return &SystemOps.ReadDebugStatus;
        }

        if (i.Op0Register is >= Register.CR0 and <= Register.TR7 || i.Op1Register is >= Register.CR0 and <= Register.TR7)
            return Privileged();
        int width = Width(in i, 0);
        if (IsMemory(in i, 0))
        {
            Memory(in i, width, write: true);
            if (IsRegister(in i, 1))
            {
                _proto.Source = Offset(i.Op1Register);
                return ByWidth(width, &MoveOps.ToMem<FromRegister, Width8>, &MoveOps.ToMem<FromRegister, Width16>, &MoveOps.ToMem<FromRegister, Width32>);
            }

            _proto.Immediate = Immediate(in i, 1, width);
            return ByWidth(width, &MoveOps.ToMem<FromImmediate, Width8>, &MoveOps.ToMem<FromImmediate, Width16>, &MoveOps.ToMem<FromImmediate, Width32>);
        }

        _proto.Destination = Offset(i.Op0Register);
        if (IsMemory(in i, 1) || IsRegister(in i, 1))
        {
            return Source(in i, 1, &MoveOps.ToReg<FromRegister, Width8>, &MoveOps.ToReg<FromRegister, Width16>, &MoveOps.ToReg<FromRegister, Width32>, &MoveOps.ToReg<FromMemory, Width8>, &MoveOps.ToReg<FromMemory, Width16>, &MoveOps.ToReg<FromMemory, Width32>);
        }

        _proto.Immediate = Immediate(in i, 1, width);
        return ByWidth(width, &MoveOps.ToReg<FromImmediate, Width8>, &MoveOps.ToReg<FromImmediate, Width16>, &MoveOps.ToReg<FromImmediate, Width32>);
    }

    private Handler Extend(in Instruction i, bool signed)
    {
        bool wide = Width(in i, 0) == 4;
        bool fromByte = Width(in i, 1) == 1;
        _proto.Destination = Offset(i.Op0Register);
        if (IsMemory(in i, 1))
        {
            Memory(in i, fromByte ? 1 : 2, write: false);
            return (signed, fromByte, wide) switch
            {
                (false, true, false) => &MoveOps.ZeroExtend<FromMemory, Width8, Width16>,
                (false, true, true) => &MoveOps.ZeroExtend<FromMemory, Width8, Width32>,
                (false, false, false) => &MoveOps.ZeroExtend<FromMemory, Width16, Width16>,
                (false, false, true) => &MoveOps.ZeroExtend<FromMemory, Width16, Width32>,
                (true, true, false) => &MoveOps.SignExtend<FromMemory, Width8, Width16>,
                (true, true, true) => &MoveOps.SignExtend<FromMemory, Width8, Width32>,
                (true, false, false) => &MoveOps.SignExtend<FromMemory, Width16, Width16>,
                (true, false, true) => &MoveOps.SignExtend<FromMemory, Width16, Width32>,
            };
        }

        _proto.Source = Offset(i.Op1Register);
        return (signed, fromByte, wide) switch
        {
            (false, true, false) => &MoveOps.ZeroExtend<FromRegister, Width8, Width16>,
            (false, true, true) => &MoveOps.ZeroExtend<FromRegister, Width8, Width32>,
            (false, false, false) => &MoveOps.ZeroExtend<FromRegister, Width16, Width16>,
            (false, false, true) => &MoveOps.ZeroExtend<FromRegister, Width16, Width32>,
            (true, true, false) => &MoveOps.SignExtend<FromRegister, Width8, Width16>,
            (true, true, true) => &MoveOps.SignExtend<FromRegister, Width8, Width32>,
            (true, false, false) => &MoveOps.SignExtend<FromRegister, Width16, Width16>,
            (true, false, true) => &MoveOps.SignExtend<FromRegister, Width16, Width32>,
        };
    }

    private Handler Lea(in Instruction i)
    {
        if (!IsMemory(in i, 1))
            return null;
        _proto.Destination = Offset(i.Op0Register);
        Memory(in i, 1, write: false, SegmentOps.NoSegment);
        return Width(in i, 0) == 2 ? &MoveOps.Lea<Width16> : &MoveOps.Lea<Width32>;
    }

    private Handler Exchange(in Instruction i)
    {
        int width = Width(in i, 0);
        int memory = IsMemory(in i, 0) ? 0 : IsMemory(in i, 1) ? 1 : -1;
        if (memory >= 0)
        {
            _proto.Source = Offset(i.GetOpRegister(1 - memory));
            Memory(in i, width, write: true);
            return ByWidth(width, &MoveOps.ExchangeMem<Width8>, &MoveOps.ExchangeMem<Width16>, &MoveOps.ExchangeMem<Width32>);
        }

        _proto.Destination = Offset(i.Op0Register);
        _proto.Source = Offset(i.Op1Register);
        return ByWidth(width, &MoveOps.ExchangeReg<Width8>, &MoveOps.ExchangeReg<Width16>, &MoveOps.ExchangeReg<Width32>);
    }

    private Handler Xlat(in Instruction i)
    {
        bool address16 = i.MemoryBase == Register.BX;
        MicroOp address = _proto;
        address.Base = Offset(Register.EBX);
        address.Second = SegmentOps.AddAl | (address16 ? SegmentOps.Address16 : 0);
        address.Extra = (byte)SegmentOf(i.MemorySegment);
        address.Bytes = 1;
        address.Handler = &SegmentOps.WorkOutAddress;
        *_op++ = address;
        _proto.Base = Operand.EffectiveAddress;
        return &MoveOps.TableLookup;
    }
}
