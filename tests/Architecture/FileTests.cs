// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Architecture;

/// <summary>What holds for each file by itself.</summary>
public sealed class FileTests
{
    private const int LongestFile = 400;
    private const string License = "SPDX-License-Identifier: GPL-2.0-or-later";

    /// <summary>
    /// Files that are longer, why, and up to where they may be. Tables stay; what is to be cut has its limit where it is, so that
    /// it does not grow meanwhile. Whoever makes one short enough takes it off the list.
    /// </summary>
    private static readonly Dictionary<string, (int Limit, string Why)> s_long = new()
    {
        ["engine/Instructions/InstructionCatalog.cs"] = (640, "a table: one line for each mnemonic"),
        ["engine/Interpreter/InterpreterCore.Memory.cs"] = (440, "to be cut"),
        ["engine/Translator/BlockTranslator.Instructions.cs"] = (480, "mostly a table: which instructions have host code"),
        ["guest/conformance/faults-cases.S"] = (600, "a table: one case for each fault"),
        ["guest/conformance/fpu.c"] = (480, "mostly tables: known answers"),
        ["guest/conformance/integer.c"] = (1100, "tables: instructions and their models"),
        ["guest/conformance/interrupts.c"] = (420, "to be cut"),
        ["tests/Contract/EngineContract.Hypercalls.cs"] = (480, "a list of cases"),
        ["tests/Contract/EngineContract.Paging.cs"] = (420, "a list of cases"),
        ["tests/Contract/EngineContract.Traps.cs"] = (540, "a list of cases"),
        ["tests/Network/SegmentTests.cs"] = (520, "a list of cases"),
    };

    /// <summary>Files that cannot have a license line: formats without comments, other people's words, bytes.</summary>
    private static readonly string[] s_unlicensed = ["COPYING", "Lguest.sln", "tests/xunit.runner.json"];

    [Fact]
    public void NoFileIsTooLong() => Rule.Holds(
        $"A file of code has at most {LongestFile} lines; tables are listed here with their reason:",
        Code().Select(static file => (file.Path, Lines: file.LineOf(file.Text.Length) - 1, Limit: s_long.TryGetValue(file.Path, out var known) ? known.Limit : LongestFile))
            .Where(static file => file.Lines > file.Limit)
            .Select(static file => $"{file.Path}: {file.Lines} lines, of {file.Limit}"));

    [Fact]
    public void TheListOfLongFilesIsTrue() => Rule.Holds(
        "What is listed as long is long; what has become short goes from the list:",
        s_long.Keys.Where(static path => Code().All(file => file.Path != path || file.LineOf(file.Text.Length) - 1 <= LongestFile)));

    [Fact]
    public void TheLicenseComesFirst() => Rule.Holds(
        "The first line (after #!) names the license:",
        SourceTree.All.Where(static file => !s_unlicensed.Contains(file.Path) && !file.Name.StartsWith('.'))
            .Where(static file => !FirstLine(file.Text).Contains(License, StringComparison.Ordinal))
            .Select(static file => file.Path));

    private static string FirstLine(string text)
    {
        string[] lines = text.Split('\n', 3);
        return lines[0].StartsWith("#!", StringComparison.Ordinal) && lines.Length > 1 ? lines[1] : lines[0];
    }

    private static IEnumerable<SourceFile> Code() =>
        SourceTree.All.Where(static file => Path.GetExtension(file.Path) is ".cs" or ".c" or ".h" or ".S" or ".inc");
}
