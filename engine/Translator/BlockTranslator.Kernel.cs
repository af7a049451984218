// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Native;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>
/// What a kernel does at every system call: saving and loading segment registers, flags, going back to ring 3. The ordinary
/// case stays in translated code; whatever is not ordinary leaves for the interpreter from the middle.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private bool Kernel(in Instruction i)
    {
        switch (i.Code)
        {
            case Code.Pushd_ES:
            case Code.Pushd_CS:
            case Code.Pushd_SS:
            case Code.Pushd_DS:
            case Code.Pushd_FS:
            case Code.Pushd_GS:
                _emit.Load32(Register.R9D, State.Segment(NameOf(i.Op0Register)).Selector);

                // Containment: form 1. Only the low half of the slot is written, as processors since the 486 do.
                _emit.StoreGuest16(Register.R9D, HostRegister.Stack, -4);
                _emit.MoveStack(-4);
                return true;
            case Code.Mov_rm16_Sreg:
            case Code.Mov_r32m16_Sreg:
                if (i.Op0Kind != OpKind.Register)
                    return false;
                _emit.Load32(Register.R9D, State.Segment(NameOf(i.Op1Register)).Selector);
                Instruction copy = i.Op0Register.IsGPR32()
                    ? Instruction.Create(Code.Mov_r32_rm32, HostRegister.Of(i.Op0Register), Register.R9D)
                    : Instruction.Create(Code.Mov_r16_rm16, HostRegister.Of(i.Op0Register), Register.R9W);
                _emit.Encode(in copy);
                return true;
            case Code.Mov_Sreg_rm16:
            case Code.Mov_Sreg_r32m16:
                if (i.Op1Kind != OpKind.Register || i.Op0Register is Register.CS or Register.SS)
                    return false;
                Instruction move = Instruction.Create(Code.Movzx_r32_rm16, Register.R10D, HostRegister.Of(Low16(i.Op1Register)));
                _emit.Encode(in move);
                LoadSegment(in i, i.Op0Register, stackBytes: 0);
                return true;
            case Code.Popd_ES:
            case Code.Popd_DS:
            case Code.Popd_FS:
            case Code.Popd_GS:
                // Containment: form 1.
                _emit.LoadGuestZeroExtended16(Register.R10D, HostRegister.Stack);
                LoadSegment(in i, i.Op0Register, stackBytes: 4);
                return true;
            case Code.Pushfd:
                // Containment: form 7, then 4 and 1.
                _emit.PushFlags();
                _emit.Pop(Register.R10);
                _emit.Load32(Register.R9D, State.ExtraFlags);
                _emit.Add32(Register.R10D, Register.R10, Register.R9);
                _emit.StoreGuest32(Register.R10D, HostRegister.Stack, -4);
                _emit.MoveStack(-4);
                return true;
            case Code.Popfd:
                PopFlags(in i);
                return true;
            case Code.Iretd:
                if ((_mode & TranslationMode.User) != 0)
                    return false;
                _ended = true;
                _emit.Store(State.Eip, i.IP32);
                _emit.Jump(State.InterruptReturnEntry);
                return true;
            case Code.Mov_r8_rm8:
                return HighByteLoad(in i);
        }

        return false;
    }

    /// <summary>INT 0x80 in ring 3.</summary>
    private void SystemCall(uint next)
    {
        _emit.Store(State.Eip, next);
        _emit.Jump(State.SystemCallEntry);
    }

    private static Register Low16(Register register) => register.IsGPR32() ? Register.AX + register.GetNumber() : register;

    /// <summary>Both number segment registers as the processor does.</summary>
    private static SegmentName NameOf(Register segment) => (SegmentName)(segment - Register.ES);

    /// <summary>
    /// The selector in %r10d to a segment register. %ds and %es: only if it is the one that is there (a kernel loads the user's
    /// flat segment again and again). %fs and %gs: if it is one of two that were loaded before.
    /// </summary>
    private void LoadSegment(in Instruction i, Register segment, int stackBytes)
    {
        bool candidates = segment is Register.FS or Register.GS && (_mode & TranslationMode.User) == 0;
        if (segment is Register.FS or Register.GS && !candidates)
        {
            Instruction again = i;
            EmitInterpret(i.IP32, &again);
            return;
        }

        State.CandidatePlace first = segment == Register.FS ? State.FsCandidate0 : State.GsCandidate0;
        State.CandidatePlace second = segment == Register.FS ? State.FsCandidate1 : State.GsCandidate1;
        _emit.Move64(Register.R9, Register.RCX);
        _side.Add(_emit.Offset, i.IP32, SideKind.InstructionWithEcxInR9);
        HostLabel hitFirst = CompareSelector(candidates ? first.Negated : segment == Register.ES ? State.NegatedEs : State.NegatedDs);
        HostLabel hitSecond = candidates ? CompareSelector(second.Negated) : default;
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, i.IP32, SideKind.Instruction);
        Instruction slow = i;
        uint number = EmitInterpret(i.IP32, &slow);
        _side.Add(_emit.Offset, i.IP32, SideKind.InstructionWithEcxInR9);
        _emit.Bind(hitFirst);
        if (candidates)
        {
            CopyCandidate(segment, first);
            HostLabel end = _emit.JumpShort();
            _emit.Bind(hitSecond);
            CopyCandidate(segment, second);
            _emit.Bind(end);
        }

        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, i.IP32, SideKind.Instruction);
        if (stackBytes != 0)
            _emit.MoveStack(stackBytes);
        _code.Interpreted.ContinueAt(number, _emit.Here);
    }

    /// <summary>jrcxz if the selector in %r10d and a negated one add up to nothing.</summary>
    private HostLabel CompareSelector(State negated)
    {
        // Containment: form 4.
        _emit.Load32(Register.ECX, negated);
        _emit.Add32(Register.ECX, Register.RCX, Register.R10);
        return _emit.JumpIfRcxIsZero();
    }

    /// <summary>Copying is doing again what was done, if it is interrupted and begun anew.</summary>
    private void CopyCandidate(Register segment, State.CandidatePlace candidate)
    {
        State.SegmentPlace to = State.Segment(NameOf(segment));
        CopyState(candidate.Segment.LowHalf, to.LowHalf);
        CopyState(candidate.Segment.HighHalf, to.HighHalf);
        CopyState(candidate.Bias, segment == Register.FS ? State.FsBias : State.GsBias);
        CopyState(candidate.BeginningBias, segment == Register.FS ? State.FsBeginningBias : State.GsBeginningBias);
    }

    private void CopyState(State from, State to)
    {
        // Containment: form 4.
        _emit.Load64(Register.RCX, from);
        _emit.Store64(to, Register.RCX);
    }

    /// <summary>
    /// POPF, when it changes no more than what arithmetic does and DF. The flags may be lost on the way: they are about to be
    /// set.
    /// </summary>
    private void PopFlags(in Instruction i)
    {
        const uint unusual = EFlags.Trap | EFlags.NestedTask | EFlags.AlignmentCheck | EFlags.Identification;

        // Containment: form 1, then 4. Read once: the word that is tested in %r9d is the one in %r10d that is loaded.
        _emit.LoadGuest32(Register.R10D, HostRegister.Stack, 0);
        _emit.Move32(Register.R9D, Register.R10D);
        _emit.And32ChangingFlags(Register.R9D, unusual);
        _emit.Compare32ChangingFlags(Register.R9D, State.ExtraFlags);
        HostLabel usual = _emit.Jump(ConditionCode.e);
        Instruction slow = i;
        bool ended = _ended;
        uint number = EmitInterpret(i.IP32, &slow);
        _ended = ended;
        _emit.Bind(usual);
        _side.Add(_emit.Offset, i.IP32, SideKind.Instruction);
        _emit.And32ChangingFlags(Register.R10D, EFlags.Arithmetic | EFlags.Direction);
        _emit.Or32ChangingFlags(Register.R10D, EFlags.Interrupt | EFlags.Fixed);

        // Containment: form 7.
        _emit.Push(Register.R10);
        _emit.PopFlags();
        _emit.MoveStack(4);
        _code.Interpreted.ContinueAt(number, _emit.Here);
    }

    /// <summary>
    /// MOV to %ah and its like from an address with %esp: no encoding has both the high byte and %r8. The byte goes through
    /// memory into a copy of the register.
    /// </summary>
    private bool HighByteLoad(in Instruction i)
    {
        if (i.Op1Kind != OpKind.Memory || i.MemoryBase != Register.ESP || i.Op0Register is < Register.AH or > Register.BH)
            return false;
        Instruction load = Instruction.Create(
            Code.Movzx_r32_rm8, Register.R9D, new MemoryOperand(i.MemoryBase, i.MemoryIndex, i.MemoryIndexScale, (int)i.MemoryDisplacement32, i.MemoryDisplSize));
        load.SegmentPrefix = i.SegmentPrefix;
        if (i.MemorySegment is not (Register.DS or Register.ES or Register.SS) || !Place(ref load, in i) || !_emit.TryEncode(in load))
            return false;
        Register whole = Register.EAX + (i.Op0Register - Register.AH);

        // Containment: form 4.
        _emit.Store32(State.Scratch, whole);
        _emit.Store8(State.ScratchByte1, Register.R9D);
        _emit.Load32(whole, State.Scratch);
        return true;
    }

    /// <summary>On to a system call's handler, by the branch table: it may be dropped and translated anew.</summary>
    public void EmitSystemCallTail(uint handler)
    {
        _side.Add(_emit.Offset, handler, SideKind.GoingTo);
        _emit.Move64(Register.R9, Register.RCX);
        _side.Add(_emit.Offset, handler, SideKind.GoingToWithEcxInR9);
        HostLabel quiet = CompareAttention();
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, handler, SideKind.GoingTo);
        _emit.Store(State.Eip, handler);
        _emit.Store(State.ExitReason, (uint)TranslatedExit.Branch);
        _emit.Jump(_exit);
        _side.Add(_emit.Offset, handler, SideKind.GoingToWithEcxInR9);
        _emit.Bind(quiet);
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, handler, SideKind.GoingTo);
        EmitLookup(handler);
    }

    /// <summary>On to where IRET returns, in %r10d.</summary>
    public void EmitInterruptReturnTail()
    {
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        _emit.Move64(Register.R9, Register.RCX);
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10WithEcxInR9);
        HostLabel quiet = CompareAttention();
        _emit.Move64(Register.RCX, Register.R9);
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        LeaveForR10();
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10WithEcxInR9);
        _emit.Bind(quiet);
        _emit.Move64(Register.RCX, Register.R9);
        EmitIndirect();
    }

    /// <summary>The same, for a program that does not go on in translated code.</summary>
    public void EmitLeavingReturnTail()
    {
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        LeaveForR10();
    }

    /// <summary>jrcxz if nobody wants attention.</summary>
    private HostLabel CompareAttention()
    {
        // Containment: form 4.
        _emit.Load32(Register.ECX, State.Attention);
        return _emit.JumpIfRcxIsZero();
    }
}
