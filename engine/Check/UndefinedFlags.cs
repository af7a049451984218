// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Instructions;

namespace Lguest.Engine.Check;

/// <summary>
/// Which flags an instruction leaves undefined (Intel SDM vol. 1, appendix A, and the instructions' own pages in vol. 2): the
/// catalogue's column, by operands and count. There processors differ, and so may the engines.
/// </summary>
internal static class UndefinedFlags
{
    private const uint C = EFlags.Carry, P = EFlags.Parity, A = EFlags.Adjust, Z = EFlags.Zero, S = EFlags.Sign, O = EFlags.Overflow;

    /// <summary>The undefined flags behind an instruction.</summary>
    /// <param name="instruction">The instruction.</param>
    /// <param name="cl">%cl before it, or null when that is not known: then whatever any count leaves undefined.</param>
    public static uint After(in Instruction instruction, byte? cl)
    {
        ref readonly InstructionLine line = ref InstructionCatalog.Of(in instruction);
        uint undefined = Flags(line.Undefined);
        return line.Rule switch
        {
            UndefinedRule.Fixed => undefined,
            UndefinedRule.Rotate => Count(in instruction, 1, cl) is 0 or 1 ? 0 : undefined,
            UndefinedRule.DoubleShift => Counted(undefined, Count(in instruction, 2, cl)),
            UndefinedRule.ArithmeticShift => Counted(undefined, Count(in instruction, 1, cl)),

            // The carry is what the last bit was that went out, if one did that belonged to the operand.
            _ => Counted((Count(in instruction, 1, cl) ?? 31) < Bits(in instruction) ? undefined & ~C : undefined, Count(in instruction, 1, cl)),
        };
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
        InstructionCatalog.Of(in instruction).Rule != UndefinedRule.Fixed && instruction.GetOpKind(instruction.OpCount - 1) == OpKind.Register;

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

    // By 0 nothing is set, by 1 the overflow is defined.
    private static uint Counted(uint undefined, int? count) => count switch
    {
        0 => 0,
        1 => undefined & ~O,
        _ => undefined,
    };

    private static int Bits(in Instruction instruction) =>
        8 * (instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() : instruction.MemorySize.GetSize());

    // Masked to 5 bits as the processor does.
    private static int? Count(in Instruction instruction, int operand, byte? cl) =>
        (instruction.GetOpKind(operand) == OpKind.Register ? cl : (byte)instruction.GetImmediate(operand)) & 31;
}
