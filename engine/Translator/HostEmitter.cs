// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Native;

namespace Lguest.Engine.Translator;

/// <summary>
/// Writes host code into the arena: guest instructions re-encoded by Iced, and the glue between them, which must not touch
/// the flags (so it is made of mov, lea, jmp and jrcxz only).
/// </summary>
internal sealed unsafe class HostEmitter : CodeWriter
{
    private readonly CodeArena _arena;
    private readonly Encoder _encoder;
    private byte* _write;

    public HostEmitter(CodeArena arena)
    {
        _arena = arena;
        _encoder = Encoder.Create(64, this);
    }

    /// <summary>Where the next byte will be executed.</summary>
    public byte* Here => _arena.Executable + (_write - _arena.Writable);

    /// <summary>The same as an offset in the arena.</summary>
    public uint Offset => (uint)(_write - _arena.Writable);

    /// <summary>Starts at an executable address.</summary>
    public void Start(byte* executable) => _write = _arena.ToWritable(executable);

    /// <inheritdoc/>
    public override void WriteByte(byte value) => *_write++ = value;

    /// <summary>Encodes an instruction for the host.</summary>
    /// <returns>Whether it can be encoded.</returns>
    public bool TryEncode(in Instruction instruction)
    {
        byte* before = _write;
        if (_encoder.TryEncode(in instruction, (ulong)Here, out _, out _))
            return true;
        _write = before;
        return false;
    }

    /// <summary>Encodes an instruction that can be.</summary>
    public void Encode(in Instruction instruction) => _encoder.Encode(in instruction, (ulong)Here);

    public void Bytes(params ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
            *_write++ = bytes[i];
    }

    public void UInt32(uint value)
    {
        *(uint*)_write = value;
        _write += 4;
    }

    /// <summary>mov dword [r13 + offset], value. Containment: form 4.</summary>
    public void StoreState(int offset, uint value)
    {
        Bytes(0x41, 0xC7, 0x85);
        UInt32((uint)offset);
        UInt32(value);
    }

    /// <summary>mov [r13 + EIP], r10d. Containment: form 4.</summary>
    public void StoreEipFromR10()
    {
        Bytes(0x45, 0x89, 0x95);
        UInt32(0x20);
    }

    /// <summary>jmp to an executable address.</summary>
    public void Jump(byte* target)
    {
        Bytes(0xE9);
        UInt32((uint)(int)(target - (Here + 4)));
    }

    /// <summary>jmp with its target open.</summary>
    /// <returns>Offset of the displacement.</returns>
    public uint JumpOpen()
    {
        Bytes(0xE9);
        UInt32(0);
        return Offset - 4;
    }

    /// <summary>jcc with its target open.</summary>
    public uint JumpOpen(ConditionCode condition)
    {
        Bytes(0x0F, (byte)(0x80 + ((int)condition - 1)));
        UInt32(0);
        return Offset - 4;
    }

    /// <summary>Fills in an open target.</summary>
    public void Close(uint displacementOffset, byte* target)
    {
        byte* at = _arena.Writable + displacementOffset;
        *(int*)at = (int)(target - (_arena.Executable + displacementOffset + 4));
    }

    /// <summary>Fills in a one-byte displacement with the way to here.</summary>
    public void CloseShort(uint displacementOffset)
    {
        long distance = Offset - (displacementOffset + 1L);
        if (distance > sbyte.MaxValue)
            throw new InvalidOperationException($"a short jump of {distance} bytes");
        _arena.Writable[displacementOffset] = (byte)distance;
    }

    /// <summary>Registers of the guest as the host's: %esp is kept in %r8d.</summary>
    public static Register ToHost(Register register) => register switch
    {
        Register.ESP => Register.R8D,
        Register.SP => Register.R8W,
        _ => register,
    };

    /// <summary>lea r8d, [r8 + delta]: moves the guest's stack pointer.</summary>
    public void MoveStack(int delta)
    {
        if (delta is >= sbyte.MinValue and <= sbyte.MaxValue)
        {
            Bytes(0x45, 0x8D, 0x40, (byte)delta);
            return;
        }

        Bytes(0x45, 0x8D, 0x80);
        UInt32((uint)delta);
    }

    /// <summary>mov r9d, [r13 + offset]. Containment: form 4.</summary>
    public void LoadR9(int offset)
    {
        Bytes(0x45, 0x8B, 0x8D);
        UInt32((uint)offset);
    }

    /// <summary>lea r10d, [r10 + r9].</summary>
    public void AddR9ToR10() => Bytes(0x47, 0x8D, 0x14, 0x0A);

    /// <summary>A load of a 32-bit register from window memory at a register plus displacement.</summary>
    public void Load(Register to, Register baseRegister, int displacement)
    {
        Instruction load = Instruction.Create(Code.Mov_r32_rm32, to, Window(baseRegister, displacement));
        Encode(in load);
    }

    /// <summary>A store likewise.</summary>
    public void Store(Register from, Register baseRegister, int displacement)
    {
        Instruction store = Instruction.Create(Code.Mov_rm32_r32, Window(baseRegister, displacement), from);
        Encode(in store);
    }

    /// <summary>A store of a constant.</summary>
    public void StoreConstant(uint value, Register baseRegister, int displacement)
    {
        Instruction store = Instruction.Create(Code.Mov_rm32_imm32, Window(baseRegister, displacement), value);
        Encode(in store);
    }

    /// <summary>Containment: form 1, a 32-bit register and a displacement through %gs. Every base is a 32-bit register.</summary>
    private static MemoryOperand Window(Register baseRegister, int displacement) =>
        new(baseRegister, Register.None, 1, displacement, displacement == 0 ? 0 : displacement is >= sbyte.MinValue and <= sbyte.MaxValue ? 1 : 4, false, Register.GS);
}
