// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;

namespace Lguest.Engine.Check;

/// <summary>Tells of a disagreement: the code, both states side by side, memory that is different, and how it came there.</summary>
internal sealed unsafe class DisagreementReport
{
    private const int LongestInstruction = 15;
    private static readonly string[] s_registers = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
    private static readonly string[] s_segments = ["es", "cs", "ss", "ds", "fs", "gs"];

    /// <summary>EIPs of the instructions.</summary>
    public required IReadOnlyList<uint> Path { get; init; }

    /// <summary>Reads a byte of code.</summary>
    public required Func<uint, byte> Fetch { get; init; }

    /// <summary>Flags that need not be the same.</summary>
    public required uint Undefined { get; init; }

    /// <summary>Why the interpreter stopped, if for anything.</summary>
    public required CpuExit? InterpreterExit { get; init; }

    /// <summary>Why the translator did.</summary>
    public required CpuExit? TranslatorExit { get; init; }

    /// <summary>Writes that are different.</summary>
    public List<Write> Writes { get; } = [];

    /// <summary>Decodes instructions.</summary>
    public static IEnumerable<Instruction> Decode(IReadOnlyList<uint> path, Func<uint, byte> fetch)
    {
        byte[] bytes = new byte[LongestInstruction];
        foreach (uint eip in path)
        {
            for (uint i = 0; i < bytes.Length; i++)
                bytes[i] = fetch(eip + i);
            Iced.Intel.Decoder decoder = Iced.Intel.Decoder.Create(32, bytes, eip, PointerCodeReader.Processor);
            yield return decoder.Decode();
        }
    }

    /// <summary>The blocks that ran before, the last one last.</summary>
    public static string Blocks(IEnumerable<BlockRun> blocks)
    {
        StringBuilder text = new("the blocks before, the last one last:\n");
        foreach (BlockRun block in blocks)
            text.Append(CultureInfo.InvariantCulture, $"  0x{block.Eip:x8} -> 0x{block.Next:x8}  ring {block.Ring}, {block.Instructions} instructions\n");
        return text.ToString();
    }

    /// <summary>All but the blocks.</summary>
    public string Text(in ArchState before, in ArchState interpreter, in ArchState translator)
    {
        StringBuilder text = new("the code:\n");
        GasFormatter formatter = new(new FormatterOptions { HexPrefix = "0x", UppercaseHex = false, SmallHexNumbersInDecimal = false });
        StringOutput output = new();
        foreach (Instruction instruction in Decode(Path, Fetch))
        {
            formatter.Format(in instruction, output);
            text.Append(CultureInfo.InvariantCulture, $"  0x{instruction.IP32:x8}  ");
            string bytes = string.Join(' ', Enumerable.Range(0, Math.Max(instruction.Length, 1)).Select(i => Fetch(instruction.IP32 + (uint)i).ToString("x2", CultureInfo.InvariantCulture)));
            text.Append(CultureInfo.InvariantCulture, $"{bytes,-30}  {output.ToStringAndReset()}\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"{string.Empty,-12}{"before",-20}{"interpreter",-20}{"translator",-20}\n");
        for (int i = 0; i < s_registers.Length; i++)
            Row(text, s_registers[i], before.Registers[i], interpreter.Registers[i], translator.Registers[i]);
        Row(text, "eip", before.Eip, interpreter.Eip, translator.Eip);
        Row(text, "eflags", before.Flags, interpreter.Flags, translator.Flags, Undefined);
        Row(text, "ring", before.Cpl, interpreter.Cpl, translator.Cpl);
        for (int i = 0; i < s_segments.Length; i++)
        {
            SegmentRegister a = before.Segments[i];
            SegmentRegister b = interpreter.Segments[i];
            SegmentRegister c = translator.Segments[i];
            Row(text, s_segments[i], a.Selector, b.Selector, c.Selector);
            if (b.Base != c.Base || b.Limit != c.Limit || b.Attributes != c.Attributes)
            {
                Row(text, s_segments[i] + " base", a.Base, b.Base, c.Base);
                Row(text, s_segments[i] + " limit", a.Limit, b.Limit, c.Limit);
                Row(text, s_segments[i] + " rights", a.Attributes, b.Attributes, c.Attributes);
            }
        }

        for (int i = 0; i < FxImage.ByteSize / sizeof(uint); i++)
        {
            uint b = Word(in interpreter, i);
            uint c = Word(in translator, i);
            if (b != c)
                Row(text, $"fxsave+{i * sizeof(uint):x3}", Word(in before, i), b, c);
        }

        text.Append(CultureInfo.InvariantCulture, $"{"stopped for",-12}{string.Empty,-20}{Describe(InterpreterExit)}; {Describe(TranslatorExit)}\n");
        foreach (Write write in Writes)
        {
            text.Append(CultureInfo.InvariantCulture, $"memory at guest physical 0x{write.Physical:x8}: before {Convert.ToHexStringLower(write.Before)}");
            text.Append(CultureInfo.InvariantCulture, $", interpreter {Convert.ToHexStringLower(write.Interpreter)}, translator {Convert.ToHexStringLower(write.Translator)}\n");
        }

        return text.ToString();
    }

    private static uint Word(in ArchState state, int index) => MemoryMarshal.Cast<FxImage, uint>(new ReadOnlySpan<FxImage>(in state.Float))[index];

    private static void Row(StringBuilder text, string name, uint before, uint interpreter, uint translator, uint ignored = 0)
    {
        string mark = ((interpreter ^ translator) & ~ignored) != 0 ? "<--" : string.Empty;
        string row = string.Create(CultureInfo.InvariantCulture, $"{name,-12}0x{before:x8}          0x{interpreter:x8}          0x{translator:x8}          {mark}");
        text.Append(row.TrimEnd()).Append('\n');
    }

    private static string Describe(CpuExit? exit) => exit switch
    {
        null => "nothing",
        { Kind: ExitKind.Exception } e => $"exception {e.Vector}, error 0x{e.ErrorCode:x}, address 0x{e.FaultAddress:x8}, at 0x{e.InstructionEip:x8}",
        { Kind: ExitKind.SoftwareInterrupt } e => $"int 0x{e.Vector:x2} at 0x{e.InstructionEip:x8}",
        { } e => $"{e.Kind} {e.Reason} at 0x{e.InstructionEip:x8}",
    };

    /// <summary>A block that was run.</summary>
    /// <param name="Eip">Where it began.</param>
    /// <param name="Next">Where it went.</param>
    /// <param name="Ring">In which ring.</param>
    /// <param name="Instructions">How many.</param>
    internal readonly record struct BlockRun(uint Eip, uint Next, uint Ring, int Instructions);

    /// <summary>A write that came out differently.</summary>
    /// <param name="Physical">Where.</param>
    /// <param name="Before">What was there.</param>
    /// <param name="Interpreter">What the interpreter left there.</param>
    /// <param name="Translator">What the translator did.</param>
    internal readonly record struct Write(uint Physical, byte[] Before, byte[] Interpreter, byte[] Translator);
}
