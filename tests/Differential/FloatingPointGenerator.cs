// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;

namespace Lguest.Tests.Differential;

/// <summary>Makes snippets of x87, MMX, SSE and SSE2 instructions, with registers full of special values.</summary>
internal sealed unsafe class FloatingPointGenerator
{
    private const int Edi = 7;
    private const int MaxInstructions = 6;

    // Exponent and top of the significand of what extended precision can hold, nonsense included.
    private static readonly (ushort Exponent, ulong Significand)[] s_extended =
    [
        (0, 0), (0x3FFF, 0x8000_0000_0000_0000), (0x4000, 0xC90F_DAA2_2168_C235), (0x7FFF, 0x8000_0000_0000_0000),
        (0x7FFF, 0xC000_0000_0000_0000), (0x7FFF, 0xA000_0000_0000_0001), (0x7FFF, 0xE000_0000_0000_1234), (0, 1), (0, 0x4000_0000_0000_0000),
        (0, 0x8000_0000_0000_0000), (1, 0x8000_0000_0000_0000), (0x4001, 0x4000_0000_0000_0000), (0x7FFF, 0), (0x7FFE, ulong.MaxValue),
        (0x403E, 0x8000_0000_0000_0000), (0x401E, 0xFFFF_FFFF_0000_0000), (0x3FFE, 0xFFFF_FFFF_FFFF_FFFF), (0x3C01, 0x8000_0000_0000_0800),
        (0x43FE, 0xFFFF_FFFF_FFFF_F800), (0x3F81, 0x8000_0000_0000_0000), (0x407E, 0xFFFF_FF80_0000_0000), (0x4003, 0xA000_0000_0000_0000),
    ];

    private static readonly uint[] s_singles =
    [
        0, 0x3F80_0000, 0x4000_0000, 0x3F00_0000, 0x7F80_0000, 0x7FC0_0000, 0x7F80_0001, 0x7FA0_0000, 1, 0x0040_0000, 0x0080_0000, 0x0100_0000,
        0x7F7F_FFFF, 0x4F00_0000, 0x4EFF_FFFF, 0x3EAA_AAAB, 0x4B00_0001, 0x007F_FFFF, 0x3FC0_0000, 0x4020_0000,
    ];

    private static readonly ulong[] s_doubles =
    [
        0, 0x3FF0_0000_0000_0000, 0x4000_0000_0000_0000, 0x3FE0_0000_0000_0000, 0x7FF0_0000_0000_0000, 0x7FF8_0000_0000_0000,
        0x7FF0_0000_0000_0001, 1, 0x0008_0000_0000_0000, 0x0010_0000_0000_0000, 0x7FEF_FFFF_FFFF_FFFF, 0x41E0_0000_0000_0000,
        0x41DF_FFFF_FFC0_0000, 0x3FD5_5555_5555_5555, 0x4004_0000_0000_0000, 0x36A0_0000_0000_0000, 0x47EF_FFFF_E000_0000, 0x3810_0000_0000_0000,
    ];

    private readonly InstructionWriter _writer;
    private readonly Snippet _snippet = new() { FloatingPoint = true };
    private XorShift _random = new(0);

    public FloatingPointGenerator(bool hasGs) => _writer = new InstructionWriter(hasGs);

    /// <summary>One instruction of one form, or a sequence.</summary>
    /// <returns>Valid until the next call.</returns>
    public Snippet Make(ulong seed, InstructionForm? form)
    {
        _random = new XorShift(seed);
        _snippet.Seed = seed;
        _snippet.Offset = 16 * (uint)_random.Below(200);
        _snippet.IgnoredMemory.Clear();
        _writer.Start(_snippet, _random);
        FillMemory();
        for (int i = 0; i < 8; i++)
            _snippet.Before.Registers[i] = _random.Operand();
        _snippet.Before.Registers[4] = Layout.Stack + 0x800;
        _snippet.Before.Flags = (_random.Word() & EFlags.Arithmetic) | EFlags.Fixed | EFlags.Interrupt;
        FillState(form == null);
        int count = form != null ? 1 : 2 + _random.Below(MaxInstructions - 1);
        for (int i = 0; i < count; i++)
        {
            bool last = i == count - 1;
            while (!_writer.TryAppend(form ?? _random.Pick(FloatingPointForms.All).Form, one => (form != null || Fits(one, last)) && Prepare(one), out _))
            {
            }
        }

        _snippet.Code = _writer.Code.ToArray();
        return _snippet;
    }

    private void FillMemory()
    {
        Span<ulong> memory = MemoryMarshal.Cast<byte, ulong>(_snippet.Memory.AsSpan());
        ulong fill = _random.Next();
        for (int i = 0; i < memory.Length; i++)
            memory[i] = fill = (fill * 0x5851_F42D_4C95_7F2D) + 0x1405_7B7E_F767_814F;
    }

    private void FillState(bool masked)
    {
        Span<byte> fx = _snippet.Before.Fx;
        fx.Clear();
        FillImage(fx, masked || _random.Below(4) != 0);
    }

    private void FillImage(Span<byte> fx, bool masked)
    {
        ref FxImage image = ref MemoryMarshal.AsRef<FxImage>(fx);
        image.Status = (ushort)(_random.Word() & 0x7F7F);
        if (_random.OneIn(2))
            image.Status &= 0x7F00;
        image.LoadControl((ushort)(_random.Word() | (masked ? FxImage.ExceptionFlags : 0u)));
        if (_random.OneIn(2))
            image.Control |= 0x0300;
        image.Tags = _random.OneIn(3) ? (byte)_random.Word() : _random.OneIn(2) ? (byte)0xFF : (byte)(0x7F << _random.Below(4));
        image.Mxcsr = _random.Word() & (FxImage.MxcsrValid & ~FxImage.MxcsrMasks);
        image.Mxcsr |= masked ? FxImage.MxcsrMasks : _random.Word() & FxImage.MxcsrMasks;
        image.MxcsrMask = FxImage.MxcsrValid;
        for (int i = 0; i < 8; i++)
            Extended(fx.Slice(32 + (16 * i), 10));
        for (int i = 0; i < 8; i++)
            Packed(fx.Slice(160 + (16 * i), 16));
    }

    private void Extended(Span<byte> target)
    {
        (ushort exponent, ulong significand) = _random.Pick(s_extended);
        switch (_random.Below(6))
        {
            case 0:
                significand = _random.Next() | (1UL << 63);
                exponent = (ushort)(0x3FFF - 70 + _random.Below(140));
                break;
            case 1:
                significand = _random.Next();
                exponent = (ushort)_random.Word();
                break;
            case 2:
                // MMX data.
                Packed(target[..8]);
                target[8..].Fill(0xFF);
                return;
        }

        MemoryMarshal.Write(target, significand);
        MemoryMarshal.Write(target[8..], (ushort)((exponent & 0x7FFF) | (_random.OneIn(2) ? 0x8000 : 0)));
    }

    private void Packed(Span<byte> target)
    {
        switch (_random.Below(4))
        {
            case 0:
                foreach (ref uint value in MemoryMarshal.Cast<byte, uint>(target))
                    value = _random.Operand();
                break;
            case 1:
                foreach (ref ulong value in MemoryMarshal.Cast<byte, ulong>(target))
                    value = (_random.OneIn(3) ? _random.Next() : _random.Pick(s_doubles)) ^ ((ulong)_random.Below(2) << 63);
                break;
            default:
                foreach (ref uint value in MemoryMarshal.Cast<byte, uint>(target))
                    value = (_random.OneIn(4) ? _random.Word() : _random.Pick(s_singles)) ^ ((uint)_random.Below(2) << 31);
                break;
        }
    }

    // In a sequence: no exceptions unmasked behind the generator's back, and nothing that could load the processor's pointers
    // back from memory.
    private static bool Fits(in Instruction instruction, bool last) => instruction.Mnemonic switch
    {
        Mnemonic.Fldcw or Mnemonic.Fldenv or Mnemonic.Frstor or Mnemonic.Fxrstor or Mnemonic.Ldmxcsr => false,
        Mnemonic.Fnstenv or Mnemonic.Fnsave or Mnemonic.Fxsave => last,
        _ => true,
    };

    private bool Prepare(Instruction instruction)
    {
        if (instruction.IsInvalid)
            return true;
        uint target = _writer.Target;
        bool gs = instruction.SegmentPrefix == Register.GS;
        if (instruction.Mnemonic is Mnemonic.Maskmovq or Mnemonic.Maskmovdqu)
        {
            // Whether bytes that the mask leaves out may fault is up to the processor.
            target = Layout.Data + (uint)_random.Below((int)Layout.WritableBytes - 16);
            if (instruction.Op0Kind == OpKind.MemorySegDI && !gs)
                return false;
            _writer.Want(Edi, target - (gs ? Layout.Data : 0));
        }

        // A store that an unmasked exception withholds does not even look at its page; the interpreter does, before.
        bool store = instruction.Mnemonic is Mnemonic.Fst or Mnemonic.Fstp or Mnemonic.Fist or Mnemonic.Fistp or Mnemonic.Fbstp;
        bool low = !gs && (instruction.MemoryBase.IsGPR16() || instruction.MemoryDisplSize == 2);
        if (store && (~_snippet.Before.Fx[0] & FxImage.ExceptionFlags) != 0 && (low || instruction.MemorySegment is Register.CS or Register.FS || target - Layout.Data > Layout.WritableBytes - 16))
            return false;

        // How much of a large operand is moved before the segment's limit is met is not defined.
        if (gs && instruction.MemorySize.GetSize() > 16 && target - Layout.Data > Layout.DataBytes - SnippetState.FxBytes)
            return false;

        int at = Layout.ImageOffset(target);
        if (at < 0)
            return true;
        IgnorePointers(instruction.Code, at);
        if (at > Layout.DataBytes - SnippetState.FxBytes)
            return true;
        Span<byte> operand = _snippet.Memory.AsSpan(at, SnippetState.FxBytes);
        switch (instruction.Code)
        {
            case Code.Fldcw_m2byte or Code.Fldenv_m14byte or Code.Fldenv_m28byte or Code.Frstor_m94byte or Code.Frstor_m108byte:
                break; // anything goes
            case Code.Fxrstor_m512byte:
                FillImage(operand, masked: false);
                if (_random.OneIn(3))
                    MemoryMarshal.Write(operand, _random.Word());
                if (_random.OneIn(6))
                    MemoryMarshal.Write(operand[24..], _random.Word());
                break;
            case Code.Ldmxcsr_m32:
                MemoryMarshal.Write(operand, _random.OneIn(4) ? _random.Word() : _random.Word() & FxImage.MxcsrValid);
                break;
            case Code.Fbld_m80bcd:
                for (int i = 0; i < 9 && !_random.OneIn(8); i++)
                    operand[i] = (byte)((_random.Below(10) << 4) | _random.Below(10));
                break;
            case Code.Fld_m80fp:
                Extended(operand);
                break;
            default:
                Packed(operand[..16]);
                break;
        }

        return true;
    }

    private void IgnorePointers(Code code, int at)
    {
        switch (code)
        {
            case Code.Fnstenv_m14byte or Code.Fnsave_m94byte:
                Ignore(at + 6, 8);
                break;
            case Code.Fnstenv_m28byte or Code.Fnsave_m108byte:
                Ignore(at + 12, 16);
                break;
            case Code.Fxsave_m512byte:
                Ignore(at + 6, 18);
                Ignore(at + 28, 4);
                break;
        }
    }

    private void Ignore(int at, int length)
    {
        for (int i = at; i < at + length; i++)
            _snippet.IgnoredMemory.Add(i);
    }
}
