// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>How PUSH, POP, CALL and RET reach the stack.</summary>
internal unsafe interface IStack
{
    static abstract void Push<TWidth>(InterpreterCore core, CpuState* cpu, uint value)
        where TWidth : struct, IWidth;

    static abstract uint Peek<TWidth>(InterpreterCore core, CpuState* cpu)
        where TWidth : struct, IWidth;

    static abstract void Move(InterpreterCore core, CpuState* cpu, int bytes);
}

/// <summary>A flat 32-bit stack: nearly always.</summary>
internal readonly unsafe struct FlatStack : IStack
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Push<TWidth>(InterpreterCore core, CpuState* cpu, uint value)
        where TWidth : struct, IWidth
    {
        uint top = cpu->Arch.Registers[(int)GeneralRegister.Esp] - (uint)TWidth.Size;
        core.WriteLinear<TWidth>(cpu, top, value);
        cpu->Arch.Registers[(int)GeneralRegister.Esp] = top;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Peek<TWidth>(InterpreterCore core, CpuState* cpu)
        where TWidth : struct, IWidth => core.ReadLinear<TWidth>(cpu, cpu->Arch.Registers[(int)GeneralRegister.Esp]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Move(InterpreterCore core, CpuState* cpu, int bytes) => cpu->Arch.Registers[(int)GeneralRegister.Esp] += (uint)bytes;
}

/// <summary>Any other.</summary>
internal readonly unsafe struct AnyStack : IStack
{
    public static void Push<TWidth>(InterpreterCore core, CpuState* cpu, uint value)
        where TWidth : struct, IWidth => core.Push(value, TWidth.Size);

    public static uint Peek<TWidth>(InterpreterCore core, CpuState* cpu)
        where TWidth : struct, IWidth => core.StackRead(0, TWidth.Size);

    public static void Move(InterpreterCore core, CpuState* cpu, int bytes) => core.StackMove(bytes);
}

/// <summary>PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE.</summary>
internal static unsafe class StackOps
{
    private const int Esp = (int)GeneralRegister.Esp;
    private const int Ebp = (int)GeneralRegister.Ebp;

    public static MicroOp* Push<TStack, TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TStack : struct, IStack
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        TStack.Push<TWidth>(core, cpu, TSource.Get<TWidth>(core, cpu, op));
        return op + 1;
    }

    public static MicroOp* PopReg<TStack, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TStack : struct, IStack
        where TWidth : struct, IWidth
    {
        uint value = TStack.Peek<TWidth>(core, cpu);
        TStack.Move(core, cpu, TWidth.Size);
        Operand.Set<TWidth>(cpu, op->Destination, value);
        return op + 1;
    }

    /// <summary>POP to memory: an address with %esp uses it after the pop.</summary>
    public static MicroOp* PopMem<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint value = core.StackRead(0, TWidth.Size);
        uint before = cpu->Arch.Registers[Esp];
        core.StackMove(TWidth.Size);
        uint after = cpu->Arch.Registers[Esp];
        uint address = Operand.Address(cpu, op);
        cpu->Arch.Registers[Esp] = before;
        core.WriteLinear<TWidth>(cpu, address, value);
        cpu->Arch.Registers[Esp] = after;
        return op + 1;
    }

    /// <summary>POP to memory through a segment that is not flat, or with a 16-bit address.</summary>
    public static MicroOp* PopMemSegment<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint value = core.StackRead(0, TWidth.Size);
        uint before = cpu->Arch.Registers[Esp];
        core.StackMove(TWidth.Size);
        uint after = cpu->Arch.Registers[Esp];
        uint offset = Operand.Address(cpu, op);
        cpu->Arch.Registers[Esp] = before;
        if ((op->Second & SegmentOps.Address16) != 0)
            offset &= 0xFFFF;
        core.WriteLinear<TWidth>(cpu, core.SegmentAddress((SegmentName)op->Extra, offset, (uint)TWidth.Size, write: true), value);
        cpu->Arch.Registers[Esp] = after;
        return op + 1;
    }

    public static MicroOp* PushAll<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        // All eight must be writable before the first is written.
        for (int i = 1; i <= 8; i++)
            core.ProbeWrite(core.StackAddress(-TWidth.Size * i, (uint)TWidth.Size, write: true), TWidth.Size);
        for (int i = 0; i < 8; i++)
            core.WriteSlow(core.StackAddress(-TWidth.Size * (i + 1), (uint)TWidth.Size, write: true), TWidth.Size, cpu->Arch.Registers[i]);
        core.StackMove(-TWidth.Size * 8);
        return op + 1;
    }

    public static MicroOp* PopAll<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint* values = stackalloc uint[8];
        for (int i = 0; i < 8; i++)
            values[7 - i] = core.StackRead(TWidth.Size * i, TWidth.Size);
        for (int i = 0; i < 8; i++)
        {
            if (i != Esp)
                Operand.Set<TWidth>(cpu, (GeneralRegister)i, values[i]);
        }

        core.StackMove(TWidth.Size * 8);
        return op + 1;
    }

    public static MicroOp* PushFlags<TStack, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TStack : struct, IStack
        where TWidth : struct, IWidth
    {
        TStack.Push<TWidth>(core, cpu, cpu->Arch.Flags & ~(EFlags.Resume | EFlags.Virtual8086));
        return op + 1;
    }

    /// <summary>POPF in rings 1 and 3 with IOPL 0: IF and IOPL stay as they are, without a fault.</summary>
    public static MicroOp* PopFlags<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        const uint changes = EFlags.Arithmetic | EFlags.Trap | EFlags.Direction | EFlags.NestedTask | EFlags.AlignmentCheck | EFlags.Identification;
        uint mask = TWidth.Size == 2 ? changes & 0xFFFF : changes;
        uint value = core.StackRead(0, TWidth.Size);
        core.StackMove(TWidth.Size);
        cpu->Arch.Flags = (cpu->Arch.Flags & ~mask) | (value & mask);
        return core.UpdateMode() ? InterpreterCore.JumpTo(cpu, op->NextEip, op->Position + 1) : op + 1;
    }

    public static MicroOp* Enter<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        int size = TWidth.Size;
        int level = (int)(op->Second & 31);
        uint mask = core.StackMask;
        uint esp = cpu->Arch.Registers[Esp];
        uint ebp = cpu->Arch.Registers[Ebp];
        uint frame = (esp - (uint)size) & mask;

        // Everything that can fault first: the reads of outer frame pointers, the writes, and the stack's new end.
        for (int i = 1; i < level; i++)
            core.ProbeRead(core.SegmentAddress(SegmentName.Ss, (ebp - (uint)(size * i)) & mask, (uint)size, write: false), size);
        for (int i = 0; i <= level; i++)
            core.ProbeWrite(core.StackAddress(-size * (i + 1), (uint)size, write: true), size);
        int total = size * (level + 1);
        core.ProbeWrite(core.StackAddress(-total - (int)op->Immediate, 1, write: true), 1);

        core.Push(ebp, size);
        if (level > 0)
        {
            for (int i = 1; i < level; i++)
                core.Push((uint)core.ReadSlow(core.SegmentAddress(SegmentName.Ss, (ebp - (uint)(size * i)) & mask, (uint)size, write: false), size), size);
            core.Push(frame, size);
        }

        Operand.Set<TWidth>(cpu, GeneralRegister.Ebp, frame);
        core.StackMove(-(int)op->Immediate);
        return op + 1;
    }

    public static MicroOp* Leave<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint mask = core.StackMask;
        uint frame = cpu->Arch.Registers[Ebp] & mask;
        uint value = (uint)core.ReadSlow(core.SegmentAddress(SegmentName.Ss, frame, (uint)TWidth.Size, write: false), TWidth.Size);
        cpu->Arch.Registers[Esp] = (cpu->Arch.Registers[Esp] & ~mask) | ((frame + (uint)TWidth.Size) & mask);
        Operand.Set<TWidth>(cpu, GeneralRegister.Ebp, value);
        return op + 1;
    }

    /// <summary>LEAVE on a flat stack.</summary>
    public static MicroOp* LeaveFlat(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        uint frame = cpu->Arch.Registers[Ebp];
        uint value = core.ReadLinear<Width32>(cpu, frame);
        cpu->Arch.Registers[Esp] = frame + 4;
        cpu->Arch.Registers[Ebp] = value;
        return op + 1;
    }
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>The stack.</summary>
    private Handler SelectStack(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Push:
                return Push(in i);
            case Mnemonic.Pop:
                return Pop(in i);
            case Mnemonic.Pusha:
                return &StackOps.PushAll<Width16>;
            case Mnemonic.Pushad:
                return &StackOps.PushAll<Width32>;
            case Mnemonic.Popa:
                return &StackOps.PopAll<Width16>;
            case Mnemonic.Popad:
                return &StackOps.PopAll<Width32>;
            case Mnemonic.Pushf:
                return &StackOps.PushFlags<AnyStack, Width16>;
            case Mnemonic.Pushfd:
                return FlatStackMode ? &StackOps.PushFlags<FlatStack, Width32> : &StackOps.PushFlags<AnyStack, Width32>;
            case Mnemonic.Popf:
                return &StackOps.PopFlags<Width16>;
            case Mnemonic.Popfd:
                return &StackOps.PopFlags<Width32>;
            case Mnemonic.Enter:
                _proto.Immediate = i.Immediate16;
                _proto.Second = i.Immediate8_2nd;
                return i.Code == Code.Enterw_imm16_imm8 ? &StackOps.Enter<Width16> : &StackOps.Enter<Width32>;
            case Mnemonic.Leave:
                if (i.Code == Code.Leavew)
                    return &StackOps.Leave<Width16>;
                return FlatStackMode ? &StackOps.LeaveFlat : &StackOps.Leave<Width32>;
        }

        return null;
    }

    private Handler Push(in Instruction i)
    {
        if (IsRegister(in i, 0) && i.Op0Register.IsSegmentRegister())
        {
            _proto.Extra = (byte)SegmentOf(i.Op0Register);
            return i.Code is Code.Pushw_ES or Code.Pushw_CS or Code.Pushw_SS or Code.Pushw_DS or Code.Pushw_FS or Code.Pushw_GS
                ? &SegmentOps.Push<Width16>
                : &SegmentOps.Push<Width32>;
        }

        if (i.Op0Kind is OpKind.Immediate8to16 or OpKind.Immediate16)
        {
            _proto.Immediate = Immediate(in i, 0, 2);
            return &StackOps.Push<AnyStack, FromImmediate, Width16>;
        }

        if (!IsRegister(in i, 0) && !IsMemory(in i, 0))
        {
            _proto.Immediate = Immediate(in i, 0, 4);
            return FlatStackMode ? &StackOps.Push<FlatStack, FromImmediate, Width32> : &StackOps.Push<AnyStack, FromImmediate, Width32>;
        }

        return FlatStackMode
            ? Source(in i, 0, null, &StackOps.Push<FlatStack, FromRegister, Width16>, &StackOps.Push<FlatStack, FromRegister, Width32>, null, &StackOps.Push<FlatStack, FromMemory, Width16>, &StackOps.Push<FlatStack, FromMemory, Width32>)
            : Source(in i, 0, null, &StackOps.Push<AnyStack, FromRegister, Width16>, &StackOps.Push<AnyStack, FromRegister, Width32>, null, &StackOps.Push<AnyStack, FromMemory, Width16>, &StackOps.Push<AnyStack, FromMemory, Width32>);
    }

    private Handler Pop(in Instruction i)
    {
        if (IsRegister(in i, 0) && i.Op0Register.IsSegmentRegister())
        {
            _proto.Extra = (byte)SegmentOf(i.Op0Register);
            return i.Code is Code.Popw_ES or Code.Popw_SS or Code.Popw_DS or Code.Popw_FS or Code.Popw_GS
                ? &SegmentOps.Pop<Width16>
                : &SegmentOps.Pop<Width32>;
        }

        int width = Width(in i, 0);
        if (IsRegister(in i, 0))
        {
            _proto.Destination = Offset(i.Op0Register);
            return FlatStackMode
                ? ByWidth(width, null, &StackOps.PopReg<FlatStack, Width16>, &StackOps.PopReg<FlatStack, Width32>)
                : ByWidth(width, null, &StackOps.PopReg<AnyStack, Width16>, &StackOps.PopReg<AnyStack, Width32>);
        }

        MicroOp* before = _op;
        Memory(in i, width, write: true);
        if (_op == before)
            return ByWidth(width, null, &StackOps.PopMem<Width16>, &StackOps.PopMem<Width32>);

        // An address op in front would work with the stack pointer before the pop: fold it into the pop.
        MicroOp address = *before;
        _op = before;
        _proto.Base = address.Base;
        _proto.Index = address.Index;
        _proto.Scale = address.Scale;
        _proto.Displacement = address.Displacement;
        _proto.Second = address.Second;
        _proto.Extra = address.Extra;
        return ByWidth(width, null, &StackOps.PopMemSegment<Width16>, &StackOps.PopMemSegment<Width32>);
    }
}
