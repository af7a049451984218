// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>Addresses that need work before their instruction, and instructions on segment registers.</summary>
internal static unsafe class SegmentOps
{
    /// <summary><see cref="MicroOp.Second"/>: 16-bit address.</summary>
    public const uint Address16 = 1;

    /// <summary><see cref="MicroOp.Second"/>: check alignment.</summary>
    public const uint Aligned = 2;

    /// <summary><see cref="MicroOp.Second"/>: no segment at all (LEA).</summary>
    public const uint NoSegment = 4;

    /// <summary><see cref="MicroOp.Second"/>: a bit string's index register (in Destination; operand bytes in Bytes) moves the address.</summary>
    public const uint BitString = 8;

    /// <summary><see cref="MicroOp.Second"/>: XLAT: %al is the index.</summary>
    public const uint AddAl = 16;

    /// <summary>
    /// Works out the linear address of the next op's memory operand, with whatever is unusual about it, and leaves it in
    /// <see cref="InterpreterScratch.EffectiveAddress"/>.
    /// </summary>
    public static MicroOp* WorkOutAddress(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        uint offset = Operand.Address(cpu, op);
        uint flags = op->Second;
        if ((flags & AddAl) != 0)
            offset += *(byte*)cpu->Arch.Registers;
        if ((flags & BitString) != 0)
        {
            int index = op->Bytes == 2 ? *(short*)((byte*)cpu + op->Destination) : *(int*)((byte*)cpu + op->Destination);
            offset += (uint)((index >> (op->Bytes == 2 ? 4 : 5)) * op->Bytes);
        }

        if ((flags & Address16) != 0)
            offset &= 0xFFFF;
        if ((flags & NoSegment) == 0)
            offset = core.SegmentAddress((SegmentName)op->Extra, offset, op->Bytes, op->Written != 0);
        if ((flags & Aligned) != 0)
            core.CheckAlignment(offset, op->Bytes);
        cpu->Interpreter.EffectiveAddress = offset;
        return op + 1;
    }

    /// <summary>MOV Sreg, r/m16.</summary>
    public static MicroOp* Load<TSource>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
    {
        CodeMode mode = core.Mode;
        core.LoadSegment((SegmentName)op->Extra, TSource.Get<Width16>(core, cpu, op));
        core.StackSegmentLoaded = (SegmentName)op->Extra == SegmentName.Ss;
        return Continue(core, cpu, op, mode);
    }

    /// <summary>MOV r, Sreg: a 32-bit register is zero-extended.</summary>
    public static MicroOp* StoreReg<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        Operand.Set<TWidth>(cpu, op->Destination, cpu->Arch.Segment((SegmentName)op->Extra).Selector);
        return op + 1;
    }

    /// <summary>MOV m16, Sreg.</summary>
    public static MicroOp* StoreMem(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        core.WriteLinear<Width16>(cpu, Operand.Address(cpu, op), cpu->Arch.Segment((SegmentName)op->Extra).Selector);
        return op + 1;
    }

    /// <summary>PUSH Sreg. Of a 32-bit push only the low half is written, as processors since the 486 do.</summary>
    public static MicroOp* Push<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint selector = cpu->Arch.Segment((SegmentName)op->Extra).Selector;
        core.WriteSlow(core.StackAddress(-TWidth.Size, (uint)TWidth.Size, write: true), 2, selector);
        core.StackMove(-TWidth.Size);
        return op + 1;
    }

    /// <summary>POP Sreg.</summary>
    public static MicroOp* Pop<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        CodeMode mode = core.Mode;
        uint selector = core.StackRead(0, 2);
        uint mask = core.StackMask;
        core.LoadSegment((SegmentName)op->Extra, selector);
        core.StackSegmentLoaded = (SegmentName)op->Extra == SegmentName.Ss;
        cpu->Arch.Registers[(int)GeneralRegister.Esp] = (cpu->Arch.Registers[(int)GeneralRegister.Esp] & ~mask) | ((cpu->Arch.Registers[(int)GeneralRegister.Esp] + (uint)TWidth.Size) & mask);
        return Continue(core, cpu, op, mode);
    }

    /// <summary>LDS, LES, LFS, LGS, LSS.</summary>
    public static MicroOp* LoadFar<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        CodeMode mode = core.Mode;
        uint address = Operand.Address(cpu, op);
        uint offset = core.ReadLinear<TWidth>(cpu, address);
        core.LoadSegment((SegmentName)op->Extra, core.ReadLinear<Width16>(cpu, address + (uint)TWidth.Size));
        Operand.Set<TWidth>(cpu, op->Destination, offset);
        return Continue(core, cpu, op, mode);
    }

    /// <summary>VERR, VERW (<see cref="MicroOp.Extra"/> = 1).</summary>
    public static MicroOp* Verify<TSource>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
    {
        uint selector = TSource.Get<Width16>(core, cpu, op);
        bool good = false;
        if (core.Gdt.TryGet(selector, out ulong descriptor))
        {
            uint attributes = SegmentLoad.Attributes(descriptor);
            bool code = (attributes & SegmentLoad.CodeBit) != 0;
            bool bit = (attributes & SegmentLoad.ReadableOrWritableBit) != 0;
            bool conforming = code && (attributes & SegmentLoad.ConformingOrExpandDownBit) != 0;
            good = (attributes & SegmentLoad.NonSystemBit) != 0
                && (conforming || Math.Max(cpu->Arch.Cpl, selector & 3) <= SegmentLoad.Dpl(attributes))
                && (op->Extra != 0 ? !code && bit : !code || bit);
        }

        AluFlags.SetZero(cpu, good);
        return op + 1;
    }

    /// <summary>LAR, LSL (<see cref="MicroOp.Extra"/> = 1).</summary>
    public static MicroOp* LoadRights<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        // Valid system types: of LAR all but reserved ones and gates for interrupts; of LSL those with a limit.
        const uint larTypes = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 9 | 1u << 11 | 1u << 12;
        const uint lslTypes = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 9 | 1u << 11;
        uint selector = TSource.Get<Width16>(core, cpu, op);
        bool good = false;
        if (core.Gdt.TryGet(selector, out ulong descriptor))
        {
            uint attributes = SegmentLoad.Attributes(descriptor);
            const uint codeConforming = SegmentLoad.NonSystemBit | SegmentLoad.CodeBit | SegmentLoad.ConformingOrExpandDownBit;
            bool visible = (attributes & codeConforming) == codeConforming
                || Math.Max(cpu->Arch.Cpl, selector & 3) <= SegmentLoad.Dpl(attributes);
            good = visible
                && ((attributes & SegmentLoad.NonSystemBit) != 0 || ((op->Extra != 0 ? lslTypes : larTypes) >> (int)(attributes & 0xF) & 1) != 0);
        }

        if (good)
        {
            uint value = op->Extra != 0 ? SegmentLoad.Limit(descriptor) : (uint)(descriptor >> 32) & 0x00F0_FF00;
            Operand.Set<TWidth>(cpu, op->Destination, value);
        }

        AluFlags.SetZero(cpu, good);
        return op + 1;
    }

    /// <summary>ARPL.</summary>
    public static MicroOp* AdjustRpl<TPlace>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TPlace : struct, ISource
    {
        bool memory = typeof(TPlace) == typeof(FromMemory);
        byte* place = memory ? core.BeginModify(Operand.Address(cpu, op), 2) : (byte*)cpu + op->Destination;
        uint selector = *(ushort*)place;
        uint rpl = Operand.Get<Width16>(cpu, op->Source) & 3;
        bool raise = (selector & 3) < rpl;
        if (raise)
            *(ushort*)place = (ushort)((selector & ~3u) | rpl);
        if (memory)
            core.EndModify();
        AluFlags.SetZero(cpu, raise);
        return op + 1;
    }

    /// <summary>On with the next op, unless the code at hand was decoded for segments that are no more.</summary>
    private static MicroOp* Continue(InterpreterCore core, CpuState* cpu, MicroOp* op, CodeMode before) =>
        core.Mode == before ? op + 1 : InterpreterCore.JumpTo(cpu, op->NextEip, op->Position + 1);
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>Selectors and descriptors.</summary>
    private Handler SelectSegment(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Sldt:
            case Mnemonic.Str:
                return SystemSelector(in i);
            case Mnemonic.Lar:
            case Mnemonic.Lsl:
                _proto.Destination = Offset(i.Op0Register);
                _proto.Extra = i.Mnemonic == Mnemonic.Lsl ? (byte)1 : (byte)0;
                bool wide = Width(in i, 0) == 4;
                if (IsMemory(in i, 1))
                {
                    Memory(in i, 2, write: false);
                    return wide ? &SegmentOps.LoadRights<FromMemory, Width32> : &SegmentOps.LoadRights<FromMemory, Width16>;
                }

                _proto.Source = Offset(i.Op1Register);
                return wide ? &SegmentOps.LoadRights<FromRegister, Width32> : &SegmentOps.LoadRights<FromRegister, Width16>;
            case Mnemonic.Verr:
            case Mnemonic.Verw:
                _proto.Extra = i.Mnemonic == Mnemonic.Verw ? (byte)1 : (byte)0;
                if (IsMemory(in i, 0))
                {
                    Memory(in i, 2, write: false);
                    return &SegmentOps.Verify<FromMemory>;
                }

                _proto.Source = Offset(i.Op0Register);
                return &SegmentOps.Verify<FromRegister>;
            case Mnemonic.Arpl:
                _proto.Source = Offset(i.Op1Register);
                if (IsMemory(in i, 0))
                {
                    Memory(in i, 2, write: true);
                    return &SegmentOps.AdjustRpl<FromMemory>;
                }

                _proto.Destination = Offset(i.Op0Register);
                return &SegmentOps.AdjustRpl<FromRegister>;
            case Mnemonic.Lds:
            case Mnemonic.Les:
            case Mnemonic.Lfs:
            case Mnemonic.Lgs:
            case Mnemonic.Lss:
                _proto.Destination = Offset(i.Op0Register);
                bool wideFar = Width(in i, 0) == 4;
                Memory(in i, wideFar ? 6 : 4, write: false);
                _proto.Extra = (byte)(i.Mnemonic switch
                {
                    Mnemonic.Lds => SegmentName.Ds,
                    Mnemonic.Les => SegmentName.Es,
                    Mnemonic.Lfs => SegmentName.Fs,
                    Mnemonic.Lgs => SegmentName.Gs,
                    _ => SegmentName.Ss,
                });
                return wideFar ? &SegmentOps.LoadFar<Width32> : &SegmentOps.LoadFar<Width16>;
            default:
                return null;
        }
    }

    private Handler MovToSegment(in Instruction i)
    {
        if (i.Op0Register == Register.CS)
            return null;
        if (IsMemory(in i, 1))
        {
            Memory(in i, 2, write: false);
            _proto.Extra = (byte)SegmentOf(i.Op0Register);
            return &SegmentOps.Load<FromMemory>;
        }

        _proto.Extra = (byte)SegmentOf(i.Op0Register);
        _proto.Source = Offset(i.Op1Register);
        return &SegmentOps.Load<FromRegister>;
    }

    private Handler MovFromSegment(in Instruction i)
    {
        if (IsMemory(in i, 0))
        {
            Memory(in i, 2, write: true);
            _proto.Extra = (byte)SegmentOf(i.Op1Register);
            return &SegmentOps.StoreMem;
        }

        _proto.Extra = (byte)SegmentOf(i.Op1Register);
        _proto.Destination = Offset(i.Op0Register);
        return Width(in i, 0) == 2 ? &SegmentOps.StoreReg<Width16> : &SegmentOps.StoreReg<Width32>;
    }

    private Handler SystemSelector(in Instruction i)
    {
        _proto.Immediate = i.Mnemonic == Mnemonic.Str ? GuestAbi.Selectors.TssIndex << 3 : 0u;
        if (IsMemory(in i, 0))
        {
            Memory(in i, 2, write: true);
            return &MoveOps.ToMem<FromImmediate, Width16>;
        }

        _proto.Destination = Offset(i.Op0Register);
        return Width(in i, 0) == 2 ? &MoveOps.ToReg<FromImmediate, Width16> : &MoveOps.ToReg<FromImmediate, Width32>;
    }
}
