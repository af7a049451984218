// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Native;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>The instructions, one by one. False: the interpreter's.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private bool Emit(in Instruction i)
    {
        // Containment: form 1, all of the stack here: LoadGuest and StoreGuest have no other.
        switch (i.Code)
        {
            case Code.Jmp_rel8_32:
            case Code.Jmp_rel32_32:
                _ended = true;
                GoTo(i.NearBranch32);
                return true;
            case Code.Call_rel32_32:
                _ended = true;
                _emit.StoreGuest32(i.NextIP32, HostRegister.Stack, -4);
                _emit.MoveStack(-4);
                GoTo(i.NearBranch32);
                return true;
            case Code.Jmp_rm32:
                if (!LoadR10(in i))
                    return false;
                _ended = true;
                EmitIndirect();
                return true;
            case Code.Call_rm32:
                if (!LoadR10(in i))
                    return false;
                _ended = true;
                _emit.StoreGuest32(i.NextIP32, HostRegister.Stack, -4);
                _emit.MoveStack(-4);
                EmitIndirect();
                return true;
            case Code.Retnd:
            case Code.Retnd_imm16:
                _ended = true;
                _emit.LoadGuest32(Register.R10D, HostRegister.Stack, 0);
                _emit.MoveStack(4 + (i.Code == Code.Retnd ? 0 : i.Immediate16));
                EmitIndirect();
                return true;
            case Code.Push_r32:
                _emit.StoreGuest32(HostRegister.Of(i.Op0Register), HostRegister.Stack, -4);
                _emit.MoveStack(-4);
                return true;
            case Code.Pushd_imm8:
            case Code.Pushd_imm32:
                _emit.StoreGuest32((uint)i.GetImmediate(0), HostRegister.Stack, -4);
                _emit.MoveStack(-4);
                return true;
            case Code.Push_rm32:
                if (!LoadR10(in i))
                    return false;
                _emit.StoreGuest32(Register.R10D, HostRegister.Stack, -4);
                _emit.MoveStack(-4);
                return true;
            case Code.Pop_r32:
                _emit.LoadGuest32(HostRegister.Of(i.Op0Register), HostRegister.Stack, 0);
                if (i.Op0Register != Register.ESP)
                    _emit.MoveStack(4);
                return true;
            case Code.Leaved:
                _emit.LoadGuest32(Register.R9D, Register.EBP, 0);
                _emit.Add32(HostRegister.Stack, Register.RBP, sizeof(uint));
                _emit.Move32(Register.EBP, Register.R9D);
                return true;
            // Where it began is told by where it ends: so not with prefixes.
            case Code.Int_imm8 when i.Length == TranslatorCore.IntLength:
                _ended = true;
                if (i.Immediate8 == Vectors.SystemCall && (_mode & TranslationMode.User) != 0)
                    SystemCall(i.NextIP32);
                else
                    SoftwareInterrupt(i.Immediate8, i.NextIP32);
                return true;
            case Code.Nopd:
            case Code.Nop_rm32:
            case Code.Pause:
                return true;
        }

        switch (i.Mnemonic)
        {
            case Mnemonic.Prefetchnta:
            case Mnemonic.Prefetcht0:
            case Mnemonic.Prefetcht1:
            case Mnemonic.Prefetcht2:
                // A hint about an address that need not even exist.
                return true;
            case Mnemonic.Jecxz:
            case Mnemonic.Loop:
            case Mnemonic.Loope:
            case Mnemonic.Loopne:
                return CountedBranch(in i);
            case Mnemonic.Movsb:
            case Mnemonic.Movsw:
            case Mnemonic.Movsd when i.IsStringInstruction:
            case Mnemonic.Stosb:
            case Mnemonic.Stosw:
            case Mnemonic.Stosd:
            case Mnemonic.Lodsb:
            case Mnemonic.Lodsw:
            case Mnemonic.Lodsd:
            case Mnemonic.Scasb:
            case Mnemonic.Scasw:
            case Mnemonic.Scasd:
            case Mnemonic.Cmpsb:
            case Mnemonic.Cmpsw:
            case Mnemonic.Cmpsd when i.IsStringInstruction:
                return String(in i);
        }

        if (i.FlowControl == FlowControl.ConditionalBranch && i.ConditionCode != ConditionCode.None && i.Op0Kind == OpKind.NearBranch32)
        {
            Conditional(in i);
            return true;
        }

        if (Kernel(in i) || BitString(in i))
            return true;
        return i.FlowControl == FlowControl.Next && (IsPlain(in i) ? Plain(in i) : Float(in i));
    }

    /// <summary>
    /// Whether the host does the same with this instruction as the guest's processor would, given the operand in its window.
    /// A list of what is known to be, not of what is not.
    /// </summary>
    private static bool IsPlain(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Mov:
                return IsGeneralOrMemory(in i, 0) && IsGeneralOrMemory(in i, 1);
            case Mnemonic.Bt:
            case Mnemonic.Bts:
            case Mnemonic.Btr:
            case Mnemonic.Btc:
                // A bit number in a register reaches far beyond the operand: see BitString.
                return i.Op0Kind == OpKind.Register || i.Op1Kind != OpKind.Register;
            case Mnemonic.Add:
            case Mnemonic.Or:
            case Mnemonic.Adc:
            case Mnemonic.Sbb:
            case Mnemonic.And:
            case Mnemonic.Sub:
            case Mnemonic.Xor:
            case Mnemonic.Cmp:
            case Mnemonic.Test:
            case Mnemonic.Inc:
            case Mnemonic.Dec:
            case Mnemonic.Not:
            case Mnemonic.Neg:
            case Mnemonic.Shl:
            case Mnemonic.Sal:
            case Mnemonic.Shr:
            case Mnemonic.Sar:
            case Mnemonic.Rol:
            case Mnemonic.Ror:
            case Mnemonic.Rcl:
            case Mnemonic.Rcr:
            case Mnemonic.Shld:
            case Mnemonic.Shrd:
            case Mnemonic.Movzx:
            case Mnemonic.Movsx:
            case Mnemonic.Lea:
            case Mnemonic.Xchg:
            case Mnemonic.Bswap:
            case Mnemonic.Cbw:
            case Mnemonic.Cwde:
            case Mnemonic.Cwd:
            case Mnemonic.Cdq:
            case Mnemonic.Clc:
            case Mnemonic.Stc:
            case Mnemonic.Cmc:
            case Mnemonic.Cld:
            case Mnemonic.Std:
            case Mnemonic.Lahf: // All processors with FSGSBASE, which the translator needs, have them in 64-bit mode again.
            case Mnemonic.Sahf:
            case Mnemonic.Mul:
            case Mnemonic.Imul:
            case Mnemonic.Div:
            case Mnemonic.Idiv:
            case Mnemonic.Bsf:
            case Mnemonic.Bsr:
            case Mnemonic.Xadd:
            case Mnemonic.Cmpxchg:
            case Mnemonic.Cmpxchg8b:
            case Mnemonic.Nop:
            case Mnemonic.Movnti:
                return true;
        }

        // SETcc and CMOVcc; FCMOVcc has a condition too.
        return i.ConditionCode != ConditionCode.None && i.FlowControl == FlowControl.Next && IsGeneralOrMemory(in i, 0);
    }

    private static bool IsGeneralOrMemory(in Instruction i, int operand) =>
        i.GetOpKind(operand) != OpKind.Register || i.GetOpRegister(operand).IsGPR();

    /// <summary>Encodes an instruction again, its operands where the host has them.</summary>
    private bool Plain(in Instruction i)
    {
        if (i.Mnemonic is Mnemonic.Nop || Copy(in i))
            return true;
        Instruction host = i;
        switch (i.Code)
        {
            // The short forms are REX prefixes on the host.
            case Code.Inc_r32:
                host.Code = Code.Inc_rm32;
                break;
            case Code.Dec_r32:
                host.Code = Code.Dec_rm32;
                break;
            case Code.Inc_r16:
                host.Code = Code.Inc_rm16;
                break;
            case Code.Dec_r16:
                host.Code = Code.Dec_rm16;
                break;

            // These would take a 64-bit address.
            case Code.Mov_AL_moffs8:
                host = Instruction.Create(Code.Mov_r8_rm8, Register.AL, Absolute(in i));
                break;
            case Code.Mov_AX_moffs16:
                host = Instruction.Create(Code.Mov_r16_rm16, Register.AX, Absolute(in i));
                break;
            case Code.Mov_EAX_moffs32:
                host = Instruction.Create(Code.Mov_r32_rm32, Register.EAX, Absolute(in i));
                break;
            case Code.Mov_moffs8_AL:
                host = Instruction.Create(Code.Mov_rm8_r8, Absolute(in i), Register.AL);
                break;
            case Code.Mov_moffs16_AX:
                host = Instruction.Create(Code.Mov_rm16_r16, Absolute(in i), Register.AX);
                break;
            case Code.Mov_moffs32_EAX:
                host = Instruction.Create(Code.Mov_rm32_r32, Absolute(in i), Register.EAX);
                break;
        }

        // Without meaning here; in front of some it would make another instruction of it on a newer processor.
        host.HasRepPrefix = false;
        host.HasRepnePrefix = false;
        for (int operand = 0; operand < host.OpCount; operand++)
        {
            if (host.GetOpKind(operand) == OpKind.Register)
                host.SetOpRegister(operand, HostRegister.Of(host.GetOpRegister(operand)));
        }

        return Place(ref host, in i) && _emit.TryEncode(in host);
    }

    private static MemoryOperand Absolute(in Instruction i) => new(Register.None, Register.None, 1, i.MemoryDisplacement32, 4);

    /// <summary>Moves a memory operand into the window.</summary>
    /// <param name="host">The instruction being made.</param>
    /// <param name="i">The guest's, which says where the operand is.</param>
    private bool Place(ref Instruction host, in Instruction i)
    {
        bool memory = false;
        for (int operand = 0; operand < host.OpCount; operand++)
            memory |= host.GetOpKind(operand) == OpKind.Memory;
        if (!memory)
            return true;
        if (i.MemoryBase.IsGPR16() || i.MemoryIndex.IsGPR16() || (i.MemoryBase == Register.None && i.MemoryIndex == Register.None && i.MemoryDisplSize == 2))
            return false;
        host.MemoryBase = HostRegister.Of(i.MemoryBase);
        if (i.MemoryBase == Register.None && i.MemoryIndex == Register.None)
            host.MemoryDisplSize = 4;
        else if (i.MemoryBase == Register.None)
            host.MemoryDisplSize = 4;
        if (i.Mnemonic == Mnemonic.Lea)
        {
            host.SegmentPrefix = Register.None;
            return true;
        }

        switch (i.MemorySegment)
        {
            case Register.FS:
                return PlaceInSegment(ref host, SegmentName.Fs);
            case Register.GS:
                return PlaceInSegment(ref host, SegmentName.Gs);
            case Register.CS:
                return false;
            default:
                // Containment: form 1.
                host.SegmentPrefix = Register.GS;
                return true;
        }
    }

    /// <summary>
    /// An operand in a segment with a base: its address is worked out first, in %r10d. A segment that does not reach all
    /// addresses has a bias that no address survives: then the interpreter looks at its limit.
    /// </summary>
    private bool PlaceInSegment(ref Instruction host, SegmentName segment)
    {
        Instruction lea = Instruction.Create(
            Code.Lea_r32_m, Register.R10D, new MemoryOperand(host.MemoryBase, host.MemoryIndex, host.MemoryIndexScale, (int)host.MemoryDisplacement32, host.MemoryDisplSize));
        if (!_emit.TryEncode(in lea))
            return false;

        // Containment: form 2.
        _emit.Load32(Register.R9D, State.Segment(segment).Base);
        _emit.Add32(Register.R10D, Register.R10, Register.R9);
        _emit.Load64(Register.R9, segment == SegmentName.Fs ? State.FsBias : State.GsBias);
        host.MemoryBase = Register.R10;
        host.MemoryIndex = Register.R9;
        host.MemoryIndexScale = 1;
        host.MemoryDisplacement64 = 0;
        host.MemoryDisplSize = 0;
        host.SegmentPrefix = Register.GS;
        return true;
    }

    /// <summary>Loads the one operand of PUSH, JMP or CALL into %r10d. Containment: form 1 or 2, by <see cref="Place"/>.</summary>
    private bool LoadR10(in Instruction i)
    {
        if (i.Op0Kind == OpKind.Register)
        {
            Instruction move = Instruction.Create(Code.Mov_r32_rm32, Register.R10D, HostRegister.Of(i.Op0Register));
            _emit.Encode(in move);
            return true;
        }

        Instruction load = Instruction.Create(
            Code.Mov_r32_rm32, Register.R10D, new MemoryOperand(i.MemoryBase, i.MemoryIndex, i.MemoryIndexScale, (int)i.MemoryDisplacement32, i.MemoryDisplSize));
        load.SegmentPrefix = i.SegmentPrefix;
        return Place(ref load, in i) && _emit.TryEncode(in load);
    }

    private void Conditional(in Instruction i)
    {
        uint target = i.NearBranch32;
        if (MayLink(target))
        {
            AddLink(_emit.Jump(i.ConditionCode), target);
            return;
        }

        // Around the way there, which is longer than a branch.
        HostLabel around = _emit.Jump(Opposite(i.ConditionCode));
        GoTo(target);
        _emit.Bind(around);
    }

    private static ConditionCode Opposite(ConditionCode condition) => (ConditionCode)((((int)condition - 1) ^ 1) + 1);

    /// <summary>LOOP and JECXZ: %ecx with an address size prefix, and only ever a short jump, here over a longer one.</summary>
    private bool CountedBranch(in Instruction i)
    {
        if (i.Op0Kind != OpKind.NearBranch32)
            return false;
        if (i.Code is not (Code.Jecxz_rel8_32 or Code.Loop_rel8_32_ECX or Code.Loope_rel8_32_ECX or Code.Loopne_rel8_32_ECX))
            return false;
        HostLabel taken = _emit.CountedJump(i.Mnemonic);

        // LOOP has counted by now: not taken is going to the next instruction, taken to the target.
        _side.Add(_emit.Offset, i.NextIP32, SideKind.GoingTo);
        HostLabel notTaken = _emit.Jump();
        _emit.Bind(taken);
        GoTo(i.NearBranch32);
        _emit.Bind(notTaken);
        return true;
    }

    /// <summary>
    /// Strings: %es cannot be overridden, so the pointers become host addresses for the time of the instruction. Interrupted or
    /// faulting in the middle, their low halves are the guest's again, and the instruction is simply begun anew.
    /// </summary>
    private bool String(in Instruction i)
    {
        bool source = false;
        bool target = false;
        for (int operand = 0; operand < i.OpCount; operand++)
        {
            switch (i.GetOpKind(operand))
            {
                case OpKind.MemorySegESI:
                    source = true;
                    break;
                case OpKind.MemoryESEDI:
                    target = true;
                    break;
                case OpKind.MemorySegSI:
                case OpKind.MemoryESDI:
                    return false;
            }
        }

        if (source && i.MemorySegment is not (Register.DS or Register.ES or Register.SS))
            return false;

        // Containment: form 3.
        if (source)
            _emit.Add64(Register.RSI, Register.RSI, HostRegister.Window);
        if (target)
            _emit.Add64(Register.RDI, Register.RDI, HostRegister.Window);
        if (i.HasRepPrefix)
            _emit.Bytes(RepPrefix);
        else if (i.HasRepnePrefix)
            _emit.Bytes(RepnePrefix);
        (bool word, byte opcode) = i.Mnemonic switch
        {
            Mnemonic.Movsb => (false, (byte)0xA4),
            Mnemonic.Movsw => (true, (byte)0xA5),
            Mnemonic.Movsd => (false, (byte)0xA5),
            Mnemonic.Cmpsb => (false, (byte)0xA6),
            Mnemonic.Cmpsw => (true, (byte)0xA7),
            Mnemonic.Cmpsd => (false, (byte)0xA7),
            Mnemonic.Stosb => (false, (byte)0xAA),
            Mnemonic.Stosw => (true, (byte)0xAB),
            Mnemonic.Stosd => (false, (byte)0xAB),
            Mnemonic.Lodsb => (false, (byte)0xAC),
            Mnemonic.Lodsw => (true, (byte)0xAD),
            Mnemonic.Lodsd => (false, (byte)0xAD),
            Mnemonic.Scasb => (false, (byte)0xAE),
            Mnemonic.Scasw => (true, (byte)0xAF),
            _ => (false, (byte)0xAF),
        };
        if (word)
            _emit.Bytes(OperandSizePrefix);
        _emit.Bytes(opcode);

        // Done, all but the upper halves, which nobody looks at.
        _side.Add(_emit.Offset, i.NextIP32, SideKind.GoingTo);
        if (source)
            _emit.Move32(Register.ESI, Register.ESI);
        if (target)
            _emit.Move32(Register.EDI, Register.EDI);
        return true;
    }

    private void SoftwareInterrupt(byte vector, uint next)
    {
        _emit.Store(State.ExitDetail, vector);
        _emit.Store(State.ExitReason, (uint)TranslatedExit.SoftwareInterrupt);
        _emit.Store(State.Eip, next);
        _emit.Jump(_exit);
    }
}
