// SPDX-License-Identifier: GPL-2.0-or-later
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Native;

namespace Lguest.Tests.Architecture;

/// <summary>
/// Emitted code reaches the processor's state by the names of its fields, writes machine code in one place, and says by which of
/// the forms of docs/engine.md it touches memory.
/// </summary>
public sealed partial class EmittedCodeTests
{
    private const string Assembler = "engine/Native/HostAssembler";
    private const int Forms = 7;

    /// <summary>What may be done with %r13 elsewhere: it is the C library's, too.</summary>
    private static readonly string[] s_moves = ["a.push(r13);", "a.mov(r13, rdi);", "a.pop(r13);"];

    [Fact]
    public void NoNumberStandsBesideTheStatesRegister() => Rule.Holds(
        "%r13 is put into an address by State.cs and HostAssembler.cs only, whose offsets are the struct's:",
        SourceTree.CSharp("engine").Where(static file => file.Path is not ("engine/Cpu/State.cs" or "engine/Native/HostRegister.cs" or Assembler + ".cs")).SelectMany(UsesOfRegister));

    [Fact]
    public void ANumberBesideTheStatesRegisterIsFound()
    {
        SourceFile file = new("engine/x.cs", "// [r13 + 4]\na.push(r13);\na.mov(__[r13 + 0xF8], rsp);\nnew(Register.R13, Register.None, 1, 0x300, 8);\n");
        Assert.Equal(["engine/x.cs:3: a.mov(__[r13 + 0xF8], rsp);", "engine/x.cs:4: new(Register.R13, Register.None, 1, 0x300, 8);"], UsesOfRegister(file));
    }

    /// <summary>Types say the rest: nobody can make a place of a number.</summary>
    [Fact]
    public void PlacesAreFields()
    {
        Assert.All(typeof(State).GetConstructors(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic), static made => Assert.True(made.IsPrivate));
        foreach (FieldInfo place in typeof(State).GetFields(BindingFlags.Static | BindingFlags.Public).Where(static field => field.FieldType == typeof(State)))
        {
            int expected = place.Name switch
            {
                nameof(State.Mxcsr) => PlaceOf(nameof(ArchState.Float)) + OffsetOf<FxImage>(nameof(FxImage.Mxcsr)),
                nameof(State.ScratchByte1) => PlaceOf(nameof(CpuState.Scratch)) + 1,
                _ => PlaceOf(place.Name),
            };
            Assert.Equal((place.Name, expected), (place.Name, ((State)place.GetValue(null)!).Offset));
        }
    }

    [Fact]
    public void SegmentsAndRegistersAreWhereTheyAre()
    {
        Assert.Equal(PlaceOf(nameof(ArchState.Gs)) + OffsetOf<SegmentRegister>(nameof(SegmentRegister.Attributes)), State.Segment(SegmentName.Gs).Attributes.Offset);
        Assert.Equal(PlaceOf(nameof(ArchState.Fs)) + OffsetOf<SegmentRegister>(nameof(SegmentRegister.Base)), State.Segment(SegmentName.Fs).Base.Offset);
        Assert.Equal(PlaceOf(nameof(ArchState.Cs)) + 8, State.Segment(SegmentName.Cs).HighHalf.Offset);
        Assert.Equal(PlaceOf(nameof(TranslatorScratch.GsCandidate1)) + OffsetOf<SegmentCandidate>(nameof(SegmentCandidate.Bias)), State.GsCandidate1.Bias.Offset);
        Assert.Equal(PlaceOf(nameof(TranslatorScratch.FsCandidate0)) + OffsetOf<SegmentCandidate>(nameof(SegmentCandidate.Negated)), State.FsCandidate0.Negated.Offset);
        Assert.Equal(PlaceOf(nameof(ArchState.Registers)) + (sizeof(uint) * (int)GeneralRegister.Edi), State.Register(GeneralRegister.Edi).Offset);
        Assert.Equal(PlaceOf(nameof(ArchState.FxState)) + OffsetOf<FxImage>(nameof(FxImage.Xmm)) + (7 * FxImage.RegisterStride), State.Vector(7).Offset);
    }

    /// <summary>Structs that emitted code, or a cast, takes to be so large and no larger.</summary>
    [Fact]
    public unsafe void SizesThatAreTrustedAreTrue()
    {
        Assert.Equal(CpuState.ByteSize, sizeof(CpuState));
        Assert.Equal(ArchState.ByteSize, sizeof(ArchState));
        Assert.True(CpuState.ByteSize >= OffsetOf<CpuState>(nameof(CpuState.Translator)) + sizeof(TranslatorScratch));
        Assert.True(OffsetOf<CpuState>(nameof(CpuState.Arch)) >= OffsetOf<CpuState>(nameof(CpuState.Interpreter)) + sizeof(InterpreterScratch));
        Assert.True(OffsetOf<CpuState>(nameof(CpuState.Scratch)) >= OffsetOf<CpuState>(nameof(CpuState.Arch)) + sizeof(ArchState));
        Assert.Equal(0, PlaceOf(nameof(ArchState.Float)) % 16);
        Assert.Equal(FxImage.ByteSize, sizeof(FxImage));
        Assert.Equal(EmittedRegion.ByteSize, sizeof(EmittedRegion));
        Assert.Equal(MicroOp.ByteSize, sizeof(MicroOp));
        Assert.Equal(16, sizeof(SegmentRegister));
        Assert.Equal(PlaceOf(nameof(TranslatorScratch.FsCandidate1)) - PlaceOf(nameof(TranslatorScratch.FsCandidate0)), sizeof(SegmentCandidate));
        Assert.Equal(PlaceOf(nameof(TranslatorScratch.SystemCallEntry)) - PlaceOf(nameof(TranslatorScratch.GsCandidate1)), sizeof(SegmentCandidate));
    }

    [Fact]
    public void MachineCodeIsWrittenByTheAssembler() => Rule.Holds(
        $"Bytes of instructions stand in {Assembler}*.cs only:",
        SourceTree.CSharp("engine").Where(static file => !file.Path.StartsWith(Assembler, StringComparison.Ordinal)).SelectMany(
            static file => MachineCode().Matches(file.Text).Select(match => $"{file.Place(match.Index)}: {match.Value}")));

    [Fact]
    public void EachFormOfContainmentIsNamedWhereItIsEmitted()
    {
        HashSet<int> named = [];
        foreach (SourceFile file in SourceTree.CSharp("engine"))
        {
            foreach (Match note in Note().Matches(file.Text))
                named.UnionWith(Number().Matches(note.Value).Select(static number => int.Parse(number.Value, System.Globalization.CultureInfo.InvariantCulture)));
        }

        Assert.Equal(Enumerable.Range(1, Forms), named.Order());
        Assert.Equal(Forms, ListItem().Count(Section(SourceTree.Get("docs/engine.md").Text, "## Why a guest stays inside")));
    }

    private static IEnumerable<string> UsesOfRegister(SourceFile file)
    {
        string[] lines = file.Text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            string code = Comment().Replace(lines[i], string.Empty).Trim();
            if (StatesRegister().IsMatch(code) && !s_moves.Contains(code))
                yield return $"{file.Path}:{i + 1}: {code}";
        }
    }

    /// <summary>Offset of a field of the state, or of one of its parts.</summary>
    private static int PlaceOf(string field)
    {
        (string Name, Type Type)[] parts =
        [
            (nameof(CpuState.Arch), typeof(ArchState)), (nameof(CpuState.Interpreter), typeof(InterpreterScratch)),
            (nameof(CpuState.Translator), typeof(TranslatorScratch)),
        ];
        if (typeof(CpuState).GetField(field) is not null)
            return OffsetOf<CpuState>(field);
        (string name, Type type) = Assert.Single(parts, part => part.Type.GetField(field) is not null);
        return OffsetOf<CpuState>(name) + (int)Marshal.OffsetOf(type, field);
    }

    private static int OffsetOf<T>(string field) => (int)Marshal.OffsetOf<T>(field);

    private static string Section(string text, string heading)
    {
        int start = text.IndexOf(heading, StringComparison.Ordinal) + heading.Length;
        return text[start..text.IndexOf("\n## ", start, StringComparison.Ordinal)];
    }

    [GeneratedRegex(@"//.*")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\br13[dwb]?\b|Register\.R13[DWL]?\b|\bHostRegister\.State\b")]
    private static partial Regex StatesRegister();

    [GeneratedRegex(@"(?<!ReadOnlySpan<byte>)\b(?:Bytes|Emit)\(0x[0-9A-F]{2}\b.*")]
    private static partial Regex MachineCode();

    [GeneratedRegex(@"[Cc]ontainment: forms? [^.]*")]
    private static partial Regex Note();

    [GeneratedRegex(@"\b\d\b")]
    private static partial Regex Number();

    [GeneratedRegex(@"^\d+\. ", RegexOptions.Multiline)]
    private static partial Regex ListItem();
}
