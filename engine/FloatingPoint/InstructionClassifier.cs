// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Instructions;

namespace Lguest.Engine.FloatingPoint;

/// <summary>Which instructions are floating point on a Pentium 4-like 686, and how each kind is executed: the catalogue's lines, by operands.</summary>
internal static class InstructionClassifier
{
    /// <summary>
    /// Sorts an instruction. Not floating point here, though CPUID counts them to SSE: fences, prefetches, MOVNTI, CLFLUSH and
    /// PAUSE; they never look at CR0.TS.
    /// </summary>
    /// <returns>False for an instruction that is none, or that came after SSE2.</returns>
    public static bool TryClassify(in Instruction instruction, out FloatingPointKind kind)
    {
        ref readonly InstructionLine line = ref InstructionCatalog.Of(in instruction);
        kind = line.Unit;
        if (line.Family != HandlerFamily.FloatingPoint)
            return false;

        // The same name in MMX registers.
        if (kind == FloatingPointKind.SseMove && UsesMmx(in instruction))
            kind = FloatingPointKind.Legacy;
        return true;
    }

    private static bool UsesMmx(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Register && instruction.GetOpRegister(i).IsMM())
                return true;
        }

        return false;
    }
}
