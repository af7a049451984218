// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;
using Lguest.Tests.Support;

namespace Lguest.Tests.GuestAbi;

/// <summary>The document of the interface, as tests read it: its sections' tables.</summary>
internal static partial class AbiDocument
{
    // In two pieces, since it is no citation.
    private static readonly string s_path = Path.Combine(Needs.Root, "docs/abi" + ".md");

    /// <summary>The lines of a section, from its heading to the next.</summary>
    /// <param name="number">Such as 3.2.</param>
    public static IEnumerable<string> Section(string number)
    {
        IEnumerable<string> lines = File.ReadLines(s_path).SkipWhile(line => !line.StartsWith($"### {number} ", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(lines);
        return lines.Take(1).Concat(lines.Skip(1).TakeWhile(static line => !line.StartsWith("##", StringComparison.Ordinal)));
    }

    /// <summary>The rows of a section's tables as their cells, the heads first.</summary>
    /// <param name="number">Such as 3.2.</param>
    public static string[][] Rows(string number) =>
        [.. Section(number).Where(static line => line.StartsWith("| ", StringComparison.Ordinal)).Select(static row => CellEnd().Split(row)[1..^1].Select(static cell => cell.Trim()).ToArray())];

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex CellEnd();
}
