// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Instructions;
using Lguest.Engine.Native;
using Lguest.GuestAbi;

namespace Lguest.Engine.FloatingPoint;

/// <summary>
/// Writes the x86-64 machine code that executes one guest instruction on the host's own floating-point unit:
/// <c>uint stub(CpuState* cpu /* rdi */, uint eflags /* esi */)</c>. The result holds the exception vector in its low byte and
/// EFLAGS above it. The memory operand is always <see cref="CpuState.Scratch"/>, a general register always %eax. System V
/// calling convention; a leaf that keeps two words in the red zone, below what a push would overwrite.
/// </summary>
internal sealed class StubBuilder
{
    /// <summary>More than the longest stub, which has under 100 bytes of glue, one instruction and four register moves.</summary>
    private const int MaxBytes = 256;

    private readonly byte[] _code = GC.AllocateArray<byte>(MaxBytes, pinned: true);
    private readonly HostAssembler _emit;

    public unsafe StubBuilder() => _emit = new HostAssembler((byte*)Unsafe.AsPointer(ref _code[0]), Register.RDI, compact: true);

    /// <summary>Writes the stub of an instruction.</summary>
    /// <param name="instruction">As decoded from 32-bit code.</param>
    /// <param name="kind">One of the kinds that use a stub.</param>
    /// <returns>Position-independent code, valid until the next call.</returns>
    /// <exception cref="InvalidOperationException">The instruction has no 64-bit form: a gap in the classification.</exception>
    public ReadOnlySpan<byte> Build(in Instruction instruction, FloatingPointKind kind)
    {
        Restart();
        switch (kind)
        {
            case FloatingPointKind.SseMove:
                LoadRegisters(instruction);
                Operation(instruction);
                StoreRegisters(instruction);
                ReturnZero();
                break;
            case FloatingPointKind.SseArithmetic or FloatingPointKind.SseCompare:
                Arithmetic(instruction, kind == FloatingPointKind.SseCompare);
                break;
            default:
                WholeImage(instruction, kind == FloatingPointKind.LegacyFlags);
                break;
        }

        if (_emit.Offset > MaxBytes)
            throw new InvalidOperationException($"{instruction.Code}: a stub of {_emit.Offset} bytes, and room for {MaxBytes}");
        return _code.AsSpan(0, (int)_emit.Offset);
    }

    private void Arithmetic(in Instruction instruction, bool compare)
    {
        const int maskShift = 7;
        _emit.SaveMxcsr(RedZoneSlot.HostMxcsr);
        _emit.Load32(Register.ECX, State.Mxcsr);
        _emit.Move32(Register.EAX, Register.ECX);
        _emit.And32ChangingFlags(Register.EAX, ~(uint)FxImage.ExceptionFlags);
        _emit.Or32ChangingFlags(Register.EAX, FxImage.MxcsrMasks);
        _emit.Store32(RedZoneSlot.WorkMxcsr, Register.EAX);
        _emit.RestoreMxcsr(RedZoneSlot.WorkMxcsr);
        LoadRegisters(instruction);
        Operation(instruction);
        if (compare)
            FlagsToEax();
        _emit.SaveMxcsr(RedZoneSlot.WorkMxcsr);
        _emit.RestoreMxcsr(RedZoneSlot.HostMxcsr);

        // Raised now: %edx; unmasked: %r8d.
        _emit.Load32(Register.EDX, RedZoneSlot.WorkMxcsr);
        _emit.And32ChangingFlags(Register.EDX, FxImage.ExceptionFlags);
        _emit.Move32(Register.R8D, Register.ECX);
        _emit.ShiftRightChangingFlags(Register.R8D, maskShift);
        _emit.Not32(Register.R8D);
        _emit.Or32ChangingFlags(Register.ECX, Register.EDX);
        _emit.Store32(State.Mxcsr, Register.ECX);
        _emit.And32ChangingFlags(Register.EDX, Register.R8D);
        HostLabel fault = _emit.JumpShort(ConditionCode.ne);
        StoreRegisters(instruction);
        if (compare)
            _emit.Return();
        else
            ReturnZero();
        _emit.Bind(fault);
        _emit.Move32(Register.EAX, ExceptionVector.SimdException);
        _emit.Return();
    }

    private void WholeImage(in Instruction instruction, bool flags)
    {
        _emit.SaveMxcsr(RedZoneSlot.HostMxcsr);
        _emit.LoadFloats(State.FxState);
        LoadGeneral(instruction);
        if (flags)
        {
            _emit.Push(Register.RSI);
            _emit.PopFlags();
        }

        Operation(instruction);
        StoreGeneral(instruction);
        if (flags)
            FlagsToEax();
        else
            _emit.ClearChangingFlags(Register.EAX);
        _emit.StoreFloats(State.FxState);

        // The host must not meet what is pending for the guest.
        _emit.InitializeFloat();
        _emit.RestoreMxcsr(RedZoneSlot.HostMxcsr);
        _emit.Return();
    }

    private void Operation(Instruction instruction)
    {
        bool masked = (InstructionCatalog.Of(in instruction).Traits & OperandTraits.MaskedStore) != 0;
        instruction.SegmentPrefix = Register.None;
        instruction.HasRepPrefix = false;
        instruction.HasRepnePrefix = false;
        instruction.HasLockPrefix = false;
        for (int i = 0; i < instruction.OpCount; i++)
        {
            OpKind kind = instruction.GetOpKind(i);
            if (kind == OpKind.Register && instruction.GetOpRegister(i).IsGPR32())
            {
                instruction.SetOpRegister(i, Register.EAX);
            }
            else if (masked && kind is OpKind.MemorySegDI or OpKind.MemorySegEDI)
            {
                instruction.SetOpKind(i, OpKind.MemorySegRDI);
            }
            else if (kind == OpKind.Memory)
            {
                instruction.MemoryBase = Register.RDI;
                instruction.MemoryIndex = Register.None;
                instruction.MemoryIndexScale = 1;
                instruction.MemoryDisplSize = 8;
                instruction.MemoryDisplacement64 = (ulong)State.Scratch.Offset;
            }
        }

        if (masked)
        {
            _emit.Move64(Register.RDX, Register.RDI);
            _emit.AddressOf(Register.RDI, State.Scratch);
        }

        if (!_emit.TryEncode(in instruction, out string? error))
            throw new InvalidOperationException($"{instruction.Code} cannot be encoded for this host: {error}");
        if (masked)
            _emit.Move64(Register.RDI, Register.RDX);
    }

    private void LoadRegisters(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Register && instruction.GetOpRegister(i).IsXMM())
                _emit.LoadVector(instruction.GetOpRegister(i), State.Vector(instruction.GetOpRegister(i).GetNumber()));
        }

        LoadGeneral(instruction);
    }

    private void StoreRegisters(in Instruction instruction)
    {
        if (instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsXMM())
            _emit.StoreVector(State.Vector(instruction.Op0Register.GetNumber()), instruction.Op0Register);
        StoreGeneral(instruction);
    }

    private void LoadGeneral(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Register && instruction.GetOpRegister(i).IsGPR32())
                _emit.Load32(Register.EAX, State.Register((GeneralRegister)instruction.GetOpRegister(i).GetNumber()));
        }
    }

    private void StoreGeneral(in Instruction instruction)
    {
        if (instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsGPR32())
            _emit.Store32(State.Register((GeneralRegister)instruction.Op0Register.GetNumber()), Register.EAX);
    }

    /// <summary>The arithmetic flags to bits 8 and up of %eax.</summary>
    private void FlagsToEax()
    {
        _emit.PushFlags();
        _emit.Pop(Register.RAX);
        _emit.And32ChangingFlags(Register.EAX, EFlags.Arithmetic);
        _emit.ShiftLeftChangingFlags(Register.EAX, 8);
    }

    private void ReturnZero()
    {
        _emit.ClearChangingFlags(Register.EAX);
        _emit.Return();
    }

    private unsafe void Restart() => _emit.Start((byte*)Unsafe.AsPointer(ref _code[0]));
}
