// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;

namespace Lguest.Tests.Architecture;

/// <summary>How page tables are made is known in one folder: a format is added there, and nowhere else.</summary>
public sealed partial class PageTableTests
{
    private const string Home = "engine/Memory/PageTables/";

    [Fact]
    public void NobodyElseTakesAddressesApart() => Rule.Holds(
        $"Indexes of page tables and their entries are taken out of addresses in {Home} only; PageWalker has what others need:",
        SourceTree.Product.SelectMany(SourceTree.CSharp).Where(static file => !file.Path.StartsWith(Home, StringComparison.Ordinal)).SelectMany(Offences));

    [Theory]
    [InlineData("uint entry = directory[linear >> 22];")]
    [InlineData("uint entry = table[page & 0x3FF];")]
    [InlineData("Revalidate(space, first, first + 1023);")]
    [InlineData("uint middle = (linear >> 21) & 0x1FF;")]
    public void OneWhoDoesIsFound(string line) =>
        Assert.Equal([$"engine/x.cs:2: {line}"], Offences(new SourceFile("engine/x.cs", "// a comment\n" + line + "\n")).Distinct());

    [Fact]
    public void RoundingUpIsNoWalk() => Assert.Empty(Offences(new SourceFile("launcher/x.cs", "long kibibytes = (bytes + 1023) / 1024;\n")));

    private static IEnumerable<string> Offences(SourceFile file) =>
        from match in Parts().Matches(file.Text)
        let line = file.LineOf(match.Index)
        select $"{file.Path}:{line}: {file.Text.Split('\n')[line - 1].Trim()}";

    [GeneratedRegex(@"(?:>>|<<) ?2[12]\b|\b0x[13]FF\b|[+&] ?(?:1023|511)\b(?!\) /)")]
    private static partial Regex Parts();
}
