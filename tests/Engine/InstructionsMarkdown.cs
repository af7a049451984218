// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Iced.Intel;
using Lguest.Engine.Instructions;

namespace Lguest.Tests.EngineParts;

/// <summary>The instruction catalogue in Markdown, as it stands in docs/instructions.md: names with the same columns share a row.</summary>
internal static class InstructionsMarkdown
{
    /// <summary>A table of seven columns.</summary>
    public static string Table()
    {
        StringBuilder text = new("| instructions | interpreter | quiet faults | translator | undefined flags | makers differ | tests |\n|---|---|---|---|---|---|---|\n");
        List<string> names = [];
        string columns = string.Empty;
        foreach (InstructionLine line in InstructionCatalog.Lines)
        {
            if (line.Mnemonic == Mnemonic.INVALID)
                continue;
            string next = Columns(in line);
            if (next != columns)
                EndRow();
            columns = next;
            names.Add(line.Mnemonic.ToString().ToUpperInvariant() + (line.Only == Code.INVALID ? string.Empty : $" ({line.Only.ToOpCode().ToInstructionString()})"));
        }

        EndRow();
        return text.ToString();

        void EndRow()
        {
            if (names.Count != 0)
                text.Append($"| {string.Join(", ", names)} {columns} |\n");
            names.Clear();
        }
    }

    private static string Columns(in InstructionLine line) => string.Join(
        " | ", string.Empty, Family(in line), Quiet(line.Quiet), Native(line.Native), Undefined(in line), Words(line.Differs, Differences.None), Tests(line.Tested));

    private static string Family(in InstructionLine line) => line.Family switch
    {
        HandlerFamily.Undefined => "#UD",
        HandlerFamily.Privileged => "#GP",
        HandlerFamily.FloatingPoint => $"`FloatOps.cs`, {Spread(line.Unit.ToString())}{(line.Traits == OperandTraits.None ? string.Empty : "; " + Words(line.Traits, OperandTraits.None))}",
        _ => $"`{FileOf(line.Family)}`",
    };

    /// <summary>The file of a family's handlers.</summary>
    public static string FileOf(HandlerFamily family) => family switch
    {
        HandlerFamily.Arithmetic => "AluOps.cs",
        HandlerFamily.Unary => "UnaryOps.cs",
        HandlerFamily.Moves => "MoveOps.cs",
        HandlerFamily.Multiply => "MultiplyOps.cs",
        HandlerFamily.Bits => "BitOps.cs",
        HandlerFamily.Decimal => "DecimalOps.cs",
        HandlerFamily.Stack => "StackOps.cs",
        HandlerFamily.Branch => "BranchOps.cs",
        HandlerFamily.Conditional => "Conditions.cs",
        HandlerFamily.Strings => "StringOps.cs",
        HandlerFamily.Segments => "SegmentOps.cs",
        HandlerFamily.System => "SystemOps.cs",
        _ => "FloatOps.cs",
    };

    private static string Quiet(QuietRule rule) => rule switch
    {
        QuietRule.Never => "–",
        QuietRule.InMemory => "operand in memory",
        QuietRule.UsualSegment => "%ds, %es, %ss",
        QuietRule.ToRegister => "into a register",
        QuietRule.Near => "near",
        _ => "yes",
    };

    private static string Native(NativeTreatment native) => native switch
    {
        NativeTreatment.Never => "–",
        NativeTreatment.Plain => "plain",
        NativeTreatment.NoCode => "no code",
        _ => "special: " + Spread(native.ToString()),
    };

    private static string Undefined(in InstructionLine line)
    {
        string flags = Words(line.Undefined, RflagsBits.None).ToUpperInvariant();
        return line.Rule == UndefinedRule.Fixed ? flags : flags + ", by count";
    }

    private static string Tests(TestedBy tests) => Words(tests, TestedBy.None);

    private static string Words<T>(T flags, T none)
        where T : struct, Enum =>
        flags.Equals(none) ? "–" : string.Join(", ", Enum.GetValues<T>().Where(flag => !flag.Equals(none) && flags.HasFlag(flag)).Select(static flag => Spread(flag.ToString())));

    // SseMove: sse move.
    private static string Spread(string name) =>
        string.Concat(name.Select(static (letter, i) => i > 0 && char.IsUpper(letter) ? " " + char.ToLowerInvariant(letter) : char.ToLowerInvariant(letter).ToString()));
}
