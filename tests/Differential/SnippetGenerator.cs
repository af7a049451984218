// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;

namespace Lguest.Tests.Differential;

/// <summary>Makes snippets of integer instructions from seeds: a seed is all it takes to make one again.</summary>
internal sealed class SnippetGenerator
{
    /// <summary>Case numbers are the low bits of a seed; 32 neighbours share their memory's contents.</summary>
    private const int ImageShift = 5;

    private const int Eax = 0, Ecx = 1, Edx = 2, Ebx = 3, Esp = 4, Ebp = 5, Esi = 6, Edi = 7;
    private const int MaxInstructions = 12;

    private static readonly InstructionForm[] s_harmless =
        [new("8B /r"), new("89 /r"), new("8D /r m"), new("40 +r"), new("01 /r"), new("33 /r m"), new("0F B6 /r"), new("83 /3 ib")];

    private static readonly InstructionForm[] s_straight = [.. IntegerTable.Forms.Where(form => !form.IsBranch)];

    private readonly InstructionWriter _writer;
    private readonly Snippet _snippet = new();
    private readonly byte[] _image = new byte[Layout.ImageBytes];
    private ulong _imageSeed = ulong.MaxValue;
    private XorShift _random = new(0);
    private uint _flagsUndefined;

    public SnippetGenerator(bool hasGs) => _writer = new InstructionWriter(hasGs);

    /// <summary>One instruction of one form, or a sequence.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="form">Null for a sequence of anything.</param>
    /// <returns>Valid until the next call.</returns>
    public Snippet Make(ulong seed, InstructionForm? form)
    {
        _random = new XorShift(seed);
        _snippet.Seed = seed;
        _snippet.Offset = 16 * (uint)_random.Below(200);
        FillImage(seed >> ImageShift);
        _writer.Start(_snippet, _random);
        SetRegisters();
        _flagsUndefined = 0;
        if (form != null)
            Single(form);
        else
            Sequence();
        _snippet.Code = _writer.Code.ToArray();
        _snippet.UndefinedFlags = _flagsUndefined;
        return _snippet;
    }

    private void FillImage(ulong seed)
    {
        if (seed != _imageSeed)
        {
            XorShift random = new(seed);
            Span<uint> words = MemoryMarshal.Cast<byte, uint>(_image.AsSpan());
            for (int i = 0; i < words.Length; i++)
                words[i] = random.Operand();
            _imageSeed = seed;
        }

        _image.CopyTo(_snippet.Memory, 0);
    }

    private void SetRegisters()
    {
        for (int i = 0; i < 8; i++)
            _snippet.Before.Registers[i] = _random.Operand();
        _snippet.Before.Registers[Esp] = _random.Below(40) switch
        {
            0 => Layout.Stack + (uint)_random.Below(48),
            1 => Layout.Stack + Layout.PageSize - (uint)_random.Below(48),
            2 => _writer.PickTarget(),
            _ => Layout.Stack + 0x400 + (uint)(_random.Below(0x200) * 4),
        };
        uint flags = _random.Word() & EFlags.Arithmetic;
        if (_random.OneIn(4))
            flags |= EFlags.Direction;
        if (_random.OneIn(16))
            flags |= EFlags.NestedTask;
        if (_random.OneIn(16))
            flags |= EFlags.Identification;
        _snippet.Before.Flags = flags | EFlags.Fixed | EFlags.Interrupt;
    }

    private void Single(InstructionForm form)
    {
        if (form.IsBranch)
        {
            Branch(form);
            return;
        }

        // A form can refuse some instances, never all.
        while (true)
        {
            if (_writer.TryAppend(form, Prepare, out Instruction instruction))
            {
                // Counts are known for sure only when %ecx still is what it was before.
                byte? cl = _writer.Known(Ecx) is { } ecx ? (byte)ecx : null;
                if (instruction.Op0Kind == OpKind.Register && instruction.Op0Register.GetFullRegister32() == Register.ECX && instruction.OpCount > 0)
                    cl = (byte)_snippet.Before.Registers[Ecx];
                _flagsUndefined = UndefinedFlags.After(instruction, cl);
                return;
            }
        }
    }

    private void Sequence()
    {
        int count = 2 + _random.Below(MaxInstructions - 1);
        for (int i = 0; i < count && _writer.Length < InstructionWriter.MaxBytes / 2; i++)
        {
            switch (_random.Below(24))
            {
                case 0:
                    CallAndReturn();
                    break;
                case 1:
                    Loop();
                    break;
                case 2:
                    Indirect();
                    break;
                case 3:
                case 4:
                    Branch(_random.Pick(IntegerTable.Forms));
                    break;
                default:
                    Straight(i == count - 1);
                    break;
            }
        }
    }

    private void Straight(bool last)
    {
        InstructionForm form = _random.Pick(s_straight);

        // Those that end a sequence by faulting are worth their own cases, not everybody else's.
        if (form.Opcode[0] is 0x62 or (>= 0x6C and <= 0x6F) or (>= 0xE4 and <= 0xEF) or 0xF4 or 0xFA or 0xFB or 0xCC or 0xCE
            || (form.Opcode[0] == 0x0F && form.Opcode[1] is 0x0B or 0xB9 or 0x06 or 0x08 or 0x09 or 0x01 or 0x20 or 0x22 or 0x23 or 0x30 or 0x32 or 0xC7))
        {
            form = s_harmless[0];
        }

        if (!_writer.TryAppend(form, Prepare, out Instruction instruction))
            return;
        if (instruction.Code == Code.Pushd_FS && VendorRules.Host.PushSegmentWritesAll)
            _writer.Append([0x66, 0xC7, 0x44, 0x24, 0x02, 0x34, 0x12]); // movw $0x1234,2(%esp): whatever the upper half was
        uint undefined = UndefinedFlags.After(instruction, null);
        if (undefined != 0 && !last)
            _writer.Append(0x39, (byte)(0xC0 | _random.Below(64))); // cmp: defines them all
        else
            _flagsUndefined = undefined;
    }

    private void Harmless(int count, uint keep)
    {
        for (int i = 0; i < count; i++)
        {
            _writer.TryAppend(
                _random.Pick(s_harmless),
                instruction => instruction.Op0Kind != OpKind.Register || (keep >> instruction.Op0Register.GetFullRegister32().GetNumber() & 1) == 0,
                out _);
        }
    }

    /// <summary>A branch over a few instructions, taken or not.</summary>
    private void Branch(InstructionForm form)
    {
        if (!form.IsBranch)
            return;
        if (form.Opcode[0] is >= 0xE0 and <= 0xE3 && _random.OneIn(2))
            _writer.Want(Ecx, (uint)_random.Below(3) | (_random.OneIn(4) ? 0x10000u : 0));
        byte[] body = Aside(() => Harmless(1 + _random.Below(2), 0));
        if (form.Opcode[0] is >= 0xE0 and <= 0xE3 && _random.OneIn(4))
            _writer.Append([0x67, .. form.Opcode, (byte)body.Length, .. body]);
        else if (form.Opcode.Length == 1)
            _writer.Append([.. form.Opcode, (byte)body.Length, .. body]);
        else
            _writer.Append([.. form.Opcode, (byte)body.Length, 0, 0, 0, .. body]);
    }

    /// <summary>call f; jmp over; f: ...; ret; over:</summary>
    private void CallAndReturn()
    {
        byte[] body = Aside(() => Harmless(1 + _random.Below(2), 1u << Esp));
        byte[] ret = _random.OneIn(3) ? [0xC2, (byte)(4 * _random.Below(4)), 0] : [0xC3];
        _writer.Append([0xE8, 2, 0, 0, 0, 0xEB, (byte)(body.Length + ret.Length), .. body, .. ret]);
    }

    private void Loop()
    {
        _writer.Want(Ecx, 1 + (uint)_random.Below(5));
        byte[] body = Aside(() => Harmless(1 + _random.Below(2), 1u << Ecx));
        _writer.Append([.. body, (byte)(0xE0 + _random.Below(3)), (byte)(-body.Length - 2)]);
    }

    private void Indirect()
    {
        int register = _random.Pick([Eax, Edx, Ebx, Ebp, Esi, Edi]);
        byte[] body = Aside(() => Harmless(1, 1u << register | 1u << Esp));

        // mov register, behind the body; jmp or call *register
        uint target = _snippet.Start + (uint)_writer.Length + 7 + (uint)body.Length;
        byte[] move = new byte[5];
        move[0] = (byte)(0xB8 + register);
        BinaryPrimitives.WriteUInt32LittleEndian(move.AsSpan(1), target);
        _writer.Append([.. move, 0xFF, (byte)((_random.OneIn(2) ? 0xE0 : 0xD0) + register), .. body]);
    }

    /// <summary>What some instructions would be; they are added by the caller.</summary>
    private byte[] Aside(Action write)
    {
        int before = _writer.Length;
        write();
        return _writer.Cut(before);
    }

    /// <summary>Gives the registers that an instruction takes for granted something sensible. False: not this instance.</summary>
    private bool Prepare(Instruction instruction)
    {
        switch (instruction.Mnemonic)
        {
            case Mnemonic.INVALID:
                return true;
            case Mnemonic.Div or Mnemonic.Idiv:
                if (_random.OneIn(2))
                    _writer.Want(Edx, _random.OneIn(2) ? 0 : _random.Operand() >> 24);
                return true;
            case Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc:
                if (instruction.Op1Kind == OpKind.Register && instruction.Op0Kind == OpKind.Memory && !_random.OneIn(8)
                    && !UsesForAddress(instruction, instruction.Op1Register))
                {
                    _writer.Want(instruction.Op1Register.GetFullRegister32().GetNumber(), (uint)(_random.Below(4096) - 2048));
                }

                return true;
            case Mnemonic.Shld or Mnemonic.Shrd:
                // Counts above the operand's width have no defined result.
                bool narrow = instruction.Op1Register.GetSize() == 2;
                if (instruction.Op2Kind == OpKind.Immediate8)
                    return !narrow || (instruction.Immediate8 & 31) <= 16;
                if (narrow)
                {
                    if (UsesForAddress(instruction, Register.ECX))
                        return false;
                    _writer.Want(Ecx, (_random.Word() & ~31u) | (uint)_random.Below(17));
                }

                return true;
            case Mnemonic.Xlatb:
                _writer.Want(Ebx, _writer.PickTarget() - 128);
                return true;
            case Mnemonic.Leave:
                _writer.Want(Ebp, _random.OneIn(8) ? _writer.PickTarget() : Layout.Stack + 0x100 + (uint)_random.Below(0xC00));
                return true;
            case Mnemonic.Enter:
                // A frame of 64 KiB never fits: once in a while is enough.
                if (instruction.Immediate16 > 0x300 && !_random.OneIn(50))
                    return false;
                _writer.Want(Ebp, _random.OneIn(8) ? _writer.PickTarget() : Layout.Stack + 0x100 + (uint)_random.Below(0xC00));
                return true;
            case Mnemonic.Popf or Mnemonic.Popfd:
                // TF would trap, AC make the rest fault: cleared in what will be popped.
                if (_writer.Length != 0)
                    return false;
                return ClearPoppedFlags();
            case Mnemonic.Cmpxchg8b:
                if (_random.OneIn(2) && _writer.Target - Layout.Data < Layout.DataBytes - 8)
                {
                    ReadOnlySpan<byte> operand = _snippet.Memory.AsSpan((int)(_writer.Target - Layout.Data));
                    if (!UsesForAddress(instruction, Register.EAX) && !UsesForAddress(instruction, Register.EDX))
                    {
                        _writer.Want(Eax, BinaryPrimitives.ReadUInt32LittleEndian(operand));
                        _writer.Want(Edx, BinaryPrimitives.ReadUInt32LittleEndian(operand[4..]));
                    }
                }

                return true;
            case Mnemonic.Cmpxchg:
                if (_random.OneIn(2) && instruction.Op0Kind == OpKind.Memory && _writer.Target - Layout.Data < Layout.DataBytes - 8
                    && !UsesForAddress(instruction, Register.EAX))
                {
                    _writer.Want(Eax, BinaryPrimitives.ReadUInt32LittleEndian(_snippet.Memory.AsSpan((int)(_writer.Target - Layout.Data))));
                }

                return true;
            default:
                return !instruction.IsStringInstruction || PrepareString(instruction);
        }
    }

    private bool PrepareString(in Instruction instruction)
    {
        bool gs = instruction.SegmentPrefix == Register.GS;
        _writer.Want(Esi, _writer.PickTarget() - (gs ? Layout.Data : 0));
        uint destination = _random.OneIn(4) ? (_writer.Known(Esi) ?? 0) + (uint)_random.Below(9) - 4 : _writer.PickTarget();
        _writer.Want(Edi, destination);
        if (instruction.HasRepPrefix || instruction.HasRepnePrefix)
        {
            bool count16 = instruction.Op0Kind is OpKind.MemoryESDI or OpKind.MemorySegSI || instruction.Op1Kind is OpKind.MemoryESDI or OpKind.MemorySegSI;
            _writer.Want(Ecx, (uint)_random.Below(_random.OneIn(6) ? 700 : 20) | (count16 ? _random.Word() << 16 : 0));

            // Equal runs, so that comparing goes on for a while.
            if (_random.OneIn(2))
            {
                int at = _random.Below(Layout.ImageBytes - 600);
                _snippet.Memory.AsSpan(at, 500).Fill((byte)_random.Word());
                if (_random.OneIn(2))
                    _writer.Want(Eax, _snippet.Memory[at] * 0x0101_0101u);
                _writer.Want(Edi, Layout.Data + (uint)Math.Min(at + 100, (int)Layout.DataBytes - 4));
            }
        }

        return true;
    }

    private bool ClearPoppedFlags()
    {
        uint esp = _snippet.Before.Registers[Esp];
        uint at = esp - Layout.Stack;
        if (at > Layout.PageSize - 4)
            _snippet.Before.Registers[Esp] = Layout.Stack + (at = 0x800);
        const uint trouble = EFlags.Trap | EFlags.AlignmentCheck | EFlags.Virtual8086;
        Span<byte> popped = _snippet.Memory.AsSpan((int)(Layout.DataBytes + at));
        BinaryPrimitives.WriteUInt32LittleEndian(popped, _random.Word() & ~trouble);
        return true;
    }

    private static bool UsesForAddress(in Instruction instruction, Register register)
    {
        Register full = register.GetFullRegister32();
        return instruction.MemoryBase.GetFullRegister32() == full || instruction.MemoryIndex.GetFullRegister32() == full;
    }
}
