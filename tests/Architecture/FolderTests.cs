// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;

namespace Lguest.Tests.Architecture;

// [M:220] Rules that the tree keeps
// A house this size stays readable only while its storeys stay apart: devices never see an engine, engines never see a device, and
// both stand on facts that know nobody. Tests read the source for that. When you want to add something (a device, a hypercall, an
// instruction, an engine, a generation), docs/adding.md says in steps where it goes.
/// <summary>
/// Folders of a project use each other in one direction: then each can be read, and changed, with only those below it in mind. One
/// project is not there yet; no other folder may join its circle.
/// </summary>
public sealed partial class FolderTests
{
    /// <summary>Folders that use each other in a circle today. Whoever gets one out takes it off the list.</summary>
    private static readonly Dictionary<string, string[]> s_circles = new()
    {
        ["engine"] =
        [
            "engine/Cpu", "engine/FloatingPoint", "engine/Interpreter", "engine/Memory", "engine/Native", "engine/Translator",
        ],
    };

    [Fact]
    public void FoldersDoNotGoRoundInCircles() => Rule.Holds(
        "Folders of a project use each other in one direction:",
        SourceTree.Product.SelectMany(static project =>
        {
            FolderUses uses = new(SourceTree.CSharp(project));
            return uses.InCircles().Except(s_circles.GetValueOrDefault(project, [])).Select(folder => $"{folder} is in a circle: {uses.CircleOf(folder)}");
        }));

    [Fact]
    public void TheListOfCirclesIsTrue() => Rule.Holds(
        "What has left its circle goes from the list:",
        s_circles.SelectMany(static known => known.Value.Except(new FolderUses(SourceTree.CSharp(known.Key)).InCircles())));

    [Fact]
    public void ACircleIsNamed()
    {
        FolderUses uses = new(
        [
            new SourceFile("p/A/One.cs", "public sealed class One\n{\n    private Two? _two; // Four\n}\n"),
            new SourceFile("p/B/Two.cs", "internal static class Two\n{\n    Three Make() => new();\n}\n"),
            new SourceFile("p/C/Three.cs", "public readonly record struct Three(One One);\n"),
            new SourceFile("p/D/Four.cs", "public enum Four\n{\n    Two, // not the class\n}\n\npublic class Five\n{\n    private const string Text = \"One\";\n    private Three _three;\n}\n"),
        ]);
        Assert.Equal(["p/A", "p/B", "p/C"], uses.InCircles().Order());
        Assert.Equal("p/A -> p/B (Two in One.cs) -> p/C (Three in Two.cs) -> p/A (One in Three.cs)", uses.CircleOf("p/A"));
    }

    /// <summary>
    /// Which folder uses which: by the names of types, wherever one stands outside of comments and texts, and not after a dot. That
    /// is no compiler's answer, but it needs none, and a name that two folders declare is the only thing that it leaves out.
    /// </summary>
    private sealed partial class FolderUses
    {
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

            foreach ((SourceFile file, string code) in sources)
            {
                foreach (Match use in Name().Matches(code))
                {
                    if (homes.GetValueOrDefault(use.Value) is { } home && home != file.Folder)
                        _uses[file.Folder].TryAdd(home, $"{use.Value} in {file.Name}");
                }
            }
        }

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

        [GeneratedRegex(@"(?<![\w.])[A-Z]\w*")]
        private static partial Regex Name();
    }
}
