// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Instructions;
using Lguest.Engine.Native;

namespace Lguest.Engine.FloatingPoint;

// [I:230] Floating point
/// <summary>
/// x87, MMX, SSE and SSE2 for an interpreter: each instruction runs on the host's own floating-point unit, in a few bytes of
/// emitted machine code, so that every rounding, flag and NaN is the processor's. For x86-64 Linux hosts. One per guest; not
/// for several threads at once.
/// </summary>
public sealed class FloatingPointUnit : IDisposable
{
    private const nuint ArenaSize = 256 * 1024;

    // Stubs are made once per shape and never dropped: all shapes of all instructions are bounded (about 20 MiB, nearly all
    // of it immediate operands of shuffles and shifts that no sane program cycles through).
    private readonly Dictionary<Shape, FloatingPointOperation> _operations = [];
    private readonly List<CodeArena> _arenas = [];
    private readonly StubBuilder _builder = new();
    private readonly InstructionInfoFactory _info = new();

    /// <summary>Makes a unit without any code yet.</summary>
    /// <exception cref="PlatformNotSupportedException">Not an x86-64 Linux host.</exception>
    public FloatingPointUnit()
    {
        if (!IsSupported)
        {
            throw new PlatformNotSupportedException(
                "the guest's floating-point instructions need a host with an x86-64 processor and Linux");
        }
    }

    /// <summary>Whether this host can execute the guest's floating-point instructions.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>Prepares an instruction, or finds it prepared.</summary>
    /// <param name="instruction">Decoded from 32-bit code. Its register operands and immediate become part of the operation,
    /// its address does not.</param>
    /// <returns>
    /// Null when it is no x87, MMX, SSE or SSE2 instruction: integer instructions (the fences, PREFETCHh, MOVNTI, CLFLUSH and
    /// PAUSE among them), and what came later than SSE2.
    /// </returns>
    public FloatingPointOperation? Compile(in Instruction instruction)
    {
        if (!InstructionClassifier.TryClassify(instruction, out FloatingPointKind kind))
            return null;
        Shape shape = Shape.Of(instruction);
        if (!_operations.TryGetValue(shape, out FloatingPointOperation? operation))
        {
            operation = Create(instruction, kind, shape);
            _operations.Add(shape, operation);
        }

        return operation;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CodeArena arena in _arenas)
            arena.Dispose();
        _arenas.Clear();
        _operations.Clear();
    }

    private unsafe FloatingPointOperation Create(in Instruction instruction, FloatingPointKind kind, in Shape shape)
    {
        void* stub = kind <= FloatingPointKind.Mixed ? Add(_builder.Build(instruction, kind)) : null;
        OperandTraits traits = InstructionCatalog.Of(in instruction).Traits;
        bool masked = (traits & OperandTraits.MaskedStore) != 0;
        int bytes = 0;
        OpAccess access = OpAccess.None;
        if (masked)
        {
            // Bytes that the mask leaves out are written back as they were read.
            bytes = instruction.Mnemonic == Mnemonic.Maskmovq ? 8 : 16;
            access = OpAccess.ReadWrite;
        }
        else if (shape.HasMemory)
        {
            bytes = instruction.MemorySize.GetSize();
            access = MemoryAccess(instruction);
        }

        bool writes = access is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite;
        bool reads = access is OpAccess.Read or OpAccess.CondRead or OpAccess.ReadWrite or OpAccess.ReadCondWrite
            || (traits & OperandTraits.MayWithholdStore) != 0
            || kind == FloatingPointKind.FxSave; // which leaves the end of its 512 bytes as it is
        bool aligned = kind is FloatingPointKind.FxSave or FloatingPointKind.FxRestore
            || (bytes == 16 && (traits & OperandTraits.AnyAlignment) == 0);
        return new FloatingPointOperation(kind, stub, Waits(kind, instruction), FpuOpcode(instruction, kind), shape.Segment)
        {
            OperandBytes = bytes,
            Reads = reads && bytes != 0,
            Writes = writes,
            AlignmentRequired = aligned ? 16u : 1u,
            ImplicitDestination = masked,
        };
    }

    private static bool TouchesMmx(in Instruction instruction) =>
        instruction.Op0Register.IsMM() || (instruction.Op1Kind == OpKind.Register && instruction.Op1Register.IsMM());

    private OpAccess MemoryAccess(in Instruction instruction)
    {
        InstructionInfo info = _info.GetInfo(instruction, InstructionInfoOptions.NoRegisterUsage);
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Memory)
                return info.GetOpAccess(i);
        }

        return OpAccess.None;
    }

    // Intel SDM vol. 1, 8.3.11; CVTPI2PS and CVTPI2PD from memory do not touch the x87 state.
    private static bool Waits(FloatingPointKind kind, in Instruction instruction) => kind switch
    {
        FloatingPointKind.Legacy or FloatingPointKind.LegacyFlags or FloatingPointKind.LoadControl or FloatingPointKind.Wait
            or FloatingPointKind.LoadEnvironment or FloatingPointKind.Restore => true,
        FloatingPointKind.Mixed => TouchesMmx(instruction),
        _ => false,
    };

    /// <summary>
    /// What FOP will say of an x87 instruction: the low three bits of its first byte and its second. Of a memory operand's
    /// second byte only the operation is kept, the addressing form is not known here.
    /// </summary>
    /// <returns>Negative for MMX and for control instructions, which leave the pointers alone.</returns>
    private static int FpuOpcode(in Instruction instruction, FloatingPointKind kind)
    {
        bool x87 = kind == FloatingPointKind.LegacyFlags
            || (kind == FloatingPointKind.Legacy && instruction.Code.CpuidFeatures()[0] is CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387);
        if (!x87)
            return -1;

        // Encoded anew, since no cheaper way says it: Iced's descriptions of opcodes take milliseconds to come to be.
        using MemoryStream bytes = new();
        Encoder.Create(32, new StreamCodeWriter(bytes)).Encode(in instruction, 0);
        ReadOnlySpan<byte> code = bytes.GetBuffer().AsSpan(0, (int)bytes.Length);
        int escape = code.IndexOfAnyInRange((byte)0xD8, (byte)0xDF);
        byte second = code[escape + 1];
        return (code[escape] & 7) << 8 | (second >= 0xC0 ? second : second & 0x38);
    }

    private unsafe void* Add(ReadOnlySpan<byte> code)
    {
        void* stub = _arenas.Count == 0 ? null : _arenas[^1].Append(code);
        if (stub == null)
        {
            _arenas.Add(new CodeArena(ArenaSize));
            stub = _arenas[^1].Append(code);
        }

        return stub;
    }

    /// <summary>What two instructions must have in common to share an operation.</summary>
    private readonly record struct Shape(Code Code, Register Register0, Register Register1, Register Register2, byte Immediate, bool HasMemory, SegmentName Segment)
    {
        public static Shape Of(in Instruction instruction)
        {
            bool memory = instruction.Op0Kind == OpKind.Memory || instruction.Op1Kind == OpKind.Memory;
            int last = instruction.OpCount - 1;
            bool immediate = last >= 0 && instruction.GetOpKind(last) == OpKind.Immediate8;
            return new Shape(
                instruction.Code,
                instruction.Op0Kind == OpKind.Register && instruction.OpCount > 0 ? instruction.Op0Register : Register.None,
                instruction.Op1Kind == OpKind.Register && instruction.OpCount > 1 ? instruction.Op1Register : Register.None,
                instruction.Op2Kind == OpKind.Register && instruction.OpCount > 2 ? instruction.Op2Register : Register.None,
                immediate ? instruction.Immediate8 : (byte)0,
                memory,
                memory ? (SegmentName)(instruction.MemorySegment - Register.ES) : default);
        }
    }
}
