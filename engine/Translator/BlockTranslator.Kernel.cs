// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Translator;

/// <summary>
/// What a kernel does at every system call: saving and loading segment registers, flags, going back to ring 3. The ordinary
/// case stays in translated code; whatever is not ordinary leaves for the interpreter from the middle.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int CandidateBytes = 32;
    private const int FsCandidates = 0x560;
    private const int GsCandidates = 0x5A0;
    private const int BiasInCandidate = 16;
    private const int NegatedInCandidate = 24;

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
                _emit.LoadR9(SegmentOffset(i.Op0Register));
                StoreSelector();
                _emit.MoveStack(-4);
                return true;
            case Code.Mov_rm16_Sreg:
            case Code.Mov_r32m16_Sreg:
                if (i.Op0Kind != OpKind.Register)
                    return false;
                _emit.LoadR9(SegmentOffset(i.Op1Register));
                Instruction copy = i.Op0Register.IsGPR32()
                    ? Instruction.Create(Code.Mov_r32_rm32, HostEmitter.ToHost(i.Op0Register), Register.R9D)
                    : Instruction.Create(Code.Mov_r16_rm16, HostEmitter.ToHost(i.Op0Register), Register.R9W);
                _emit.Encode(in copy);
                return true;
            case Code.Mov_Sreg_rm16:
            case Code.Mov_Sreg_r32m16:
                if (i.Op1Kind != OpKind.Register || i.Op0Register is Register.CS or Register.SS)
                    return false;
                Instruction move = Instruction.Create(Code.Movzx_r32_rm16, Register.R10D, HostEmitter.ToHost(Low16(i.Op1Register)));
                _emit.Encode(in move);
                LoadSegment(in i, i.Op0Register, stackBytes: 0);
                return true;
            case Code.Popd_ES:
            case Code.Popd_DS:
            case Code.Popd_FS:
            case Code.Popd_GS:
                Instruction load = Instruction.Create(
                    Code.Movzx_r32_rm16, Register.R10D, new MemoryOperand(Register.R8D, Register.None, 1, 0, 0, false, Register.GS));
                _emit.Encode(in load);
                LoadSegment(in i, i.Op0Register, stackBytes: 4);
                return true;
            case Code.Pushfd:
                _emit.Bytes(0x9C, 0x41, 0x5A); // pushfq; pop r10 (containment: form 7)
                _emit.LoadR9(0x550);
                _emit.AddR9ToR10();
                _emit.Store(Register.R10D, Register.R8D, -4);
                _emit.MoveStack(-4);
                return true;
            case Code.Popfd:
                PopFlags(in i);
                return true;
            case Code.Iretd:
                if ((_mode & TranslationMode.User) != 0)
                    return false;
                _ended = true;
                _emit.StoreState(0x20, i.IP32);
                _emit.Bytes(0x41, 0xFF, 0xA5); // jmp [r13 + InterruptReturnEntry]
                _emit.UInt32(0x5F0);
                return true;
            case Code.Mov_r8_rm8:
                return HighByteLoad(in i);
        }

        return false;
    }

    /// <summary>INT 0x80 in ring 3.</summary>
    private void SystemCall(uint next)
    {
        _emit.StoreState(0x20, next);
        _emit.Bytes(0x41, 0xFF, 0xA5); // jmp [r13 + SystemCallEntry]
        _emit.UInt32(0x5E0);
    }

    private static Register Low16(Register register) => register.IsGPR32() ? Register.AX + register.GetNumber() : register;

    private static int SegmentOffset(Register segment) => 0x50 + (16 * (segment switch
    {
        Register.ES => 0,
        Register.CS => 1,
        Register.SS => 2,
        Register.DS => 3,
        Register.FS => 4,
        _ => 5,
    }));

    /// <summary>Only the low half of the slot is written, as processors since the 486 do.</summary>
    private void StoreSelector()
    {
        Instruction store = Instruction.Create(
            Code.Mov_rm16_r16, new MemoryOperand(Register.R8D, Register.None, 1, -4, 1, false, Register.GS), Register.R9W);
        _emit.Encode(in store);
    }

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

        int first = segment == Register.FS ? FsCandidates : GsCandidates;
        _emit.Bytes(0x49, 0x89, 0xC9); // mov r9, rcx
        _side.Add(_emit.Offset, i.IP32, SideKind.InstructionWithEcxInR9);
        uint hit0;
        uint hit1 = 0;
        if (candidates)
        {
            hit0 = CompareSelector(first + NegatedInCandidate);
            hit1 = CompareSelector(first + CandidateBytes + NegatedInCandidate);
        }
        else
        {
            hit0 = CompareSelector(segment == Register.ES ? 0x554 : 0x558);
        }

        _emit.Bytes(0x4C, 0x89, 0xC9); // mov rcx, r9
        _side.Add(_emit.Offset, i.IP32, SideKind.Instruction);
        Instruction slow = i;
        uint number = EmitInterpret(i.IP32, &slow);
        uint end = 0;
        _side.Add(_emit.Offset, i.IP32, SideKind.InstructionWithEcxInR9);
        _emit.CloseShort(hit0);
        if (candidates)
        {
            CopyCandidate(segment, first);
            _emit.Bytes(0xEB, 0); // jmp end
            end = _emit.Offset - 1;
            _emit.CloseShort(hit1);
            CopyCandidate(segment, first + CandidateBytes);
            _emit.CloseShort(end);
        }

        _emit.Bytes(0x4C, 0x89, 0xC9); // mov rcx, r9
        _side.Add(_emit.Offset, i.IP32, SideKind.Instruction);
        if (stackBytes != 0)
            _emit.MoveStack(stackBytes);
        _core.ContinueInterpretedAt(number, _emit.Here);
    }

    /// <summary>jrcxz if the selector in %r10d and the negated one at an offset add up to nothing.</summary>
    private uint CompareSelector(int negatedOffset)
    {
        // Containment: form 4.
        _emit.Bytes(0x41, 0x8B, 0x8D); // mov ecx, [r13 + negated]
        _emit.UInt32((uint)negatedOffset);
        _emit.Bytes(0x42, 0x8D, 0x0C, 0x11); // lea ecx, [rcx + r10]
        _emit.Bytes(0xE3, 0);
        return _emit.Offset - 1;
    }

    /// <summary>Copying is doing again what was done, if it is interrupted and begun anew.</summary>
    private void CopyCandidate(Register segment, int candidate)
    {
        int to = SegmentOffset(segment);
        CopyState(candidate, to);
        CopyState(candidate + 8, to + 8);
        CopyState(candidate + BiasInCandidate, segment == Register.FS ? 0x540 : 0x548);
    }

    private void CopyState(int from, int to)
    {
        // Containment: form 4.
        _emit.Bytes(0x49, 0x8B, 0x8D); // mov rcx, [r13 + from]
        _emit.UInt32((uint)from);
        _emit.Bytes(0x49, 0x89, 0x8D); // mov [r13 + to], rcx
        _emit.UInt32((uint)to);
    }

    /// <summary>
    /// POPF, when it changes no more than what arithmetic does and DF. The flags may be lost on the way: they are about to be
    /// set.
    /// </summary>
    private void PopFlags(in Instruction i)
    {
        const uint unusual = EFlags.Trap | EFlags.NestedTask | EFlags.AlignmentCheck | EFlags.Identification;

        // Read once: the word that is tested in %r9d is the one in %r10d that is loaded.
        _emit.Load(Register.R10D, Register.R8D, 0);
        _emit.Bytes(0x45, 0x89, 0xD1); // mov r9d, r10d
        _emit.Bytes(0x41, 0x81, 0xE1); // and r9d, unusual
        _emit.UInt32(unusual);
        _emit.Bytes(0x45, 0x3B, 0x8D); // cmp r9d, [r13 + ExtraFlags]
        _emit.UInt32(0x550);
        uint usual = _emit.JumpOpen(ConditionCode.e);
        Instruction slow = i;
        bool ended = _ended;
        uint number = EmitInterpret(i.IP32, &slow);
        _ended = ended;
        _emit.Close(usual, _emit.Here);
        _side.Add(_emit.Offset, i.IP32, SideKind.Instruction);
        _emit.Bytes(0x41, 0x81, 0xE2); // and r10d, arithmetic | direction
        _emit.UInt32(EFlags.Arithmetic | EFlags.Direction);
        _emit.Bytes(0x41, 0x81, 0xCA); // or r10d, IF | 2
        _emit.UInt32(EFlags.Interrupt | EFlags.Fixed);
        _emit.Bytes(0x41, 0x52, 0x9D); // push r10; popfq (containment: form 7)
        _emit.MoveStack(4);
        _core.ContinueInterpretedAt(number, _emit.Here);
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
        MemoryOperand scratch = new(Register.R13, Register.None, 1, CpuState.ScratchOffset, 8);
        MemoryOperand scratchHigh = new(Register.R13, Register.None, 1, CpuState.ScratchOffset + 1, 8);
        Instruction spill = Instruction.Create(Code.Mov_rm32_r32, scratch, whole);
        Instruction insert = Instruction.Create(Code.Mov_rm8_r8, scratchHigh, Register.R9L);
        Instruction fill = Instruction.Create(Code.Mov_r32_rm32, whole, scratch);
        _emit.Encode(in spill);
        _emit.Encode(in insert);
        _emit.Encode(in fill);
        return true;
    }

    /// <summary>On to a system call's handler, by the branch table: it may be dropped and translated anew.</summary>
    public void EmitSystemCallTail(uint handler)
    {
        _side.Add(_emit.Offset, handler, SideKind.GoingTo);
        _emit.Bytes(0x49, 0x89, 0xC9); // mov r9, rcx
        _side.Add(_emit.Offset, handler, SideKind.GoingToWithEcxInR9);
        uint quiet = CompareAttention();
        _emit.Bytes(0x4C, 0x89, 0xC9); // mov rcx, r9
        _side.Add(_emit.Offset, handler, SideKind.GoingTo);
        _emit.StoreState(0x20, handler);
        _emit.StoreState(0xC8, (uint)TranslatedExit.Branch);
        _emit.Jump(_exit);
        _side.Add(_emit.Offset, handler, SideKind.GoingToWithEcxInR9);
        _emit.CloseShort(quiet);
        _emit.Bytes(0x4C, 0x89, 0xC9); // mov rcx, r9
        _side.Add(_emit.Offset, handler, SideKind.GoingTo);
        EmitLookup(handler);
    }

    /// <summary>On to where IRET returns, in %r10d.</summary>
    public void EmitInterruptReturnTail()
    {
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        _emit.Bytes(0x49, 0x89, 0xC9); // mov r9, rcx
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10WithEcxInR9);
        uint quiet = CompareAttention();
        _emit.Bytes(0x4C, 0x89, 0xC9); // mov rcx, r9
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        _emit.StoreEipFromR10();
        _emit.StoreState(0xC8, (uint)TranslatedExit.Branch);
        _emit.Jump(_exit);
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10WithEcxInR9);
        _emit.CloseShort(quiet);
        _emit.Bytes(0x4C, 0x89, 0xC9); // mov rcx, r9
        EmitIndirect();
    }

    /// <summary>The same, for a program that does not go on in translated code.</summary>
    public void EmitLeavingReturnTail()
    {
        _side.Add(_emit.Offset, 0, SideKind.GoingToR10);
        _emit.StoreEipFromR10();
        _emit.StoreState(0xC8, (uint)TranslatedExit.Branch);
        _emit.Jump(_exit);
    }

    private uint CompareAttention()
    {
        // Containment: form 4.
        _emit.Bytes(0x41, 0x8B, 0x8D); // mov ecx, [r13 + Attention]
        _emit.UInt32(0x38);
        _emit.Bytes(0xE3, 0);
        return _emit.Offset - 1;
    }
}
