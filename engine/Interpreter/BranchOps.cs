// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>Instructions that go elsewhere.</summary>
internal static unsafe class BranchOps
{
    /// <summary>The end of a block whose last instruction was no branch: on with what is behind it.</summary>
    public static MicroOp* FallThrough(InterpreterCore core, CpuState* cpu, MicroOp* op) =>
        core.Branch(cpu, op, op->Eip, op->Position);

    public static MicroOp* Jump(InterpreterCore core, CpuState* cpu, MicroOp* op) =>
        core.Branch(cpu, op, op->Immediate, op->Position + 1);

    public static MicroOp* Conditional<TCondition>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TCondition : struct, ICondition =>
        TCondition.Holds(cpu) ? core.Branch(cpu, op, op->Immediate, op->Position + 1) : op + 1;

    /// <summary>JCXZ, JECXZ.</summary>
    public static MicroOp* IfCountZero<TCount>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TCount : struct, IWidth =>
        Operand.Get<TCount>(cpu, GeneralRegister.Ecx) == 0 ? core.Branch(cpu, op, op->Immediate, op->Position + 1) : op + 1;

    /// <summary>LOOP, LOOPE, LOOPNE (<see cref="MicroOp.Extra"/> 0, 1, 2).</summary>
    public static MicroOp* Loop<TCount>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TCount : struct, IWidth
    {
        uint count = Operand.Get<TCount>(cpu, GeneralRegister.Ecx) - 1;
        Operand.Set<TCount>(cpu, GeneralRegister.Ecx, count);
        bool again = Operand.Get<TCount>(cpu, GeneralRegister.Ecx) != 0
            && op->Extra switch
            {
                0 => true,
                1 => cpu->Arch.FlagResult == 0,
                _ => cpu->Arch.FlagResult != 0,
            };
        return again ? core.Branch(cpu, op, op->Immediate, op->Position + 1) : op + 1;
    }

    public static MicroOp* JumpIndirect<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth =>
        InterpreterCore.JumpTo(cpu, TSource.Get<TWidth>(core, cpu, op), op->Position + 1);

    public static MicroOp* Call<TStack, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TStack : struct, IStack
        where TWidth : struct, IWidth
    {
        TStack.Push<TWidth>(core, cpu, op->NextEip);
        return core.Branch(cpu, op, op->Immediate, op->Position + 1);
    }

    public static MicroOp* CallIndirect<TStack, TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TStack : struct, IStack
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        uint target = TSource.Get<TWidth>(core, cpu, op);
        TStack.Push<TWidth>(core, cpu, op->NextEip);
        return InterpreterCore.JumpTo(cpu, target, op->Position + 1);
    }

    /// <summary>RET, RET imm16.</summary>
    public static MicroOp* Return<TStack, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TStack : struct, IStack
        where TWidth : struct, IWidth
    {
        uint target = TStack.Peek<TWidth>(core, cpu);
        TStack.Move(core, cpu, TWidth.Size + (int)op->Immediate);
        return InterpreterCore.JumpTo(cpu, target, op->Position + 1);
    }

    /// <summary>JMP ptr16:32, selector in <see cref="MicroOp.Second"/>.</summary>
    public static MicroOp* JumpFar(InterpreterCore core, CpuState* cpu, MicroOp* op) =>
        TransferFar(core, cpu, op, op->Second, op->Immediate, returnBytes: 0);

    /// <summary>JMP m16:32.</summary>
    public static MicroOp* JumpFarIndirect<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint address = Operand.Address(cpu, op);
        uint offset = core.ReadLinear<TWidth>(cpu, address);
        return TransferFar(core, cpu, op, core.ReadLinear<Width16>(cpu, address + (uint)TWidth.Size), offset, returnBytes: 0);
    }

    /// <summary>CALL ptr16:32.</summary>
    public static MicroOp* CallFar<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth =>
        TransferFar(core, cpu, op, op->Second, op->Immediate, TWidth.Size);

    /// <summary>CALL m16:32.</summary>
    public static MicroOp* CallFarIndirect<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        uint address = Operand.Address(cpu, op);
        uint offset = core.ReadLinear<TWidth>(cpu, address);
        return TransferFar(core, cpu, op, core.ReadLinear<Width16>(cpu, address + (uint)TWidth.Size), offset, TWidth.Size);
    }

    /// <summary>RETF, RETF imm16.</summary>
    public static MicroOp* ReturnFar<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        int size = TWidth.Size;
        uint target = core.StackRead(0, size);
        uint selector = core.StackRead(size, size) & 0xFFFF;
        return ReturnTo(core, cpu, op, target, selector, size * 2, (int)op->Immediate, size);
    }

    // [I:250+17] iret
    // And back into the program that was interrupted. The frame was pushed at [H:210]; the guest's kernel has done its work and
    // has put the interrupt flag where it belongs ([G:180]); now it loads %eip, %cs and flags, and from ring 3 also the stack. It
    // is the guest's own instruction, on the guest's own stack: IF and IOPL are left alone, as in ring 1 (abi.md §4.2), and no
    // selector lets it reach ring 0. *This is the whole way round*: from here on a program runs until it wants something again.
    /// <summary>
    /// IRET. From ring 1 to ring 1 or 3: IF and IOPL are not changed (abi.md §4.2). With NT set it would return to another
    /// task: there is none.
    /// </summary>
    public static MicroOp* InterruptReturn<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth
    {
        const uint changes = EFlags.Arithmetic | EFlags.Trap | EFlags.Direction | EFlags.NestedTask | EFlags.AlignmentCheck | EFlags.Identification;
        if ((cpu->Arch.SystemFlags & EFlags.NestedTask) != 0)
            throw core.Raise(ExceptionVector.InvalidTss);
        int size = TWidth.Size;
        uint target = core.StackRead(0, size);
        uint selector = core.StackRead(size, size) & 0xFFFF;
        uint flags = core.StackRead(size * 2, size);
        uint mask = size == 2 ? changes & 0xFFFF : changes;
        MicroOp* next = ReturnTo(core, cpu, op, target, selector, size * 3, 0, size);
        cpu->Arch.Flags = (cpu->Arch.Flags & ~mask) | (flags & mask);
        return core.UpdateMode() ? null : next;
    }

    private static MicroOp* TransferFar(InterpreterCore core, CpuState* cpu, MicroOp* op, uint selector, uint offset, int returnBytes)
    {
        ulong descriptor = core.CheckCodeSegment(selector, offset, isReturn: false);
        if (returnBytes != 0)
        {
            uint low = core.StackAddress(-returnBytes * 2, (uint)returnBytes, write: true);
            uint high = core.StackAddress(-returnBytes, (uint)returnBytes, write: true);
            core.ProbeWrite(low, returnBytes);
            core.WriteSlow(high, returnBytes, cpu->Arch.Cs.Selector);
            core.WriteSlow(low, returnBytes, op->NextEip);
            core.StackMove(-returnBytes * 2);
        }

        SegmentLoad.SetHidden(ref cpu->Arch.Cs, (selector & 0xFFFC) | cpu->Arch.Cpl, descriptor);
        core.UpdateMode();
        return InterpreterCore.JumpTo(cpu, offset, op->Position + 1);
    }

    /// <summary>The common part of RETF and IRET.</summary>
    /// <param name="core">The core.</param>
    /// <param name="cpu">Its state.</param>
    /// <param name="op">The instruction.</param>
    /// <param name="target">The new EIP.</param>
    /// <param name="selector">The new %cs.</param>
    /// <param name="popped">Bytes of the frame's first part.</param>
    /// <param name="release">Bytes of arguments to drop behind it.</param>
    /// <param name="size">Bytes of a stack slot.</param>
    private static MicroOp* ReturnTo(InterpreterCore core, CpuState* cpu, MicroOp* op, uint target, uint selector, int popped, int release, int size)
    {
        ulong code = core.CheckCodeSegment(selector, target, isReturn: true);
        uint ring = selector & 3;
        if (ring == cpu->Arch.Cpl)
        {
            core.StackMove(popped + release);
            SegmentLoad.SetHidden(ref cpu->Arch.Cs, selector, code);
        }
        else
        {
            uint esp = core.StackRead(popped + release, size);
            uint stackSelector = core.StackRead(popped + release + size, size) & 0xFFFF;
            core.CheckStackSegment(stackSelector, ring, nullVector: 13, out ulong stack);
            if (target > SegmentLoad.Limit(code))
                throw core.RaiseProtection();
            SegmentLoad.SetHidden(ref cpu->Arch.Cs, selector, code);
            SegmentLoad.SetHidden(ref cpu->Arch.Ss, stackSelector, stack);
            cpu->Arch.Cpl = ring;
            uint mask = core.StackMask;
            cpu->Arch.Registers[(int)GeneralRegister.Esp] = (cpu->Arch.Registers[(int)GeneralRegister.Esp] & ~mask) | ((esp + (uint)release) & mask);
            core.DropInnerSegments();
        }

        core.UpdateMode();
        return InterpreterCore.JumpTo(cpu, target, op->Position + 1);
    }
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>Jumps, calls, returns, loops.</summary>
    private Handler SelectBranch(in Instruction i)
    {
        switch (i.Code)
        {
            case Code.Jmp_rel8_16:
            case Code.Jmp_rel16:
                _proto.Immediate = i.NearBranch16;
                return Ends(&BranchOps.Jump);
            case Code.Jmp_rel8_32:
            case Code.Jmp_rel32_32:
                _proto.Immediate = i.NearBranch32;
                return Ends(&BranchOps.Jump);
            case Code.Call_rel16:
                _proto.Immediate = i.NearBranch16;
                return Ends(FlatStackMode ? &BranchOps.Call<FlatStack, Width16> : &BranchOps.Call<AnyStack, Width16>);
            case Code.Call_rel32_32:
                _proto.Immediate = i.NearBranch32;
                return Ends(FlatStackMode ? &BranchOps.Call<FlatStack, Width32> : &BranchOps.Call<AnyStack, Width32>);
            case Code.Jmp_rm16:
                return Ends(Source(in i, 0, null, &BranchOps.JumpIndirect<FromRegister, Width16>, null, null, &BranchOps.JumpIndirect<FromMemory, Width16>, null));
            case Code.Jmp_rm32:
                return Ends(Source(in i, 0, null, null, &BranchOps.JumpIndirect<FromRegister, Width32>, null, null, &BranchOps.JumpIndirect<FromMemory, Width32>));
            case Code.Call_rm16:
                return Ends(Source(in i, 0, null, &BranchOps.CallIndirect<AnyStack, FromRegister, Width16>, null, null, &BranchOps.CallIndirect<AnyStack, FromMemory, Width16>, null));
            case Code.Call_rm32:
                return Ends(FlatStackMode
                    ? Source(in i, 0, null, null, &BranchOps.CallIndirect<FlatStack, FromRegister, Width32>, null, null, &BranchOps.CallIndirect<FlatStack, FromMemory, Width32>)
                    : Source(in i, 0, null, null, &BranchOps.CallIndirect<AnyStack, FromRegister, Width32>, null, null, &BranchOps.CallIndirect<AnyStack, FromMemory, Width32>));
            case Code.Retnw:
            case Code.Retnw_imm16:
                _proto.Immediate = i.Code == Code.Retnw ? 0u : i.Immediate16;
                return Ends(&BranchOps.Return<AnyStack, Width16>);
            case Code.Retnd:
            case Code.Retnd_imm16:
                _proto.Immediate = i.Code == Code.Retnd ? 0u : i.Immediate16;
                return Ends(FlatStackMode ? &BranchOps.Return<FlatStack, Width32> : &BranchOps.Return<AnyStack, Width32>);
            case Code.Jmp_ptr1616:
            case Code.Jmp_ptr1632:
                _proto.Second = i.FarBranchSelector;
                _proto.Immediate = i.Code == Code.Jmp_ptr1616 ? i.FarBranch16 : i.FarBranch32;
                return Ends(&BranchOps.JumpFar);
            case Code.Call_ptr1616:
                _proto.Second = i.FarBranchSelector;
                _proto.Immediate = i.FarBranch16;
                return Ends(&BranchOps.CallFar<Width16>);
            case Code.Call_ptr1632:
                _proto.Second = i.FarBranchSelector;
                _proto.Immediate = i.FarBranch32;
                return Ends(&BranchOps.CallFar<Width32>);
            case Code.Jmp_m1616:
                Memory(in i, 4, write: false);
                return Ends(&BranchOps.JumpFarIndirect<Width16>);
            case Code.Jmp_m1632:
                Memory(in i, 6, write: false);
                return Ends(&BranchOps.JumpFarIndirect<Width32>);
            case Code.Call_m1616:
                Memory(in i, 4, write: false);
                return Ends(&BranchOps.CallFarIndirect<Width16>);
            case Code.Call_m1632:
                Memory(in i, 6, write: false);
                return Ends(&BranchOps.CallFarIndirect<Width32>);
            case Code.Retfw:
            case Code.Retfw_imm16:
                _proto.Immediate = i.Code == Code.Retfw ? 0u : i.Immediate16;
                return Ends(&BranchOps.ReturnFar<Width16>);
            case Code.Retfd:
            case Code.Retfd_imm16:
                _proto.Immediate = i.Code == Code.Retfd ? 0u : i.Immediate16;
                return Ends(&BranchOps.ReturnFar<Width32>);
            case Code.Iretw:
                return Ends(&BranchOps.InterruptReturn<Width16>);
            case Code.Iretd:
                return Ends(&BranchOps.InterruptReturn<Width32>);
        }

        switch (i.Mnemonic)
        {
            case Mnemonic.Loop:
            case Mnemonic.Loope:
            case Mnemonic.Loopne:
                _proto.Extra = (byte)(i.Mnemonic switch { Mnemonic.Loop => 0, Mnemonic.Loope => 1, _ => 2 });
                _proto.Immediate = Target(in i);
                return CountIs16(in i) ? &BranchOps.Loop<Width16> : &BranchOps.Loop<Width32>;
            case Mnemonic.Jcxz:
                _proto.Immediate = Target(in i);
                return &BranchOps.IfCountZero<Width16>;
            case Mnemonic.Jecxz:
                _proto.Immediate = Target(in i);
                return &BranchOps.IfCountZero<Width32>;
        }

        return null;
    }

    /// <summary>LOOP counts %cx or %ecx by address size.</summary>
    private static bool CountIs16(in Instruction i) => i.Code
        is Code.Loop_rel8_16_CX or Code.Loop_rel8_32_CX
        or Code.Loope_rel8_16_CX or Code.Loope_rel8_32_CX
        or Code.Loopne_rel8_16_CX or Code.Loopne_rel8_32_CX;
}
