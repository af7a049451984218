// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Instructions;
using Lguest.Engine.Native;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>The catalogue's treatments, one by one. False: the interpreter's.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private bool Emit(in Instruction i) => InstructionCatalog.Of(in i).Native switch
    {
        NativeTreatment.Plain => Plain(in i),
        NativeTreatment.Move => Move(in i),
        NativeTreatment.Bits => Bits(in i),
        NativeTreatment.NoCode => true,
        NativeTreatment.Jump => Jump(in i),
        NativeTreatment.Call => Call(in i),
        NativeTreatment.Return => Return(in i),
        NativeTreatment.Push => Push(in i) || Kernel(in i),
        NativeTreatment.Pop => Pop(in i) || Kernel(in i),
        NativeTreatment.Leave => Leave(in i),
        NativeTreatment.Flags or NativeTreatment.InterruptReturn => Kernel(in i),
        NativeTreatment.Interrupt => Interrupt(in i),
        NativeTreatment.Conditional => i.Op0Kind == OpKind.NearBranch32 && Conditional(in i),
        NativeTreatment.Counted => CountedBranch(in i),
        NativeTreatment.Strings => String(in i),
        NativeTreatment.FloatingPoint => Float(in i),
        _ => false,
    };

    private bool Jump(in Instruction i)
    {
        switch (i.Code)
        {
            case Code.Jmp_rel8_32:
            case Code.Jmp_rel32_32:
                _ended = true;
                GoTo(i.NearBranch32);
                return true;
            case Code.Jmp_rm32:
                if (!LoadR10(in i))
                    return false;
                _ended = true;
                EmitIndirect();
                return true;
        }

        return false;
    }

    // Containment: form 1, all of the stack from here to LEAVE: LoadGuest and StoreGuest have no other.
    private bool Call(in Instruction i)
    {
        switch (i.Code)
        {
            case Code.Call_rel32_32:
                _ended = true;
                _emit.StoreGuest32(i.NextIP32, HostRegister.Stack, -4);
                _emit.MoveStack(-4);
                GoTo(i.NearBranch32);
                return true;
            case Code.Call_rm32:
                if (!LoadR10(in i))
                    return false;
                _ended = true;
                _emit.StoreGuest32(i.NextIP32, HostRegister.Stack, -4);
                _emit.MoveStack(-4);
                EmitIndirect();
                return true;
        }

        return false;
    }

    private bool Return(in Instruction i)
    {
        if (i.Code is not (Code.Retnd or Code.Retnd_imm16))
            return false;
        _ended = true;
        _emit.LoadGuest32(Register.R10D, HostRegister.Stack, 0);
        _emit.MoveStack(4 + (i.Code == Code.Retnd ? 0 : i.Immediate16));
        EmitIndirect();
        return true;
    }

    private bool Push(in Instruction i)
    {
        switch (i.Code)
        {
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
        }

        return false;
    }

    private bool Pop(in Instruction i)
    {
        if (i.Code == Code.Pop_rm32 && i.Op0Kind == OpKind.Memory)
            return PopToMemory(in i);
        if (i.Code != Code.Pop_r32)
            return false;
        _emit.LoadGuest32(HostRegister.Of(i.Op0Register), HostRegister.Stack, 0);
        if (i.Op0Register != Register.ESP)
            _emit.MoveStack(4);
        return true;
    }

    /// <summary>
    /// POP to memory, as kernels do to turn interrupts on before they return: not where the address is that of the stack pointer after it,
    /// or in a segment that needs the registers for itself.
    /// </summary>
    private bool PopToMemory(in Instruction i)
    {
        if (i.MemoryBase == Register.ESP || i.MemorySegment is not (Register.DS or Register.ES or Register.SS))
            return false;
        Instruction store = Instruction.Create(
            Code.Mov_rm32_r32, new MemoryOperand(i.MemoryBase, i.MemoryIndex, i.MemoryIndexScale, (int)i.MemoryDisplacement32, i.MemoryDisplSize), Register.R10D);
        store.SegmentPrefix = i.SegmentPrefix;
        if (!Place(ref store, in i))
            return false;

        // The last step moves the stack pointer: what faults before has changed nothing that counts.
        _emit.LoadGuest32(Register.R10D, HostRegister.Stack, 0);
        if (!_emit.TryEncode(in store))
            return false;
        _emit.MoveStack(sizeof(uint));
        return true;
    }

    private bool Leave(in Instruction i)
    {
        if (i.Code != Code.Leaved)
            return false;
        _emit.LoadGuest32(Register.R9D, Register.EBP, 0);
        _emit.Add32(HostRegister.Stack, Register.RBP, sizeof(uint));
        _emit.Move32(Register.EBP, Register.R9D);
        return true;
    }

    private bool Interrupt(in Instruction i)
    {
        // Where it began is told by where it ends: so not with prefixes.
        if (i.Length != TranslatorCore.IntLength)
            return false;
        _ended = true;
        if (i.Immediate8 == Vectors.SystemCall && (_mode & TranslationMode.User) != 0)
            SystemCall(i.NextIP32);
        else
            SoftwareInterrupt(i.Immediate8, i.NextIP32);
        return true;
    }

    private bool Move(in Instruction i) => Kernel(in i) || (IsGeneralOrMemory(in i, 0) && IsGeneralOrMemory(in i, 1) && Plain(in i));

    /// <summary>A bit number in a register reaches far beyond an operand in memory: see <see cref="BitString"/>.</summary>
    private bool Bits(in Instruction i) =>
        BitString(in i) || ((i.Op0Kind == OpKind.Register || i.Op1Kind != OpKind.Register) && Plain(in i));

    private static bool IsGeneralOrMemory(in Instruction i, int operand) =>
        i.GetOpKind(operand) != OpKind.Register || i.GetOpRegister(operand).IsGPR();

    /// <summary>
    /// Encodes an instruction again, its operands where the host has them: where the host does the same with it as the guest's
    /// processor would, given the operand in its window. (LAHF and SAHF: all processors with FSGSBASE, which the translator needs,
    /// have them in 64-bit mode again.)
    /// </summary>
    private bool Plain(in Instruction i)
    {
        if (Copy(in i))
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
        bool beginning = ReadsBeginning(in host);
        _emit.Load64(Register.R9, segment == SegmentName.Fs ? (beginning ? State.FsBeginningBias : State.FsBias) : beginning ? State.GsBeginningBias : State.GsBias);
        host.MemoryBase = Register.R10;
        host.MemoryIndex = Register.R9;
        host.MemoryIndexScale = 1;
        host.MemoryDisplacement64 = 0;
        host.MemoryDisplSize = 0;
        host.SegmentPrefix = Register.GS;
        return true;
    }

    /// <summary>Whether all that an instruction does to its operand is to read it, where even a short segment has something.</summary>
    private static bool ReadsBeginning(in Instruction host) =>
        host.MemoryBase == Register.None && host.MemoryIndex == Register.None
        && host.MemoryDisplacement32 + (ulong)host.MemorySize.GetSize() <= TranslatorScratch.SegmentBeginning
        && (host.Op0Kind != OpKind.Memory || host.Mnemonic is Mnemonic.Cmp or Mnemonic.Test);

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

    private bool Conditional(in Instruction i)
    {
        uint target = i.NearBranch32;
        if (MayLink(target))
        {
            AddLink(_emit.Jump(i.ConditionCode), target);
            return true;
        }

        // Around the way there, which is longer than a branch.
        HostLabel around = _emit.Jump(Opposite(i.ConditionCode));
        GoTo(target);
        _emit.Bind(around);
        return true;
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
