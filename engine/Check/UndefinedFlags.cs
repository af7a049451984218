// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Check;

/// <summary>
/// Which flags an instruction leaves undefined (Intel SDM vol. 1, appendix A, and the instructions' own pages in vol. 2): there,
/// processors differ, and so may the engines.
/// </summary>
internal static class UndefinedFlags
{
    private const uint C = EFlags.Carry, P = EFlags.Parity, A = EFlags.Adjust, Z = EFlags.Zero, S = EFlags.Sign, O = EFlags.Overflow;

    /// <summary>The undefined flags behind an instruction.</summary>
    /// <param name="instruction">The instruction.</param>
    /// <param name="cl">%cl before it, or null when that is not known: then whatever any count leaves undefined.</param>
    public static uint After(in Instruction instruction, byte? cl)
    {
        switch (instruction.Mnemonic)
        {
            case Mnemonic.And or Mnemonic.Or or Mnemonic.Xor or Mnemonic.Test:
                return A;
            case Mnemonic.Mul or Mnemonic.Imul:
                return S | Z | A | P;
            case Mnemonic.Div or Mnemonic.Idiv:
                return EFlags.Arithmetic;
            case Mnemonic.Daa or Mnemonic.Das:
                return O;
            case Mnemonic.Aaa or Mnemonic.Aas:
                return O | S | Z | P;
            case Mnemonic.Aam or Mnemonic.Aad:
                return O | A | C;
            case Mnemonic.Bsf or Mnemonic.Bsr:
                return C | O | S | A | P;
            case Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc:
                return O | S | A | P;
            case Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar:
                return Shift(instruction, Count(instruction, 1, cl));
            case Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr:
                return Count(instruction, 1, cl) is 0 or 1 ? 0 : O;
            case Mnemonic.Shld or Mnemonic.Shrd:
                return Count(instruction, 2, cl) switch { 0 => 0, 1 => A, _ => A | O };
            default:
                return 0;
        }
    }

    /// <summary>The flags that an instruction sets whatever its operands are; some of them, it may be, to nothing defined.</summary>
    /// <param name="instruction">The instruction.</param>
    /// <param name="cl">%cl before it, or null when that is not known.</param>
    public static uint Defined(in Instruction instruction, byte? cl)
    {
        // By a count of 0 nothing is set: neither a shift's nor a repeated comparison's.
        if (instruction.HasRepPrefix || instruction.HasRepnePrefix)
            return 0;
        if (IsCounted(in instruction) && (cl & 31 ?? 0) == 0)
            return 0;
        return Flags(instruction.RflagsModified);
    }

    /// <summary>Whether an instruction has a count in %cl.</summary>
    public static bool IsCounted(in Instruction instruction) =>
        instruction.Mnemonic is Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror
            or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Shld or Mnemonic.Shrd
        && instruction.GetOpKind(instruction.OpCount - 1) == OpKind.Register;

    /// <summary>The flags that an instruction looks at.</summary>
    public static uint Read(in Instruction instruction) => Flags(instruction.RflagsRead);

    private static uint Flags(RflagsBits bits)
    {
        uint flags = 0;
        foreach ((RflagsBits bit, uint flag) in (ReadOnlySpan<(RflagsBits, uint)>)
            [(RflagsBits.CF, C), (RflagsBits.PF, P), (RflagsBits.AF, A), (RflagsBits.ZF, Z), (RflagsBits.SF, S), (RflagsBits.OF, O)])
        {
            if ((bits & bit) != 0)
                flags |= flag;
        }

        return flags;
    }

    private static uint Shift(in Instruction instruction, int? count)
    {
        if (count == 0)
            return 0;
        uint undefined = count == 1 ? A : A | O;
        int bits = 8 * (instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() : instruction.MemorySize.GetSize());
        if ((count ?? 31) >= bits && instruction.Mnemonic != Mnemonic.Sar)
            undefined |= C;
        return undefined;
    }

    // Masked to 5 bits as the processor does.
    private static int? Count(in Instruction instruction, int operand, byte? cl) =>
        (instruction.GetOpKind(operand) == OpKind.Register ? cl : (byte)instruction.GetImmediate(operand)) & 31;
}
