// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;

namespace Lguest.Engine.Native;

/// <summary>
/// Writes host code where many small pieces are made: the translator's blocks and the floating point unit's stubs. Instructions of
/// the guest are encoded by Iced; the glue between them has a method here for each instruction that is needed, since describing one
/// to Iced takes longer than all else that is done about it. (What is emitted once per process, the ways in and out and the signal
/// handlers, is written with Iced's own assembler.) Three kinds of methods:
/// <list type="bullet">
/// <item>this file: places, jumps and their labels;</item>
/// <item><c>HostAssembler.Registers.cs</c>: instructions on registers and constants;</item>
/// <item><c>HostAssembler.Memory.cs</c>: what touches memory, and in which of the forms that docs/engine.md allows.</item>
/// </list>
/// </summary>
internal sealed unsafe partial class HostAssembler : CodeWriter
{
    private readonly Encoder _encoder;
    private readonly Register _state;
    private readonly bool _compact;
    private byte* _room;
    private byte* _write;
    private nint _toExecutable;

    /// <summary>An assembler for code in an arena, to which %r13 is the <see cref="Cpu.CpuState"/>.</summary>
    public HostAssembler(CodeArena arena)
        : this(arena.Writable, HostRegister.State, compact: false) => _toExecutable = (nint)(arena.Executable - arena.Writable);

    /// <summary>An assembler for position-independent code.</summary>
    /// <param name="room">Where it is written.</param>
    /// <param name="state">The register that points to the <see cref="Cpu.CpuState"/>.</param>
    /// <param name="compact">Whether displacements in the state are as short as they can be, or all of one size.</param>
    public HostAssembler(byte* room, Register state, bool compact)
    {
        _room = room;
        _write = room;
        _state = state;
        _compact = compact;
        _encoder = Encoder.Create(64, this);
    }

    /// <summary>Where the next byte will be executed.</summary>
    public byte* Here => _write + _toExecutable;

    /// <summary>The same, in bytes from the beginning of the room.</summary>
    public uint Offset => (uint)(_write - _room);

    /// <summary>Goes on at an executable address.</summary>
    public void Start(byte* executable) => _write = executable - _toExecutable;

    /// <inheritdoc/>
    public override void WriteByte(byte value) => *_write++ = value;

    /// <summary>Writes bytes as they are: of the guest's instructions, whose every byte has been looked at.</summary>
    public void Bytes(params ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
            *_write++ = bytes[i];
    }

    /// <summary>Encodes an instruction for the host.</summary>
    /// <returns>Whether it can be encoded; if not, nothing was written.</returns>
    public bool TryEncode(in Instruction instruction) => TryEncode(in instruction, out _);

    /// <summary>The same, and why not.</summary>
    public bool TryEncode(in Instruction instruction, out string? error)
    {
        byte* before = _write;
        if (_encoder.TryEncode(in instruction, (ulong)Here, out _, out error))
            return true;
        _write = before;
        return false;
    }

    /// <summary>Encodes an instruction that can be.</summary>
    public void Encode(in Instruction instruction) => _encoder.Encode(in instruction, (ulong)Here);

    /// <summary>jmp to an executable address.</summary>
    public void Jump(byte* target)
    {
        Bytes(0xE9);
        UInt32((uint)(int)(target - (Here + sizeof(int))));
    }

    /// <summary>jmp to the address in a 64-bit register.</summary>
    public void Jump(Register target)
    {
        int number = Number64(target);
        if (number >= 8)
            Bytes(0x41);
        Bytes(0xFF, (byte)(0xE0 | (number & 7)));
    }

    /// <summary>jmp, anywhere.</summary>
    public HostLabel Jump()
    {
        Bytes(0xE9);
        return Open();
    }

    /// <summary>jmp, less than 128 bytes far.</summary>
    public HostLabel JumpShort() => OpenShort(0xEB);

    /// <summary>jcc, anywhere.</summary>
    public HostLabel Jump(ConditionCode condition)
    {
        Bytes(0x0F, (byte)(0x80 | Condition(condition)));
        return Open();
    }

    /// <summary>jcc, less than 128 bytes far.</summary>
    public HostLabel JumpShort(ConditionCode condition) => OpenShort((byte)(0x70 | Condition(condition)));

    /// <summary>jrcxz: the one jump that looks at a value and leaves the flags alone. Less than 128 bytes far.</summary>
    public HostLabel JumpIfRcxIsZero() => OpenShort(0xE3);

    /// <summary>LOOP, LOOPE, LOOPNE or JECXZ, on %ecx as in the guest. Less than 128 bytes far.</summary>
    /// <returns>Where it goes if it jumps.</returns>
    public HostLabel CountedJump(Mnemonic mnemonic)
    {
        Bytes(0x67); // address size: %ecx, not %rcx
        return OpenShort(mnemonic switch
        {
            Mnemonic.Loopne => 0xE0,
            Mnemonic.Loope => 0xE1,
            Mnemonic.Loop => 0xE2,
            _ => 0xE3,
        });
    }

    /// <summary>An open jump goes here.</summary>
    /// <exception cref="InvalidOperationException">A short one would have to go too far.</exception>
    public void Bind(HostLabel label) => Bind(label, Here);

    /// <summary>An open jump, or one that is to go elsewhere from now on, goes to an executable address.</summary>
    /// <exception cref="InvalidOperationException">A short one would have to go too far.</exception>
    public void Bind(HostLabel label, byte* target)
    {
        byte* site = _room + label.Site;
        int size = label.IsShort ? sizeof(sbyte) : sizeof(int);
        long distance = target - (site + _toExecutable + size);
        if (!label.IsShort)
            *(int*)site = (int)distance;
        else if (distance is >= sbyte.MinValue and <= sbyte.MaxValue)
            *(sbyte*)site = (sbyte)distance;
        else
            throw new InvalidOperationException($"a short jump of {distance} bytes");
    }

    private HostLabel Open()
    {
        UInt32(0);
        return new HostLabel(Offset - sizeof(int), IsShort: false);
    }

    private HostLabel OpenShort(byte opcode)
    {
        Bytes(opcode, 0);
        return new HostLabel(Offset - sizeof(sbyte), IsShort: true);
    }

    private static int Condition(ConditionCode condition) => condition - ConditionCode.o;

    private void UInt32(uint value)
    {
        *(uint*)_write = value;
        _write += sizeof(uint);
    }

    /// <summary>A register's number in the encoding; 32-bit ones.</summary>
    private static int Number32(Register register) => register - Register.EAX;

    /// <summary>Likewise, 64-bit ones.</summary>
    private static int Number64(Register register) => register - Register.RAX;
}
