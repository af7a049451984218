// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;
using Lguest.Tests.Support;

namespace Lguest.Tests.Launcher;

/// <summary>docs/testing.md has every folder of tests.</summary>
public sealed partial class TestFoldersTests
{
    [Fact]
    public void EveryFolderIsInTheDocument()
    {
        string tests = Path.Combine(Needs.Root, "tests");
        string[] folders = [.. Directory.GetDirectories(tests).Select(path => Path.GetFileName(path)).Except(["bin", "obj", "TestResults"]).Order(StringComparer.Ordinal)];
        IEnumerable<string> named = Rows().Matches(File.ReadAllText(Path.Combine(Needs.Root, "docs", "testing.md"))).Select(match => match.Groups[1].Value);
        Assert.Equal(folders, named.Order(StringComparer.Ordinal));
    }

    [GeneratedRegex("^\\| `tests/([A-Za-z]+)` \\|", RegexOptions.Multiline)]
    private static partial Regex Rows();
}
