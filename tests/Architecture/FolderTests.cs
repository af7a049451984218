// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;

namespace Lguest.Tests.Architecture;

// [M:220] Rules that the tree keeps
// A house this size stays readable only while its storeys stay apart: devices never see an engine, engines never see a device, and
// both stand on facts that know nobody. Tests read the source for that. When you want to add something (a device, a hypercall, an
// instruction, an engine, a generation), docs/adding.md says in steps where it goes.
/// <summary>
/// Folders of a project use each other in one direction: then each can be read, and changed, with only those below it in mind.
/// </summary>
public sealed partial class FolderTests
{
    [Fact]
    public void FoldersDoNotGoRoundInCircles() => Rule.Holds(
        "Folders of a project use each other in one direction:",
        SourceTree.Product.SelectMany(static project =>
        {
            FolderUses uses = new(SourceTree.CSharp(project));
            return uses.InCircles().Select(folder => $"{folder} is in a circle: {uses.CircleOf(folder)}");
        }));

    [Fact]
    public void ACircleIsNamed()
    {
        FolderUses uses = new(
        [
            new SourceFile("p/A/One.cs", "public sealed class One\n{\n    private Two? _two; // Four\n    private Six _six;\n}\n"),
            new SourceFile("p/B/Two.cs", "internal static class Two\n{\n    Three Make() => new();\n}\n"),
            new SourceFile("p/C/Three.cs", "public readonly record struct Three(One One);\n"),
            new SourceFile("p/D/Four.cs", "public enum Four\n{\n    Two, // not the class\n}\n\npublic class Five\n{\n    private const string Text = \"One\";\n    private Three _three;\n}\n"),
            new SourceFile("p/E/Six.Parts.cs", "public partial class Six\n{\n    public uint One => (uint)_place->Three;\n\n    private sealed class Two;\n}\n"),
            new SourceFile("p/E/Six.cs", "public partial class Six\n{\n    private Two? _mine = new Two(One);\n}\n"),
        ]);
        Assert.Equal(["p/A", "p/B", "p/C"], uses.InCircles().Order());
        Assert.Equal("p/A -> p/B (Two in One.cs) -> p/C (Three in Two.cs) -> p/A (One in Three.cs)", uses.CircleOf("p/A"));
    }

    /// <summary>
    /// Which folder uses which: by the names of types, wherever one stands outside of comments and texts, and not after a dot or an
    /// arrow. That is no compiler's answer, but it needs none. It leaves out a name that two folders declare, and one that the same file
    /// (or part of it: up to the name's first dot) gives to a member of its own.
    /// </summary>
    private sealed partial class FolderUses
    {
        /// <summary>Words that stand before a type's name where it is used, and not before the name of a member.</summary>
        private static readonly HashSet<string> s_noTypes = ["new", "return", "is", "as", "in", "ref", "out", "case", "not", "or", "and", "when", "else", "throw", "goto"];

        /// <summary>Words that may stand after a value.</summary>
        private static readonly HashSet<string> s_noNames = ["is", "as", "and", "or", "when", "switch", "with", "in"];

        private readonly Dictionary<string, Dictionary<string, string>> _uses = [];

        public FolderUses(IEnumerable<SourceFile> files)
        {
            (SourceFile File, string Code)[] sources = [.. files.Select(static file => (file, NoCode().Replace(file.Text, " ")))];
            Dictionary<string, string?> homes = [];
            foreach ((SourceFile file, string code) in sources)
            {
                _uses.TryAdd(file.Folder, []);
                foreach (Match declaration in Declaration().Matches(code))
                {
                    string name = declaration.Groups[1].Value;
                    homes[name] = homes.TryGetValue(name, out string? home) && home != file.Folder ? null : file.Folder;
                }
            }

            ILookup<string, Match> members = sources.SelectMany(static source => Member().Matches(source.Code)
                    .Where(static member => !s_noTypes.Contains(member.Groups["before"].Value)).Select(member => (Stem: StemOf(source.File), Member: member)))
                .ToLookup(static member => member.Stem, static member => member.Member);
            foreach ((SourceFile file, string code) in sources)
            {
                HashSet<string> nested = [.. members[StemOf(file)].Select(static member => member.Groups["nested"].Value)];
                HashSet<string> named = [.. members[StemOf(file)].Select(static member => member.Groups["name"].Value)];
                foreach (Match use in Name().Matches(code))
                {
                    if (homes.GetValueOrDefault(use.Value) is { } home && home != file.Folder
                        && !nested.Contains(use.Value) && (!named.Contains(use.Value) || IsType(code, use)))
                        _uses[file.Folder].TryAdd(home, $"{use.Value} in {file.Name}");
                }
            }
        }

        /// <summary>Whether a name stands before another: a type, whatever else has its name.</summary>
        private static bool IsType(string code, Match use) =>
            NameAfter().Match(code, use.Index + use.Length) is { Success: true } next && !s_noNames.Contains(next.Groups[1].Value);

        /// <summary>What a class is called that several files make.</summary>
        private static string StemOf(SourceFile file) => $"{file.Folder}/{file.Name.Split('.', 2)[0]}";

        public IEnumerable<string> InCircles() => _uses.Keys.Where(folder => Way(folder) != null);

        public string CircleOf(string folder) =>
            Way(folder)!.Aggregate((From: folder, Text: folder), (way, to) => (to, $"{way.Text} -> {to} ({_uses[way.From][to]})")).Text;

        /// <summary>The shortest way from a folder back to it, or null.</summary>
        private List<string>? Way(string start)
        {
            Queue<List<string>> ways = new([[]]);
            HashSet<string> seen = [];
            while (ways.TryDequeue(out List<string>? way))
            {
                foreach (string next in _uses[way.Count == 0 ? start : way[^1]].Keys.Order(StringComparer.Ordinal))
                {
                    if (next == start)
                        return [.. way, next];
                    if (seen.Add(next))
                        ways.Enqueue([.. way, next]);
                }
            }

            return null;
        }

        [GeneratedRegex("""//[^\n]*|/\*.*?\*/|\"{3}.*?\"{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\])'""", RegexOptions.Singleline)]
        private static partial Regex NoCode();

        [GeneratedRegex(@"^(?:\w+ )*(?:class|struct|record|interface|enum|delegate \S+) ([A-Z]\w*)", RegexOptions.Multiline)]
        private static partial Regex Declaration();

        /// <summary>A member, a parameter or a nested type: a name after its type, or after the word that declares it; or a value of an enumeration.</summary>
        [GeneratedRegex(@"(?<before>[\w>\]?*]+) +(?<name>[A-Z]\w*) *(?==>|[=;,({)<])|^ +(?:\w+ )*(?:class|struct|record|interface|enum) (?<nested>[A-Z]\w*)|^ +(?<name>[A-Z]\w*)(?: = [^,\n]+)?,? *$", RegexOptions.Multiline)]
        private static partial Regex Member();

        [GeneratedRegex(@"\G(?:<[^>\n]*>)?[?*\[\]]* +([A-Za-z_]\w*)")]
        private static partial Regex NameAfter();

        [GeneratedRegex(@"(?<![\w.])(?<!->)[A-Z]\w*")]
        private static partial Regex Name();
    }
}
