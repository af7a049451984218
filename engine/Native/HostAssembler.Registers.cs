// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Native;

/// <summary>
/// Instructions on registers and constants. Those of the translator's glue must not touch the guest's flags: they are
/// <c>Move</c>, <c>Extend</c>, <c>Add</c> (which is lea) and jumps. All others say in their names what they are.
/// </summary>
internal sealed unsafe partial class HostAssembler
{
    private const byte Rex = 0x40;
    private const byte RexWide = 0x48;
    private const byte RegistersOnly = 0xC0;

    private enum Group1
    {
        Or = 1,
        And = 4,
    }

    /// <summary>mov r32, r32: the upper half becomes 0.</summary>
    public void Move32(Register to, Register from) => RegisterToRegister(Rex, 0x89, Number32(from), Number32(to));

    /// <summary>mov r64, r64.</summary>
    public void Move64(Register to, Register from) => RegisterToRegister(RexWide, 0x89, Number64(from), Number64(to));

    /// <summary>mov r32, constant.</summary>
    public void Move32(Register to, uint value)
    {
        int number = Number32(to);
        if (number >= 8)
            Bytes(Rex | 1);
        Bytes((byte)(0xB8 | (number & 7)));
        UInt32(value);
    }

    /// <summary>mov r64, constant, of which bit 31 fills the upper half.</summary>
    public void MoveSignExtended(Register to, uint value)
    {
        int number = Number64(to);
        Bytes((byte)(RexWide | (number >> 3)), 0xC7, (byte)(RegistersOnly | (number & 7)));
        UInt32(value);
    }

    /// <summary>movsxd r64, r32.</summary>
    public void SignExtend(Register to, Register from) => RegisterToRegister(RexWide, 0x63, Number64(to), Number32(from));

    /// <summary>movzx r32, the low 16 bits of another.</summary>
    public void ZeroExtend16(Register to, Register from)
    {
        int target = Number32(to);
        int source = Number32(from);
        Prefix(Rex, target, 0, source);
        Bytes(0x0F, 0xB7, (byte)(RegistersOnly | ((target & 7) << 3) | (source & 7)));
    }

    /// <summary>lea r32, [r64 + r64]: a sum without flags, cut to 32 bits.</summary>
    public void Add32(Register to, Register first, Register second) => Lea(Rex, Number32(to), Number64(first), Number64(second), null);

    /// <summary>lea r64, [r64 + r64].</summary>
    public void Add64(Register to, Register first, Register second) => Lea(RexWide, Number64(to), Number64(first), Number64(second), null);

    /// <summary>lea r64, [r64 + r64 + constant], of which bit 31 fills the upper half.</summary>
    public void Add64(Register to, Register first, Register second, uint constant) =>
        Lea(RexWide, Number64(to), Number64(first), Number64(second), constant);

    /// <summary>lea r32, [r64 + constant].</summary>
    public void Add32(Register to, Register from, int constant)
    {
        int target = Number32(to);
        int source = Number64(from);
        Prefix(Rex, target, 0, source);
        Bytes(0x8D);
        Displaced(target, source, constant);
    }

    /// <summary>lea r8d, [r8 + constant]: moves the guest's stack pointer.</summary>
    public void MoveStack(int bytes) => Add32(HostRegister.Stack, Register.R8, bytes);

    /// <summary>Changes the flags: and r32, constant.</summary>
    public void And32ChangingFlags(Register register, uint mask) => Immediate(Group1.And, 0x25, register, mask);

    /// <summary>Changes the flags: or r32, constant.</summary>
    public void Or32ChangingFlags(Register register, uint bits) => Immediate(Group1.Or, 0x0D, register, bits);

    /// <summary>Changes the flags: and r32, r32.</summary>
    public void And32ChangingFlags(Register to, Register from) => RegisterToRegister(Rex, 0x21, Number32(from), Number32(to));

    /// <summary>Changes the flags: or r32, r32.</summary>
    public void Or32ChangingFlags(Register to, Register from) => RegisterToRegister(Rex, 0x09, Number32(from), Number32(to));

    /// <summary>Changes the flags: xor r32 with itself.</summary>
    public void ClearChangingFlags(Register register) => RegisterToRegister(Rex, 0x31, Number32(register), Number32(register));

    /// <summary>Changes the flags: shl r32.</summary>
    public void ShiftLeftChangingFlags(Register register, byte by) => Shift(4, register, by);

    /// <summary>Changes the flags: shr r32.</summary>
    public void ShiftRightChangingFlags(Register register, byte by) => Shift(5, register, by);

    /// <summary>not r32, which leaves the flags alone.</summary>
    public void Not32(Register register) => RegisterToRegister(Rex, 0xF7, 2, Number32(register));

    /// <summary>fninit.</summary>
    public void InitializeFloat() => Bytes(0xDB, 0xE3);

    /// <summary>ret.</summary>
    public void Return() => Bytes(0xC3);

    private void Shift(int operation, Register register, byte by)
    {
        RegisterToRegister(Rex, 0xC1, operation, Number32(register));
        Bytes(by);
    }

    /// <summary>As short as it can be: a sign-extended byte, %eax's own opcode, or four bytes.</summary>
    private void Immediate(Group1 operation, byte ofEax, Register register, uint value)
    {
        int number = Number32(register);
        if ((int)value is >= sbyte.MinValue and <= sbyte.MaxValue)
        {
            RegisterToRegister(Rex, 0x83, (int)operation, number);
            Bytes((byte)value);
            return;
        }

        if (number == 0)
            Bytes(ofEax);
        else
            RegisterToRegister(Rex, 0x81, (int)operation, number);
        UInt32(value);
    }

    /// <param name="rex">The prefix without its register bits.</param>
    /// <param name="opcode">One byte.</param>
    /// <param name="reg">Number for the ModRM byte's reg field, or what extends the opcode.</param>
    /// <param name="rm">Number for its rm field.</param>
    private void RegisterToRegister(byte rex, byte opcode, int reg, int rm)
    {
        Prefix(rex, reg, 0, rm);
        Bytes(opcode, (byte)(RegistersOnly | ((reg & 7) << 3) | (rm & 7)));
    }

    /// <summary>A REX prefix, if there is anything to say in it.</summary>
    private void Prefix(byte rex, int reg, int index, int rm)
    {
        int prefix = rex | (reg >> 3 << 2) | (index >> 3 << 1) | (rm >> 3);
        if (prefix != Rex)
            *_write++ = (byte)prefix;
    }

    private void Lea(byte rex, int to, int first, int second, uint? constant)
    {
        Prefix(rex, to, second, first);
        Bytes(0x8D, (byte)((constant is null ? 0x04 : 0x84) | ((to & 7) << 3)), (byte)(((second & 7) << 3) | (first & 7)));
        if (constant is { } value)
            UInt32(value);
    }
}
