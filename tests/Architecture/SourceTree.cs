// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Support;

namespace Lguest.Tests.Architecture;

/// <summary>A file of the project, as its rules see it.</summary>
/// <param name="Path">From the root, with slashes.</param>
/// <param name="Text">All of it.</param>
internal sealed record SourceFile(string Path, string Text)
{
    /// <summary>The file's name without its folder.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>Its folder, from the root; empty for the root itself.</summary>
    public string Folder => System.IO.Path.GetDirectoryName(Path)!.Replace('\\', '/');

    /// <summary>The line, from 1, in which a character lies.</summary>
    public int LineOf(int index) => 1 + Text.AsSpan(0, index).Count('\n');

    /// <summary>How a message names a place.</summary>
    public string Place(int index) => $"{Path}:{LineOf(index)}";
}

/// <summary>The project's files: what somebody wrote, not what was built.</summary>
internal static class SourceTree
{
    private static readonly string[] s_built = ["bin", "obj", "out", "TestResults", "BenchmarkDotNet.Artifacts"];
    private static readonly string[] s_binary = ["cases"];
    private static readonly Lazy<IReadOnlyList<SourceFile>> s_all = new(() => [.. Read(Needs.Root)]);

    /// <summary>Every file of text.</summary>
    public static IReadOnlyList<SourceFile> All => s_all.Value;

    /// <summary>The projects that make the product, lowest storey first.</summary>
    public static IReadOnlyList<string> Product { get; } = ["guestabi", "devices", "engine", "inspect", "launcher"];

    /// <summary>Files of C# of one project.</summary>
    public static IEnumerable<SourceFile> CSharp(string project) =>
        All.Where(file => file.Path.StartsWith(project + "/", StringComparison.Ordinal) && file.Path.EndsWith(".cs", StringComparison.Ordinal));

    /// <summary>The one file of this path.</summary>
    public static SourceFile Get(string path) => All.Single(file => file.Path == path);

    private static IEnumerable<SourceFile> Read(string root)
    {
        Queue<string> folders = new([root]);
        while (folders.TryDequeue(out string? folder))
        {
            foreach (string path in Directory.EnumerateFiles(folder))
                yield return new SourceFile(Path.GetRelativePath(root, path).Replace('\\', '/'), File.ReadAllText(path));
            foreach (string inner in Directory.EnumerateDirectories(folder))
            {
                string name = Path.GetFileName(inner);
                if (!name.StartsWith('.') && !s_built.Contains(name) && !s_binary.Contains(name))
                    folders.Enqueue(inner);
            }
        }
    }
}

/// <summary>How a rule fails: with every place that breaks it, so that one run is enough.</summary>
internal static class Rule
{
    /// <summary>Fails if there is any offence.</summary>
    /// <param name="rule">The rule, as a sentence.</param>
    /// <param name="offences">Each with its place and what is wrong there.</param>
    public static void Holds(string rule, IEnumerable<string> offences)
    {
        string[] found = [.. offences];
        if (found.Length > 0)
            Assert.Fail($"{rule}\n  " + string.Join("\n  ", found));
    }
}
