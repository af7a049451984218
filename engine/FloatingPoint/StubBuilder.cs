// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Iced.Intel;
using Lguest.Engine.Cpu;
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
    private const int GuestMxcsr = CpuState.FxStateOffset + 24;
    private const int XmmOffset = CpuState.FxStateOffset + 160;
    private const sbyte HostMxcsrSlot = -16;
    private const sbyte WorkMxcsrSlot = -12;

    private readonly byte[] _code = new byte[256];
    private int _length;

    /// <summary>Writes the stub of an instruction.</summary>
    /// <param name="instruction">As decoded from 32-bit code.</param>
    /// <param name="kind">One of the kinds that use a stub.</param>
    /// <returns>Position-independent code, valid until the next call.</returns>
    /// <exception cref="InvalidOperationException">The instruction has no 64-bit form: a gap in the classification.</exception>
    public ReadOnlySpan<byte> Build(in Instruction instruction, FloatingPointKind kind)
    {
        _length = 0;
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

        return _code.AsSpan(0, _length);
    }

    private void Arithmetic(in Instruction instruction, bool compare)
    {
        RedZone(0x0F, 0xAE, 3, HostMxcsrSlot); // stmxcsr
        Emit(0x8B, 0x8F);                      // mov ecx, [rdi + GuestMxcsr]
        Emit32(GuestMxcsr);
        Emit(0x89, 0xC8);                      // mov eax, ecx
        Emit(0x83, 0xE0, 0xC0);                // and eax, ~flags
        Emit(0x0D);                            // or eax, masks
        Emit32(FxImage.MxcsrMasks);
        Emit(0x89, 0x44, 0x24, unchecked((byte)WorkMxcsrSlot)); // mov [rsp + slot], eax
        RedZone(0x0F, 0xAE, 2, WorkMxcsrSlot); // ldmxcsr
        LoadRegisters(instruction);
        Operation(instruction);
        if (compare)
            FlagsToEax();
        RedZone(0x0F, 0xAE, 3, WorkMxcsrSlot); // stmxcsr
        RedZone(0x0F, 0xAE, 2, HostMxcsrSlot); // ldmxcsr
        Emit(0x8B, 0x54, 0x24, unchecked((byte)WorkMxcsrSlot)); // mov edx, [rsp + slot]
        Emit(0x83, 0xE2, 0x3F);                // and edx, flags
        Emit(0x41, 0x89, 0xC8);                // mov r8d, ecx
        Emit(0x41, 0xC1, 0xE8, 0x07);          // shr r8d, 7
        Emit(0x41, 0xF7, 0xD0);                // not r8d
        Emit(0x09, 0xD1);                      // or ecx, edx
        Emit(0x89, 0x8F);                      // mov [rdi + GuestMxcsr], ecx
        Emit32(GuestMxcsr);
        Emit(0x44, 0x21, 0xC2);                // and edx, r8d
        Emit(0x75, 0);                         // jnz fault
        int jump = _length;
        StoreRegisters(instruction);
        if (compare)
            Emit(0xC3);
        else
            ReturnZero();
        _code[jump - 1] = (byte)(_length - jump);
        Emit(0xB8);                            // fault: mov eax, 19
        Emit32(ExceptionVector.SimdException);
        Emit(0xC3);
    }

    private void WholeImage(in Instruction instruction, bool flags)
    {
        RedZone(0x0F, 0xAE, 3, HostMxcsrSlot); // stmxcsr
        Emit(0x0F, 0xAE, 0x8F);                // fxrstor [rdi + FxState]
        Emit32(CpuState.FxStateOffset);
        LoadGeneral(instruction);
        if (flags)
            Emit(0x56, 0x9D);                  // push rsi; popfq
        Operation(instruction);
        StoreGeneral(instruction);
        if (flags)
            FlagsToEax();
        else
            Emit(0x31, 0xC0);                  // xor eax, eax
        Emit(0x0F, 0xAE, 0x87);                // fxsave [rdi + FxState]
        Emit32(CpuState.FxStateOffset);
        Emit(0xDB, 0xE3);                      // fninit: the host must not meet what is pending for the guest
        RedZone(0x0F, 0xAE, 2, HostMxcsrSlot); // ldmxcsr
        Emit(0xC3);
    }

    private void Operation(Instruction instruction)
    {
        bool masked = InstructionClassifier.IsMaskedStore(instruction.Mnemonic);
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
                instruction.MemoryDisplacement64 = CpuState.ScratchOffset;
            }
        }

        if (masked)
        {
            Emit(0x48, 0x89, 0xFA);            // mov rdx, rdi
            Emit(0x48, 0x8D, 0xBF);            // lea rdi, [rdi + Scratch]
            Emit32(CpuState.ScratchOffset);
        }

        Encoder encoder = Encoder.Create(64, new Sink(this));
        if (!encoder.TryEncode(instruction, 0, out _, out string? error))
            throw new InvalidOperationException($"{instruction.Code} cannot be encoded for this host: {error}");
        if (masked)
            Emit(0x48, 0x89, 0xD7);            // mov rdi, rdx
    }

    private void LoadRegisters(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Register && instruction.GetOpRegister(i).IsXMM())
                Xmm(0x10, instruction.GetOpRegister(i)); // movups xmm, [rdi + ...]
        }

        LoadGeneral(instruction);
    }

    private void StoreRegisters(in Instruction instruction)
    {
        if (instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsXMM())
            Xmm(0x11, instruction.Op0Register);          // movups [rdi + ...], xmm
        StoreGeneral(instruction);
    }

    private void LoadGeneral(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Register && instruction.GetOpRegister(i).IsGPR32())
                Emit(0x8B, 0x47, (byte)(4 * instruction.GetOpRegister(i).GetNumber())); // mov eax, [rdi + 4 * register]
        }
    }

    private void StoreGeneral(in Instruction instruction)
    {
        if (instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsGPR32())
            Emit(0x89, 0x47, (byte)(4 * instruction.Op0Register.GetNumber())); // mov [rdi + 4 * register], eax
    }

    private void Xmm(byte opcode, Register register)
    {
        int number = register.GetNumber();
        Emit(0x0F, opcode, (byte)(0x87 | (number << 3)));
        Emit32((uint)(XmmOffset + (16 * number)));
    }

    private void FlagsToEax()
    {
        Emit(0x9C, 0x58);                      // pushfq; pop rax
        Emit(0x25);                            // and eax, arithmetic flags
        Emit32(EFlags.Arithmetic);
        Emit(0xC1, 0xE0, 0x08);                // shl eax, 8
    }

    private void ReturnZero() => Emit(0x31, 0xC0, 0xC3); // xor eax, eax; ret

    private void RedZone(byte opcode0, byte opcode1, int extension, sbyte slot) =>
        Emit(opcode0, opcode1, (byte)(0x44 | (extension << 3)), 0x24, unchecked((byte)slot));

    private void Emit(params ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_code.AsSpan(_length));
        _length += bytes.Length;
    }

    private void Emit32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_code.AsSpan(_length), value);
        _length += 4;
    }

    private sealed class Sink(StubBuilder builder) : CodeWriter
    {
        public override void WriteByte(byte value) => builder.Emit(value);
    }
}
