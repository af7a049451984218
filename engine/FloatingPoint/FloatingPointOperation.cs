// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.Engine.Cpu;
using Lguest.Engine.Instructions;
using Lguest.GuestAbi;

namespace Lguest.Engine.FloatingPoint;

/// <summary>
/// One x87, MMX, SSE or SSE2 instruction, ready to be executed any number of times. Guest memory is the caller's business:
/// before <see cref="Execute"/>, check CR0.TS, the operand's alignment and access, and copy <see cref="OperandBytes"/> bytes to
/// <see cref="CpuState.Scratch"/> when <see cref="Reads"/>; afterwards, when it returned 0, copy them back when
/// <see cref="Writes"/>.
/// </summary>
public sealed unsafe class FloatingPointOperation
{
    /// <summary>Returned by <see cref="Execute"/>: done.</summary>
    public const byte Done = 0;

    private const uint PreComputation = 0x07; // IE, DE, ZE
    private const int OpcodeBits = 0x7FF;

    private readonly delegate* unmanaged[SuppressGCTransition]<CpuState*, uint, uint> _stub;
    private readonly FloatingPointKind _kind;
    private readonly bool _waits;
    private readonly int _opcode;
    private readonly SegmentName _segment;

    internal FloatingPointOperation(FloatingPointKind kind, void* stub, bool waits, int opcode, SegmentName segment)
    {
        _kind = kind;
        _stub = (delegate* unmanaged[SuppressGCTransition]<CpuState*, uint, uint>)stub;
        _waits = waits;
        _opcode = opcode;
        _segment = segment;
    }

    /// <summary>Bytes of the memory operand; 0 without one.</summary>
    public int OperandBytes { get; internal init; }

    /// <summary>The memory operand is read.</summary>
    public bool Reads { get; internal init; }

    /// <summary>The memory operand is written.</summary>
    public bool Writes { get; internal init; }

    /// <summary>The multiple that the operand's linear address has to be of (else #GP(0)); 1 for anywhere.</summary>
    public uint AlignmentRequired { get; internal init; } = 1;

    /// <summary>
    /// The operand is named by no operand of the instruction but is at (%edi) — (%di) with 16-bit addresses — in the data
    /// segment or the one a prefix names: MASKMOVQ and MASKMOVDQU.
    /// </summary>
    public bool ImplicitDestination { get; internal init; }

    /// <summary>
    /// Executes the instruction. x87 records where it was from <see cref="ArchState.Eip"/> (which must still name this
    /// instruction) and, with a memory operand, <see cref="InterpreterScratch.EffectiveAddress"/> (its linear address).
    /// </summary>
    /// <param name="cpu">The guest's processor.</param>
    /// <returns>
    /// <see cref="Done"/>, or the vector of an exception, with the state as the processor leaves it:
    /// <see cref="ExceptionVector.MathFault"/>, <see cref="ExceptionVector.SimdException"/> or <see cref="ExceptionVector.GeneralProtection"/> (reserved bits of MXCSR).
    /// </returns>
    public byte Execute(CpuState* cpu)
    {
        FxImage* image = &cpu->Arch.Float;
        switch (_kind)
        {
            case FloatingPointKind.SseMove:
                _ = _stub(cpu, 0);
                return Done;
            case FloatingPointKind.SseArithmetic or FloatingPointKind.SseCompare:
                return Simd(cpu, image);
            default:
                return IsHeldUp(cpu) ? ExceptionVector.MathFault : Other(cpu, image);
        }
    }

    /// <summary>
    /// Whether <see cref="Execute"/> would raise <see cref="ExceptionVector.MathFault"/>: a pending x87 exception comes before a fault of the
    /// memory operand, so ask first.
    /// </summary>
    public bool IsHeldUp(CpuState* cpu) => _waits && (cpu->Arch.Float.Status & FxImage.StatusErrorSummary) != 0;

    private byte Simd(CpuState* cpu, FxImage* image)
    {
        uint before = image->Mxcsr;
        if ((before & FxImage.MxcsrUnderflowMask) == 0)
            return UnmaskedUnderflow(cpu, image);
        uint result = _stub(cpu, 0);
        if ((byte)result != Done)
        {
            // Nothing is committed, so it can run again to tell its own flags from those that were set before.
            image->Mxcsr = before & ~(uint)FxImage.ExceptionFlags;
            _ = _stub(cpu, 0);
            return Raise(image, before, image->Mxcsr & FxImage.ExceptionFlags);
        }

        if (_kind == FloatingPointKind.SseCompare)
            SetArithmeticFlags(cpu, result >> 8);
        return Done;
    }

    // Known limit: with overflow or underflow unmasked, PE comes from the rounded result; the processor asks whether a result
    // with an unbounded exponent would have been exact.
    // Unmasked, an underflow is reported when the result is tiny; masked, only when it is inexact as well. Flushing to zero
    // reports every tiny result even when masked: so the stub, which always runs masked, is asked that way first.
    private byte UnmaskedUnderflow(CpuState* cpu, FxImage* image)
    {
        uint before = image->Mxcsr;
        uint control = before & ~(FxImage.MxcsrMasks | FxImage.ExceptionFlags | FxImage.MxcsrFlushToZero);
        image->Mxcsr = control | FxImage.MxcsrFlushToZero;
        uint result = _stub(cpu, 0);
        uint raised = image->Mxcsr & FxImage.ExceptionFlags;
        if ((raised & FxImage.Underflow) != 0)
            return Raise(image, before, FxImage.Underflow | WithoutCommit(cpu, image, control));
        if ((raised & ~(before >> 7)) != 0)
            return Raise(image, before, raised);
        if ((byte)result != Done)
        {
            image->Mxcsr = control | FxImage.MxcsrMasks;
            result = _stub(cpu, 0);
        }

        image->Mxcsr = before | raised;
        if (_kind == FloatingPointKind.SseCompare)
            SetArithmeticFlags(cpu, result >> 8);
        return Done;
    }

    // The flags of the operation; a tiny result is always in an XMM register.
    private uint WithoutCommit(CpuState* cpu, FxImage* image, uint control)
    {
        FxImage saved = *image;
        image->Mxcsr = control;
        _ = _stub(cpu, 0);
        uint raised = image->Mxcsr & FxImage.ExceptionFlags;
        *image = saved;
        return raised;
    }

    // An unmasked exception that is found before computing keeps the others from being found (Intel SDM vol. 1, 11.5.2.1).
    private static byte Raise(FxImage* image, uint before, uint raised)
    {
        if ((raised & ~(before >> 7) & PreComputation) != 0)
            raised &= PreComputation;
        image->Mxcsr = before | raised;
        return ExceptionVector.SimdException;
    }

    private byte Other(CpuState* cpu, FxImage* image)
    {
        Span<byte> operand = new(cpu->Scratch, OperandBytes);
        switch (_kind)
        {
            case FloatingPointKind.Legacy or FloatingPointKind.LegacyNoWait:
                WithPointers(cpu, image, 0);
                return Done;
            case FloatingPointKind.LegacyFlags:
                SetArithmeticFlags(cpu, WithPointers(cpu, image, (cpu->Arch.Flags & EFlags.Arithmetic) | EFlags.Fixed) >> 8);
                return Done;
            case FloatingPointKind.Mixed:
                return Mixed(cpu, image);
            case FloatingPointKind.LoadControl:
                image->LoadControl(Unsafe.ReadUnaligned<ushort>(cpu->Scratch));
                return Done;
            case FloatingPointKind.StoreControl:
                Unsafe.WriteUnaligned(cpu->Scratch, image->Control);
                return Done;
            case FloatingPointKind.StoreStatus:
                Unsafe.WriteUnaligned(cpu->Scratch, image->Status);
                return Done;
            case FloatingPointKind.StoreStatusRegister:
                cpu->Arch.Registers[(int)GeneralRegister.Eax] = (cpu->Arch.Registers[(int)GeneralRegister.Eax] & 0xFFFF_0000) | image->Status;
                return Done;
            case FloatingPointKind.ClearExceptions:
                image->ClearExceptions();
                return Done;
            case FloatingPointKind.Initialize:
                image->Initialize();
                return Done;
            case FloatingPointKind.Wait:
                return Done;
            case FloatingPointKind.StoreEnvironment:
                FpuEnvironment.Store(*image, operand, OperandBytes);
                image->Control |= FxImage.ExceptionFlags;
                image->SummarizeErrors();
                return Done;
            case FloatingPointKind.LoadEnvironment:
                FpuEnvironment.Load(ref *image, operand, OperandBytes);
                return Done;
            case FloatingPointKind.Save:
                FpuEnvironment.Save(*image, operand, OperandBytes - FpuEnvironment.RegisterArea);
                image->Initialize();
                return Done;
            case FloatingPointKind.Restore:
                FpuEnvironment.Restore(ref *image, operand, OperandBytes - FpuEnvironment.RegisterArea);
                return Done;
            case FloatingPointKind.FxSave:
                new ReadOnlySpan<byte>(image, FxImage.Bytes32).CopyTo(operand);
                return Done;
            case FloatingPointKind.FxRestore:
                return FxRestore(image, operand);
            case FloatingPointKind.LoadMxcsr:
                uint mxcsr = Unsafe.ReadUnaligned<uint>(cpu->Scratch);
                if ((mxcsr & ~FxImage.MxcsrValid) != 0)
                    return ExceptionVector.GeneralProtection;
                image->Mxcsr = mxcsr;
                return Done;
            case FloatingPointKind.StoreMxcsr:
                Unsafe.WriteUnaligned(cpu->Scratch, image->Mxcsr);
                return Done;
            default:
                throw new InvalidOperationException($"no way to execute {_kind}");
        }
    }

    private static byte FxRestore(FxImage* image, ReadOnlySpan<byte> operand)
    {
        FxImage loaded = default;
        operand[..FxImage.Bytes32].CopyTo(new Span<byte>(&loaded, FxImage.Bytes32));
        if ((loaded.Mxcsr & ~FxImage.MxcsrValid) != 0)
            return ExceptionVector.GeneralProtection;
        uint mask = image->MxcsrMask;
        *image = loaded;
        image->MxcsrMask = mask;
        image->LoadControl(loaded.Control);
        return Done;
    }

    // The pointers the host's processor keeps are those of the stub, and an AMD one does not even save them.
    private uint WithPointers(CpuState* cpu, FxImage* image, uint flags)
    {
        ushort opcode = image->Opcode;
        uint instruction = image->InstructionOffset;
        uint instructionSelector = image->InstructionSelector;
        uint data = image->DataOffset;
        uint dataSelector = image->DataSelector;
        if (_opcode >= 0)
        {
            opcode = (ushort)(_opcode & OpcodeBits);
            instruction = cpu->Arch.Eip;
            instructionSelector = cpu->Arch.Cs.Selector;
            if (OperandBytes != 0)
            {
                ref SegmentRegister segment = ref cpu->Arch.Segment(_segment);
                data = cpu->Interpreter.EffectiveAddress - segment.Base;
                dataSelector = segment.Selector;
            }
        }

        uint result = _stub(cpu, flags);
        image->Opcode = opcode;
        image->InstructionOffset = instruction;
        image->InstructionSelector = instructionSelector;
        image->DataOffset = data;
        image->DataSelector = dataSelector;
        return result;
    }

    // The stub loads MXCSR with the rest of the image: it has to be masked there, and everything taken back on #XM.
    private byte Mixed(CpuState* cpu, FxImage* image)
    {
        FxImage saved = *image;
        uint before = image->Mxcsr;
        image->Mxcsr = (before & ~(uint)FxImage.ExceptionFlags) | FxImage.MxcsrMasks;
        WithPointers(cpu, image, 0);
        uint raised = image->Mxcsr & FxImage.ExceptionFlags;
        if ((raised & ~(before >> 7)) != 0)
        {
            // The registers are taken back; that the x87 unit turned to MMX is not.
            *image = saved;
            if (_waits)
                image->EnterMmx();
            return Raise(image, before, raised);
        }

        image->Mxcsr = before | raised;
        return Done;
    }

    private static void SetArithmeticFlags(CpuState* cpu, uint flags) =>
        cpu->Arch.Flags = (cpu->Arch.Flags & ~EFlags.Arithmetic) | flags;
}
