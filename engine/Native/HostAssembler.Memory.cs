// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Native;

/// <summary>
/// All that the glue can do to memory, by the forms of docs/engine.md: there is no method for an address of another kind.
/// </summary>
internal sealed unsafe partial class HostAssembler
{
    private const byte OperandSize = 0x66;
    private const byte AddressSize = 0x67;
    private const byte GsSegment = 0x65;
    private const byte SibFollows = 4;
    private const byte NoIndex = 0x20;
    private const byte TimesEight = 0xC0;

    // Containment: form 4, the state. A State is a field of the struct, and its register is not the guest's.

    /// <summary>mov r32, [state].</summary>
    public void Load32(Register to, State from) => OnState(Rex, 0x8B, Number32(to), from);

    /// <summary>mov r64, [state].</summary>
    public void Load64(Register to, State from) => OnState(RexWide, 0x8B, Number64(to), from);

    /// <summary>movzx r32, word [state].</summary>
    public void LoadZeroExtended16(Register to, State from) => OnState(Rex, 0x0F, 0xB7, Number32(to), from);

    /// <summary>mov [state], r32.</summary>
    public void Store32(State to, Register from) => OnState(Rex, 0x89, Number32(from), to);

    /// <summary>mov [state], r64.</summary>
    public void Store64(State to, Register from) => OnState(RexWide, 0x89, Number64(from), to);

    /// <summary>mov byte [state], the low byte of a register.</summary>
    public void Store8(State to, Register from) => OnState(Rex, 0x88, Number32(from), to);

    /// <summary>mov dword [state], constant.</summary>
    public void Store(State to, uint value)
    {
        OnState(Rex, 0xC7, 0, to);
        UInt32(value);
    }

    /// <summary>Changes the flags: cmp r32, [state].</summary>
    public void Compare32ChangingFlags(Register register, State with) => OnState(Rex, 0x3B, Number32(register), with);

    /// <summary>jmp to the host address in the state.</summary>
    public void Jump(State target) => OnState(Rex, 0xFF, 4, target);

    /// <summary>lea r64, [state].</summary>
    public void AddressOf(Register to, State place) => OnState(RexWide, 0x8D, Number64(to), place);

    /// <summary>fxrstor [state].</summary>
    public void LoadFloats(State from) => OnState(Rex, 0x0F, 0xAE, 1, from);

    /// <summary>fxsave [state].</summary>
    public void StoreFloats(State to) => OnState(Rex, 0x0F, 0xAE, 0, to);

    /// <summary>movups xmm, [state].</summary>
    public void LoadVector(Register to, State from) => OnState(Rex, 0x0F, 0x10, to - Register.XMM0, from);

    /// <summary>movups [state], xmm.</summary>
    public void StoreVector(State to, Register from) => OnState(Rex, 0x0F, 0x11, from - Register.XMM0, to);

    // Containment: form 4, the branch table. Its size is fixed; %rcx is 16 bits of a target, by ZeroExtend16 or LoadZeroExtended16.

    /// <summary>mov r64, [table + bytes].</summary>
    public void LoadFromTable(Register to, int bytes) => OnTable(RexWide, 0x8B, Number64(to), bytes);

    /// <summary>mov r64, [table + bytes + rcx * 8].</summary>
    public void LoadFromTableAtRcx(Register to, int bytes)
    {
        const int rcx = 1;
        int target = Number64(to);
        int table = Number64(HostRegister.Table);
        Prefix(RexWide, target, rcx, table);
        Bytes(0x8B, (byte)((bytes == 0 ? 0x00 : 0x80) | ((target & 7) << 3) | SibFollows), (byte)(TimesEight | (rcx << 3) | (table & 7)));
        if (bytes != 0)
            UInt32((uint)bytes);
    }

    /// <summary>jmp [table + bytes].</summary>
    public void JumpByTable(int bytes) => OnTable(Rex, 0xFF, 4, bytes);

    // Containment: form 1, a 32-bit register and a displacement through %gs. Every base is a 32-bit register.

    /// <summary>mov r32, gs:[r32 + displacement].</summary>
    public void LoadGuest32(Register to, Register address, int displacement) => OnGuest(0x8B, Number32(to), address, displacement);

    /// <summary>movzx r32, word gs:[r32].</summary>
    public void LoadGuestZeroExtended16(Register to, Register address)
    {
        Bytes(GsSegment, AddressSize);
        Prefix(Rex, Number32(to), 0, Number32(address));
        Bytes(0x0F, 0xB7);
        AtGuest(Number32(to), Number32(address), 0);
    }

    /// <summary>mov gs:[r32 + displacement], r32.</summary>
    public void StoreGuest32(Register from, Register address, int displacement) => OnGuest(0x89, Number32(from), address, displacement);

    /// <summary>mov word gs:[r32 + displacement], the low half of r32.</summary>
    public void StoreGuest16(Register from, Register address, int displacement)
    {
        Bytes(GsSegment, OperandSize, AddressSize);
        Prefix(Rex, Number32(from), 0, Number32(address));
        Bytes(0x89);
        AtGuest(Number32(from), Number32(address), displacement);
    }

    /// <summary>mov dword gs:[r32 + displacement], constant.</summary>
    public void StoreGuest32(uint value, Register address, int displacement)
    {
        OnGuest(0xC7, 0, address, displacement);
        UInt32(value);
    }

    // Containment: form 7, the host's own stack: what is pushed is popped at once, and below the stack pointer are 128 bytes that a
    // leaf function may use.

    /// <summary>pushfq.</summary>
    public void PushFlags() => Bytes(0x9C);

    /// <summary>popfq.</summary>
    public void PopFlags() => Bytes(0x9D);

    /// <summary>push r64.</summary>
    public void Push(Register register)
    {
        Prefix(Rex, 0, 0, Number64(register));
        Bytes((byte)(0x50 | (Number64(register) & 7)));
    }

    /// <summary>pop r64.</summary>
    public void Pop(Register register)
    {
        Prefix(Rex, 0, 0, Number64(register));
        Bytes((byte)(0x58 | (Number64(register) & 7)));
    }

    /// <summary>stmxcsr [rsp + slot].</summary>
    public void SaveMxcsr(RedZoneSlot slot) => OnRedZone(0x0F, 0xAE, 3, slot);

    /// <summary>ldmxcsr [rsp + slot].</summary>
    public void RestoreMxcsr(RedZoneSlot slot) => OnRedZone(0x0F, 0xAE, 2, slot);

    /// <summary>mov r32, [rsp + slot].</summary>
    public void Load32(Register to, RedZoneSlot slot) => OnRedZone(null, 0x8B, Number32(to), slot);

    /// <summary>mov [rsp + slot], r32.</summary>
    public void Store32(RedZoneSlot slot, Register from) => OnRedZone(null, 0x89, Number32(from), slot);

    private void OnState(byte rex, byte opcode, int reg, State place)
    {
        int state = Number64(_state);
        Prefix(rex, reg, 0, state);
        *_write++ = opcode;
        AtState(reg, state, place);
    }

    private void OnState(byte rex, byte escape, byte opcode, int reg, State place)
    {
        int state = Number64(_state);
        Prefix(rex, reg, 0, state);
        *_write++ = escape;
        *_write++ = opcode;
        AtState(reg, state, place);
    }

    private void AtState(int reg, int state, State place)
    {
        if (_compact)
            Displaced(reg, state, place.Offset);
        else
            Displaced32(reg, state, place.Offset);
    }

    private void OnTable(byte rex, byte opcode, int reg, int bytes)
    {
        int table = Number64(HostRegister.Table);
        Prefix(rex, reg, 0, table);
        *_write++ = opcode;
        Displaced32(reg, table, bytes);
    }

    private void OnGuest(byte opcode, int reg, Register address, int displacement)
    {
        Bytes(GsSegment, AddressSize);
        Prefix(Rex, reg, 0, Number32(address));
        *_write++ = opcode;
        AtGuest(reg, Number32(address), displacement);
    }

    /// <summary>%ebp cannot do without a displacement.</summary>
    private void AtGuest(int reg, int address, int displacement)
    {
        if (displacement == 0 && (address & 7) != 5)
            *_write++ = (byte)(((reg & 7) << 3) | (address & 7));
        else
            Displaced(reg, address, displacement);
    }

    private void OnRedZone(byte? escape, byte opcode, int reg, RedZoneSlot slot)
    {
        const int rsp = 4;
        Prefix(Rex, reg, 0, rsp);
        if (escape is { } first)
            *_write++ = first;
        *_write++ = opcode;
        Displaced(reg, rsp, (int)slot);
    }

    /// <summary>ModRM byte and displacement, of one byte if that is enough.</summary>
    private void Displaced(int reg, int address, int displacement)
    {
        if (displacement is < sbyte.MinValue or > sbyte.MaxValue)
        {
            Displaced32(reg, address, displacement);
            return;
        }

        ModRM(0x40, reg, address);
        *_write++ = (byte)displacement;
    }

    private void Displaced32(int reg, int address, int displacement)
    {
        ModRM(0x80, reg, address);
        UInt32((uint)displacement);
    }

    /// <summary>%rsp and %r12 can be a base only in a SIB byte.</summary>
    private void ModRM(int mode, int reg, int address)
    {
        *_write++ = (byte)(mode | ((reg & 7) << 3) | (address & 7));
        if ((address & 7) == SibFollows)
            *_write++ = NoIndex | SibFollows;
    }
}

/// <summary>A word below the host's stack pointer, in bytes from it.</summary>
internal enum RedZoneSlot
{
    /// <summary>The host's MXCSR.</summary>
    HostMxcsr = -16,

    /// <summary>The guest's, while it is worked out.</summary>
    WorkMxcsr = -12,
}
