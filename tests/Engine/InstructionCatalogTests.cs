// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;
using Iced.Intel;
using Lguest.Engine;
using Lguest.Engine.Check;
using Lguest.Engine.Instructions;
using Lguest.Engine.Interpreter;
using Lguest.GuestAbi;
using Lguest.Tests.Differential;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts;

/// <summary>The instruction catalogue has all that there is and nothing else, and whoever goes by it or says the same agrees.</summary>
public sealed unsafe partial class InstructionCatalogTests
{
    /// <summary>What a 686 with SSE2 has (docs/processor.md), by the decoder's names; and what such a processor takes for a NOP.</summary>
    private static readonly HashSet<CpuidFeature> s_offered =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.CPUID,
        CpuidFeature.CX8, CpuidFeature.TSC, CpuidFeature.MSR, CpuidFeature.RDPMC, CpuidFeature.CMOV, CpuidFeature.SEP, CpuidFeature.FPU,
        CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.MMX, CpuidFeature.FXSR, CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.CLFSH,
        CpuidFeature.PAUSE, CpuidFeature.MULTIBYTENOP, CpuidFeature.CET_IBT,
    ];

    [Fact]
    public void EveryInstructionOfTheProcessorHasItsLine()
    {
        string[] missing = [.. Enum.GetValues<Code>()
            .Where(static code => IsOffered(code) && InstructionCatalog.Of(code).Mnemonic != code.Mnemonic())
            .Select(static code => code.ToString())];
        Assert.Empty(missing);
    }

    [Fact]
    public void NoLineNamesWhatDoesNotExist()
    {
        HashSet<Mnemonic> offered = [.. Enum.GetValues<Code>().Where(IsOffered).Select(static code => code.Mnemonic())];
        HashSet<Mnemonic> seen = [];
        Mnemonic before = Mnemonic.INVALID;
        foreach (InstructionLine line in InstructionCatalog.Lines[1..])
        {
            if (line.Only == Code.INVALID)
                Assert.True(seen.Add(line.Mnemonic), $"{line.Mnemonic} has two lines");
            else
                Assert.True(line.Only.Mnemonic() == line.Mnemonic && before == line.Mnemonic, $"{line.Only} does not follow its name");
            Assert.True(offered.Contains(line.Mnemonic), $"{line.Mnemonic} is no instruction of this processor");
            before = line.Mnemonic;
        }
    }

    /// <summary>
    /// What the interpreter makes of every opcode, with some operands: #UD exactly for what has no line, #GP for what is privileged,
    /// and for the rest a handler.
    /// </summary>
    [Fact]
    public void TheInterpreterHasAHandlerForEachLine()
    {
        using BareGuest guest = new(EngineKind.Interpreter, ring: 1);
        InterpreterCore core = (InterpreterCore)guest.Core;
        InstructionSelector selector = new(core);
        MicroOp* ops = stackalloc MicroOp[4];
        Instruction ud2 = Instruction.Create(Code.Ud2);
        selector.Emit(ops, in ud2, 0, out _);
        nint raise = (nint)ops->Handler;
        HashSet<Mnemonic> handled = [];
        SortedSet<string> wrong = new(StringComparer.Ordinal);
        foreach (Instruction instruction in Decoded())
        {
            Instruction one = instruction;
            MicroOp* last = selector.Emit(ops, in one, 0, out _) - 1;
            bool undefined = (nint)last->Handler == raise && last->Immediate == ExceptionVector.InvalidOpcode;
            ref readonly InstructionLine line = ref InstructionCatalog.Of(in one);
            if (undefined != (line.Family == HandlerFamily.Undefined))
                wrong.Add($"{one.Code}: {(undefined ? "no handler" : "a handler without a line")}");
            handled.Add(line.Mnemonic);
        }

        Assert.Empty(wrong);
        Assert.Empty(InstructionCatalog.Lines.ToArray().Select(static line => line.Mnemonic).Except(handled));
    }

    /// <summary>What the differential tests generate is what the catalogue says that they do.</summary>
    [Fact]
    public void TheDifferentialTestsHaveTheirLines()
    {
        HashSet<string> generated = [];
        SnippetGenerator integers = new(hasGs: true);
        FloatingPointGenerator floats = new(hasGs: true);
        ulong seed = 1;
        foreach (InstructionForm form in IntegerTable.Forms)
            Note(() => integers.Make(seed++, form), form.Repeatable ? 20 : 60);
        foreach ((_, InstructionForm form) in FloatingPointForms.All)
            Note(() => floats.Make(seed++, form), 2);
        Note(() => integers.Make(seed++, null), 2000);
        Assert.Equal(
            InstructionCatalog.Lines.ToArray().Where(static line => line.Tested.HasFlag(TestedBy.Differential)).Select(static line => NameOf(in line)).Order(StringComparer.Ordinal),
            generated.Order(StringComparer.Ordinal));

        void Note(Func<Snippet> make, int times)
        {
            for (int i = 0; i < times; i++)
            {
                foreach (Instruction instruction in make().Instructions())
                {
                    if (!instruction.IsInvalid)
                        generated.Add(NameOf(in InstructionCatalog.Of(in instruction)));
                }
            }
        }
    }

    /// <summary>The guests and tests that a line names do have the instruction, under the assembler's name for it.</summary>
    [Fact]
    public void TheOtherTestsHaveTheirLines()
    {
        foreach (InstructionLine line in InstructionCatalog.Lines[1..])
        {
            Assert.True(line.Tested != TestedBy.None || line.Family == HandlerFamily.Undefined, $"nothing tests {line.Mnemonic}");
            foreach (TestedBy place in Enum.GetValues<TestedBy>())
            {
                if (place is not (TestedBy.None or TestedBy.Differential) && line.Tested.HasFlag(place))
                    Assert.True(Regex.IsMatch(TextOf(place), $@"\b{Assembler(line.Mnemonic)}[bwl]?\b", RegexOptions.IgnoreCase), $"{line.Mnemonic} is not in {place}");
            }
        }
    }

    /// <summary>Each difference between makers that a line has is described, and the other way about; two are not of single instructions.</summary>
    [Fact]
    public void EachDifferenceIsDescribed()
    {
        Dictionary<Differences, VendorDifference> described = new()
        {
            [Differences.PushSegment] = VendorDifferences.PushSegment,
            [Differences.RepeatedComparisonFault] = VendorDifferences.RepeatedComparisonFault,
            [Differences.ComparisonOrder] = VendorDifferences.ComparisonOrder,
            [Differences.BoundOrder] = VendorDifferences.BoundOrder,
            [Differences.LockMovCr0] = VendorDifferences.LockMovCr0,
            [Differences.FloatingPointPointers] = VendorDifferences.FloatingPointPointers,
        };
        Assert.Equal(Enum.GetValues<Differences>().Where(static difference => difference != Differences.None), described.Keys);
        Assert.Equal(VendorDifferences.All.Except([VendorDifferences.AcrossTheTop, VendorDifferences.UndefinedFlagValues]).ToHashSet(), described.Values.ToHashSet());
        Assert.All(described.Keys, static difference => Assert.Contains(InstructionCatalog.Lines.ToArray(), line => line.Differs.HasFlag(difference)));
    }

    /// <summary>docs/instructions.md has the table. <c>LGUEST_WRITE_DOCUMENTS=1</c> writes it anew: <c>make instructions</c>.</summary>
    [Fact]
    public void TheDocumentHasTheTable()
    {
        const string begin = "<!-- instructions -->\n", end = "<!-- /instructions -->\n";
        string path = Path.Combine(Needs.Root, "docs/instructions.md");
        string document = File.ReadAllText(path);
        int from = document.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        int to = document.IndexOf(end, StringComparison.Ordinal);
        Assert.True(from >= begin.Length && to >= from);
        string table = InstructionsMarkdown.Table();
        if (Environment.GetEnvironmentVariable("LGUEST_WRITE_DOCUMENTS") == "1")
            File.WriteAllText(path, document = document[..from] + table + document[to..]);
        bool same = document.Contains(begin + table + end, StringComparison.Ordinal);
        Assert.True(same, "docs/instructions.md has another table than the catalogue: 'make instructions' writes it anew");
    }

    private static bool IsOffered(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        return code != Code.INVALID && info.IsInstruction && info.Mode32 && !info.Fwait && info.Encoding == EncodingKind.Legacy
            && (info.DecoderOption & ~PointerCodeReader.Processor) == 0 && code.CpuidFeatures().All(s_offered.Contains);
    }

    /// <summary>Every opcode, plain and with the prefixes that make another instruction of it, with every ModRM byte.</summary>
    private static IEnumerable<Instruction> Decoded()
    {
        byte[] code = new byte[16];
        foreach (byte prefix in (byte[])[0, 0x66, 0x67, 0xF2, 0xF3])
        {
            foreach (int map in (int[])[0, 1, 2, 3])
            {
                for (int opcode = 0; opcode < 0x100; opcode++)
                {
                    for (int operand = 0; operand < 0x100; operand++)
                    {
                        int at = 0;
                        if (prefix != 0)
                            code[at++] = prefix;
                        if (map > 0)
                            code[at++] = 0x0F;
                        if (map > 1)
                            code[at++] = (byte)(map == 2 ? 0x38 : 0x3A);
                        code[at++] = (byte)opcode;
                        code[at] = (byte)operand;
                        Instruction instruction = Decoder.Create(32, code, 0x1000, PointerCodeReader.Processor).Decode();
                        if (!instruction.IsInvalid)
                            yield return instruction;
                    }
                }
            }
        }
    }

    private static string NameOf(in InstructionLine line) => line.Only == Code.INVALID ? line.Mnemonic.ToString() : line.Only.ToString();

    private static string TextOf(TestedBy place)
    {
        (string folder, string pattern) = place switch
        {
            TestedBy.Segments => ("guest/conformance", "segments*"),
            TestedBy.Privilege => ("guest/conformance", "privilege*"),
            TestedBy.Processor => ("guest/conformance", "processor.c"),
            TestedBy.Faults => ("guest/conformance", "faults*"),
            _ => ("tests/Contract", "*.cs"),
        };
        return string.Concat(Directory.GetFiles(Path.Combine(Needs.Root, folder), pattern).Select(File.ReadAllText));
    }

    /// <summary>Names of the GNU assembler that are not Intel's, or are given as bytes.</summary>
    private static string Assembler(Mnemonic mnemonic) => mnemonic switch
    {
        Mnemonic.Jmp => "ljmp",
        Mnemonic.Call => "lcall",
        Mnemonic.Retf => "lret",
        Mnemonic.Iretd => "iret",
        Mnemonic.Int1 => "0xf1",
        _ => mnemonic.ToString(),
    };
}
