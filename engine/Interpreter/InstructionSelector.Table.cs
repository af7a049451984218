// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>The table itself.</summary>
internal sealed unsafe partial class InstructionSelector
{
    private const int Ecx = (int)GeneralRegister.Ecx;

    private Handler Select(in Instruction i)
    {
        if (i.IsInvalid)
        {
            // Too long an instruction is #GP, anything else that cannot be decoded #UD.
            if (i.Length < 15)
                return null;
            return Privileged();
        }

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

            case Mnemonic.Mul:
                return Source(in i, 0, &MultiplyOps.Mul<FromRegister, Width8>, &MultiplyOps.Mul<FromRegister, Width16>, &MultiplyOps.Mul<FromRegister, Width32>, &MultiplyOps.Mul<FromMemory, Width8>, &MultiplyOps.Mul<FromMemory, Width16>, &MultiplyOps.Mul<FromMemory, Width32>);
            case Mnemonic.Div:
                return Source(in i, 0, &MultiplyOps.Div<FromRegister, Width8>, &MultiplyOps.Div<FromRegister, Width16>, &MultiplyOps.Div<FromRegister, Width32>, &MultiplyOps.Div<FromMemory, Width8>, &MultiplyOps.Div<FromMemory, Width16>, &MultiplyOps.Div<FromMemory, Width32>);
            case Mnemonic.Idiv:
                return Source(in i, 0, &MultiplyOps.Idiv<FromRegister, Width8>, &MultiplyOps.Idiv<FromRegister, Width16>, &MultiplyOps.Idiv<FromRegister, Width32>, &MultiplyOps.Idiv<FromMemory, Width8>, &MultiplyOps.Idiv<FromMemory, Width16>, &MultiplyOps.Idiv<FromMemory, Width32>);
            case Mnemonic.Imul:
                return Imul(in i);

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
        }

        Handler handler = SelectStack(in i);
        if (handler == null)
            handler = SelectBranch(in i);
        if (handler == null)
            handler = SelectString(in i);
        if (handler == null)
            handler = SelectSystem(in i);
        if (handler == null)
            handler = SelectConditional(in i);
        if (handler == null)
            handler = SelectFloat(in i);
        return handler;
    }

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

    private Handler SelectString(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Movsb:
                return String<Movs, Width8>(in i);
            case Mnemonic.Movsw:
                return String<Movs, Width16>(in i);
            case Mnemonic.Movsd when i.IsStringInstruction:
                return String<Movs, Width32>(in i);
            case Mnemonic.Stosb:
                return String<Stos, Width8>(in i);
            case Mnemonic.Stosw:
                return String<Stos, Width16>(in i);
            case Mnemonic.Stosd:
                return String<Stos, Width32>(in i);
            case Mnemonic.Lodsb:
                return String<Lods, Width8>(in i);
            case Mnemonic.Lodsw:
                return String<Lods, Width16>(in i);
            case Mnemonic.Lodsd:
                return String<Lods, Width32>(in i);
            case Mnemonic.Scasb:
                return String<Scas, Width8>(in i);
            case Mnemonic.Scasw:
                return String<Scas, Width16>(in i);
            case Mnemonic.Scasd:
                return String<Scas, Width32>(in i);
            case Mnemonic.Cmpsb:
                return String<Cmps, Width8>(in i);
            case Mnemonic.Cmpsw:
                return String<Cmps, Width16>(in i);
            case Mnemonic.Cmpsd when i.IsStringInstruction:
                return String<Cmps, Width32>(in i);

            // Ports through memory are not emulated, in no ring (abi.md §4.8 speaks of in and out only).
            case Mnemonic.Insb:
            case Mnemonic.Insw:
            case Mnemonic.Insd:
            case Mnemonic.Outsb:
            case Mnemonic.Outsw:
            case Mnemonic.Outsd:
                return Privileged();
        }

        return null;
    }

    private Handler SelectSystem(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Int:
                _proto.Immediate = i.Immediate8;
                return Ends(&SystemOps.Interrupt);
            case Mnemonic.Int3:
                _proto.Immediate = ExceptionVector.Breakpoint;
                return Ends(&SystemOps.Interrupt);
            case Mnemonic.Int1:
                return Ends(&SystemOps.DebugTrap);
            case Mnemonic.Into:
                return &SystemOps.InterruptOnOverflow;
            case Mnemonic.Bound:
                _proto.Destination = Offset(i.Op0Register);
                Memory(in i, Width(in i, 0) * 2, write: false);
                return Width(in i, 0) == 2 ? &SystemOps.Bound<Width16> : &SystemOps.Bound<Width32>;
            case Mnemonic.In:
                if (!Kernel)
                    return Privileged();
                return i.Op0Register switch
                {
                    Register.AL => &SystemOps.In<Width8>,
                    Register.AX => &SystemOps.In<Width16>,
                    _ => &SystemOps.In<Width32>,
                };
            case Mnemonic.Out:
                if (!Kernel)
                    return Privileged();
                _proto.Extra = i.Op0Kind == OpKind.Immediate8 ? (byte)1 : (byte)0;
                _proto.Immediate = i.Op0Kind == OpKind.Immediate8 ? i.Immediate8 : 0u;
                return &SystemOps.Out;
            case Mnemonic.Rdtsc:
                return &SystemOps.ReadTimeStamp;
            case Mnemonic.Cpuid:
                return &SystemOps.CpuId;
            case Mnemonic.Sgdt:
            case Mnemonic.Sidt:
                _proto.Extra = i.Mnemonic == Mnemonic.Sidt ? (byte)1 : (byte)0;
                Memory(in i, 6, write: true);
                return &SystemOps.StoreTable;
            case Mnemonic.Smsw:
                return MachineStatus(in i);
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

            // Ring 0 only. SYSENTER and SYSEXIT are there, but as the genuine host sets them up: they fault.
            case Mnemonic.Cli:
            case Mnemonic.Sti:
            case Mnemonic.Hlt:
            case Mnemonic.Lgdt:
            case Mnemonic.Lidt:
            case Mnemonic.Lldt:
            case Mnemonic.Ltr:
            case Mnemonic.Lmsw:
            case Mnemonic.Clts:
            case Mnemonic.Invd:
            case Mnemonic.Wbinvd:
            case Mnemonic.Invlpg:
            case Mnemonic.Rdmsr:
            case Mnemonic.Wrmsr:
            case Mnemonic.Rdpmc:
            case Mnemonic.Sysenter:
            case Mnemonic.Sysexit:
                return Privileged();
        }

        return null;
    }

    private Handler SelectConditional(in Instruction i) => i.ConditionCode switch
    {
        ConditionCode.o => Condition<IfOverflow>(in i),
        ConditionCode.no => Condition<IfNot<IfOverflow>>(in i),
        ConditionCode.b => Condition<IfBelow>(in i),
        ConditionCode.ae => Condition<IfNot<IfBelow>>(in i),
        ConditionCode.e => Condition<IfEqual>(in i),
        ConditionCode.ne => Condition<IfNot<IfEqual>>(in i),
        ConditionCode.be => Condition<IfBelowOrEqual>(in i),
        ConditionCode.a => Condition<IfNot<IfBelowOrEqual>>(in i),
        ConditionCode.s => Condition<IfSign>(in i),
        ConditionCode.ns => Condition<IfNot<IfSign>>(in i),
        ConditionCode.p => Condition<IfParity>(in i),
        ConditionCode.np => Condition<IfNot<IfParity>>(in i),
        ConditionCode.l => Condition<IfLess>(in i),
        ConditionCode.ge => Condition<IfNot<IfLess>>(in i),
        ConditionCode.le => Condition<IfLessOrEqual>(in i),
        ConditionCode.g => Condition<IfNot<IfLessOrEqual>>(in i),
        _ => null,
    };

    private Handler Condition<TCondition>(in Instruction i)
        where TCondition : struct, ICondition
    {
        if (i.FlowControl == FlowControl.ConditionalBranch)
        {
            _proto.Immediate = Target(in i);
            return &BranchOps.Conditional<TCondition>;
        }

        if (i.OpCount == 1)
        {
            if (IsMemory(in i, 0))
            {
                Memory(in i, 1, write: true);
                return &MoveOps.SetMem<TCondition>;
            }

            _proto.Destination = Offset(i.Op0Register);
            return &MoveOps.SetReg<TCondition>;
        }

        // CMOVcc; FCMOVcc has a condition code too, but no general registers.
        if (!i.Op0Register.IsGPR16() && !i.Op0Register.IsGPR32())
            return null;
        _proto.Destination = Offset(i.Op0Register);
        return Source(in i, 1, null, &MoveOps.Conditional<TCondition, FromRegister, Width16>, &MoveOps.Conditional<TCondition, FromRegister, Width32>, null, &MoveOps.Conditional<TCondition, FromMemory, Width16>, &MoveOps.Conditional<TCondition, FromMemory, Width32>);
    }

    private static uint Target(in Instruction i) => i.Op0Kind == OpKind.NearBranch16 ? i.NearBranch16 : i.NearBranch32;

    /// <summary>LOOP counts %cx or %ecx by address size.</summary>
    private static bool CountIs16(in Instruction i) => i.Code
        is Code.Loop_rel8_16_CX or Code.Loop_rel8_32_CX
        or Code.Loope_rel8_16_CX or Code.Loope_rel8_32_CX
        or Code.Loopne_rel8_16_CX or Code.Loopne_rel8_32_CX;

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
        address.Base = (int)GeneralRegister.Ebx * 4;
        address.Second = SegmentOps.AddAl | (address16 ? SegmentOps.Address16 : 0);
        address.Extra = (byte)SegmentOf(i.MemorySegment);
        address.Bytes = 1;
        address.Handler = &SegmentOps.WorkOutAddress;
        *_op++ = address;
        _proto.Base = CpuState.EffectiveAddressOffset;
        return &MoveOps.TableLookup;
    }

    private Handler Imul(in Instruction i)
    {
        if (i.OpCount == 1)
            return Source(in i, 0, &MultiplyOps.ImulWide<FromRegister, Width8>, &MultiplyOps.ImulWide<FromRegister, Width16>, &MultiplyOps.ImulWide<FromRegister, Width32>, &MultiplyOps.ImulWide<FromMemory, Width8>, &MultiplyOps.ImulWide<FromMemory, Width16>, &MultiplyOps.ImulWide<FromMemory, Width32>);
        _proto.Destination = Offset(i.Op0Register);
        if (i.OpCount == 2)
            return Source(in i, 1, null, &MultiplyOps.Imul2<FromRegister, Width16>, &MultiplyOps.Imul2<FromRegister, Width32>, null, &MultiplyOps.Imul2<FromMemory, Width16>, &MultiplyOps.Imul2<FromMemory, Width32>);
        _proto.Immediate = Immediate(in i, 2, Width(in i, 0));
        return Source(in i, 1, null, &MultiplyOps.Imul3<FromRegister, Width16>, &MultiplyOps.Imul3<FromRegister, Width32>, null, &MultiplyOps.Imul3<FromMemory, Width16>, &MultiplyOps.Imul3<FromMemory, Width32>);
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

    private Handler String<TStep, TWidth>(in Instruction i)
        where TStep : struct, IStringStep
        where TWidth : struct, IWidth
    {
        SegmentName source = TStep.Source ? SegmentOf(i.MemorySegment) : SegmentName.Ds;
        bool address16 = false;
        for (int operand = 0; operand < i.OpCount; operand++)
            address16 |= i.GetOpKind(operand) is OpKind.MemorySegSI or OpKind.MemoryESDI;
        bool segments = (_core.Mode & CodeMode.AlignmentCheck) != 0
            || (TStep.Source && !IsFlat(source, write: false))
            || (TStep.Target && !IsFlat(SegmentName.Es, TStep.Writes));
        _proto.Extra = (byte)source;
        _proto.Second = (address16 ? StringOps.Address16 : 0) | (segments ? StringOps.Segments : 0);

        // The other operand's segment may be found wanting behind a fault.
        if (_proto.Second != 0)
            _proto.Quiet = 0;
        if (!i.HasRepPrefix && !i.HasRepnePrefix)
            return &StringOps.Once<TStep, TWidth>;
        _proto.Immediate = i.HasRepnePrefix ? 0u : 1;
        return &StringOps.Repeat<TStep, TWidth>;
    }

    private Handler MachineStatus(in Instruction i)
    {
        if (IsMemory(in i, 0))
        {
            // The value has to wait in the place of the address: worked out first, stored last.
            Memory(in i, 2, write: true);
            _proto.Source = (int)GeneralRegister.Eax;
            return &FloatOps.StoreMachineStatus;
        }

        MicroOp prepare = _proto;
        prepare.Handler = &SystemOps.PrepareMachineStatus;
        *_op++ = prepare;
        _proto.Source = CpuState.EffectiveAddressOffset;
        _proto.Destination = Offset(i.Op0Register);
        return Width(in i, 0) == 2 ? &MoveOps.ToReg<FromRegister, Width16> : &MoveOps.ToReg<FromRegister, Width32>;
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

    private static uint Immediate(in Instruction i, int operand, int width)
    {
        uint value = (uint)i.GetImmediate(operand);
        return width switch
        {
            1 => value & 0xFF,
            2 => value & 0xFFFF,
            _ => value,
        };
    }

    private static Handler ByWidth(int width, Handler w8, Handler w16, Handler w32) => width switch
    {
        1 => w8,
        2 => w16,
        _ => w32,
    };

    /// <summary>An instruction with one operand that is only read, in a register or in memory.</summary>
    private Handler Source(in Instruction i, int operand, Handler r8, Handler r16, Handler r32, Handler m8, Handler m16, Handler m32)
    {
        int width = Width(in i, operand);
        if (IsMemory(in i, operand))
        {
            Memory(in i, width, write: false);
            return ByWidth(width, m8, m16, m32);
        }

        _proto.Source = Offset(i.GetOpRegister(operand));
        return ByWidth(width, r8, r16, r32);
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
