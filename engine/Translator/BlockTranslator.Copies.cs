// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using Lguest.Engine.Native;

namespace Lguest.Engine.Translator;

/// <summary>Instructions that are the same bytes on the host, and those that have to be brought into a form that is.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private const byte OperandSizePrefix = 0x66;
    private const byte AddressSizePrefix = 0x67;
    private const byte GsPrefix = 0x65;
    private const byte LockPrefix = 0xF0;
    private const byte RepPrefix = 0xF3;
    private const byte RepnePrefix = 0xF2;

    /// <summary>
    /// Copies a plain instruction as it is, but for the prefixes that move its operand into the window: several times as fast as
    /// encoding it anew, which is what half of a boot's translation would be. Whatever is not the same in 64-bit mode, or names
    /// %esp, is not copied.
    /// </summary>
    private bool Copy(in Instruction i)
    {
        if (_bytes == null || i.MemoryBase is Register.ESP)
            return false;
        bool memory = false;
        for (int operand = 0; operand < i.OpCount; operand++)
        {
            OpKind kind = i.GetOpKind(operand);
            memory |= kind == OpKind.Memory;
            if (kind == OpKind.Register && i.GetOpRegister(operand) is Register.ESP or Register.SP)
                return false;
        }

        bool address = i.Mnemonic == Mnemonic.Lea;
        if (memory && !address && i.MemorySegment is not (Register.DS or Register.ES or Register.SS))
            return false;
        byte* from = _bytes;
        byte* end = from + i.Length;
        bool word = false;
        bool locked = false;
        for (; ; from++)
        {
            if (*from == OperandSizePrefix)
                word = true;
            else if (*from == LockPrefix)
                locked = true;
            else if (*from is not (0x26 or 0x2E or 0x36 or 0x3E))
                break;
        }

        // Prefixes that mean something; REX prefixes of the host; an alias it does not know; addresses of 64 bits; other maps.
        if (*from is 0x64 or GsPrefix or AddressSizePrefix or RepnePrefix or RepPrefix or (>= 0x40 and <= 0x4F) or 0x82 or (>= 0xA0 and <= 0xA3)
            || (*from == 0x0F && from[1] is 0x38 or 0x3A))
        {
            return false;
        }

        // [T:150+6] Why it stays inside
        // Two prefixes do it. One says that the address has 32 bits, so that whatever a guest puts into its registers, the
        // processor computes modulo 4 GiB. The other adds the base of %gs, where the window of [T:120] begins. The result lies in
        // the window or faults, and no instruction of the guest's can change the one or the other. There are seven such forms,
        // each bounded by its shape and not by the guest's good will (docs/engine.md); each place that emits one says which.
        //
        // Most instructions are copied byte for byte, in fact, with these prefixes in front of them.
        //
        // Containment: form 1. The bytes come from the private copy that was decoded.
        if (memory && !address)
            _emit.Bytes(GsPrefix);
        if (memory)
            _emit.Bytes(AddressSizePrefix);
        if (word)
            _emit.Bytes(OperandSizePrefix);
        if (locked)
            _emit.Bytes(LockPrefix);
        if (memory)
        {
            if (*from == 0x0F)
                _emit.Bytes(*from++);
            _emit.Bytes(*from++);

            // A bare displacement is relative to %rip on the host, unless it comes without a base in a SIB byte.
            if ((*from & 0xC7) == 0x05)
                _emit.Bytes((byte)((*from++ & 0x38) | 0x04), 0x25);
        }

        _emit.Bytes(new ReadOnlySpan<byte>(from, (int)(end - from)));
        return true;
    }

    /// <summary>
    /// BT, BTS, BTR and BTC with a bit number in a register, which reach far beyond their operand: the number's high part is made
    /// part of the address, within 32 bits, and its low five bits are left. Without touching the flags that takes BMI2.
    /// </summary>
    private bool BitString(in Instruction i)
    {
        const int bitsOfNumber = 5;
        if (i.Code is not (Code.Bt_rm32_r32 or Code.Bts_rm32_r32 or Code.Btr_rm32_r32 or Code.Btc_rm32_r32)
            || i.Op0Kind != OpKind.Memory || !Bmi2.IsSupported || i.MemorySegment is not (Register.DS or Register.ES or Register.SS))
        {
            return false;
        }

        Instruction address = Instruction.Create(
            Code.Lea_r32_m, Register.R10D, new MemoryOperand(i.MemoryBase, i.MemoryIndex, i.MemoryIndexScale, (int)i.MemoryDisplacement32, i.MemoryDisplSize));
        if (!Place(ref address, in address) || !_emit.TryEncode(in address))
            return false;
        Register number = HostRegister.Of(i.Op1Register);
        Instruction five = Instruction.Create(Code.Mov_r32_imm32, Register.R9D, bitsOfNumber);
        Instruction words = Instruction.Create(Code.VEX_Sarx_r32_rm32_r32, Register.R9D, number, Register.R9D);
        Instruction place = Instruction.Create(Code.Lea_r32_m, Register.R10D, new MemoryOperand(Register.R10, Register.R9, 4, 0, 0));
        Instruction rest = Instruction.Create(Code.Mov_r32_imm32, Register.R11D, 32 - bitsOfNumber);
        Instruction up = Instruction.Create(Code.VEX_Shlx_r32_rm32_r32, Register.R9D, number, Register.R11D);
        Instruction down = Instruction.Create(Code.VEX_Shrx_r32_rm32_r32, Register.R9D, Register.R9D, Register.R11D);

        // Containment: form 6.
        Instruction test = Instruction.Create(i.Code, new MemoryOperand(Register.R10D, Register.None, 1, 0, 0, false, Register.GS), Register.R9D);
        test.HasLockPrefix = i.HasLockPrefix;
        _emit.Encode(in five);
        _emit.Encode(in words);
        _emit.Encode(in place);
        _emit.Encode(in rest);
        _emit.Encode(in up);
        _emit.Encode(in down);
        _emit.Encode(in test);
        return true;
    }
}
