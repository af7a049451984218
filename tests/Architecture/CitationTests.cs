// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;

namespace Lguest.Tests.Architecture;

/// <summary>
/// The code says where a fact of the interface stands (docs/abi.md §3.5), and the documents point at each other: a pointer to
/// nowhere is worse than none, so each is followed here.
/// </summary>
public sealed partial class CitationTests
{
    // In two pieces, since it is no citation.
    private const string Abi = "docs/abi" + ".md";

    /// <summary>What is cited from elsewhere, and what the page says of its own sections.</summary>
    [Fact]
    public void EachSectionOfTheInterfaceThatIsCitedExists()
    {
        SourceFile page = SourceTree.Get(Abi);
        HashSet<string> sections = SectionsOf(page.Text);
        Assert.Contains("3.5", sections);
        Rule.Holds(
            $"A citation of {Abi} names a section of it:",
            SourceTree.All.SelectMany(file => file == page ? OwnReferences(page, sections) : Citations(file, sections)));
    }

    [Fact]
    public void ACitationOfNothingIsNamed()
    {
        HashSet<string> sections = SectionsOf("# Page\n## 1. One\n### 1.1 More\n## 2. Two\n");
        SourceFile file = new("a/b.cs", "// abi" + ".md §1, §2\n// (abi" + ".md\n/// §1.1 and §1.2)\n// see abi" + ".md\n");
        Assert.Equal(["1", "1.1", "2"], sections.Order());
        Assert.Equal(["a/b.cs:2: there is no §1.2", "a/b.cs:4: which section?"], Citations(file, sections));
        Assert.Equal(["a/b.cs:3: there is no §1.2"], OwnReferences(file, sections));
    }

    [Fact]
    public void EachLinkOfADocumentLeadsSomewhere() => Rule.Holds(
        "A link in a document names a file, and a heading, that exist:",
        SourceTree.All.Where(static file => file.Path.EndsWith(".md", StringComparison.Ordinal)).SelectMany(static file => DeadLinks(file, SourceTree.All)));

    /// <summary>The guide to adding things is worth something as long as its places are there.</summary>
    [Fact]
    public void EachFileThatTheGuideNamesExists()
    {
        SourceFile guide = SourceTree.Get("docs/adding.md");
        MatchCollection names = FileName().Matches(guide.Text);
        Assert.True(names.Count > 40);
        Rule.Holds("The guide names files that exist:", names.Where(static name => SourceTree.All.All(file => file.Path != name.Groups[1].Value))
            .Select(name => $"{guide.Place(name.Index)}: {name.Groups[1].Value}"));
    }

    [Fact]
    public void ADeadLinkIsNamed()
    {
        SourceFile target = new("docs/there.md", "# One `two`: three\n## One\n## One\n");
        SourceFile page = new("docs/page.md", "[a](there.md) [b](there.md#one-two-three) [c](there.md#one-1) [d](https://x/y)\n[e](gone.md)\n[f](there.md#two)\n[g](#no) [h](../docs/) `[i](j)`\n```\n[k](l)\n```\n");
        Assert.Equal(["docs/page.md:2: gone.md", "docs/page.md:3: there.md#two", "docs/page.md:4: #no"], DeadLinks(page, [target, page]));
    }

    private static HashSet<string> SectionsOf(string text) => [.. Heading().Matches(text).Select(static match => match.Groups[1].Value)];

    private static IEnumerable<string> Citations(SourceFile file, HashSet<string> sections)
    {
        foreach (Match mention in Mention().Matches(file.Text))
        {
            // A document may speak of the page as a whole; code points at what it means.
            if (!mention.Groups["list"].Success)
            {
                if (!file.Path.EndsWith(".md", StringComparison.Ordinal) && file.Name != "Makefile")
                    yield return $"{file.Place(mention.Index)}: which section?";
                continue;
            }

            foreach (string missing in Missing(mention.Groups["list"].Value, sections))
                yield return $"{file.Place(mention.Index)}: there is no §{missing}";
        }
    }

    private static IEnumerable<string> OwnReferences(SourceFile page, HashSet<string> sections) =>
        Section().Matches(page.Text).Where(match => !sections.Contains(match.Groups[1].Value)).Select(match => $"{page.Place(match.Index)}: there is no §{match.Groups[1].Value}");

    private static IEnumerable<string> Missing(string list, HashSet<string> sections) =>
        Section().Matches(list).Select(static match => match.Groups[1].Value).Where(section => !sections.Contains(section));

    private static IEnumerable<string> DeadLinks(SourceFile page, IReadOnlyList<SourceFile> all)
    {
        // What looks like a link in code is none; lines stay where they are.
        string text = Code().Replace(page.Text, static code => new string([.. code.Value.Select(static c => c == '\n' ? c : ' ')]));
        foreach (Match match in Link().Matches(text))
        {
            string link = match.Groups[1].Value;
            if (link.Contains("://", StringComparison.Ordinal) || link.StartsWith("mailto:", StringComparison.Ordinal))
                continue;
            string[] parts = link.Split('#', 2);
            string path = parts[0].Length == 0 ? page.Path : Path.GetRelativePath("/", Path.GetFullPath(parts[0], "/" + page.Folder));
            SourceFile? target = all.FirstOrDefault(file => file.Path == path);
            bool exists = target != null ? parts.Length == 1 || AnchorsOf(target.Text).Contains(parts[1])
                : all.Any(file => file.Path.StartsWith(path.TrimEnd('/') + "/", StringComparison.Ordinal));
            if (!exists)
                yield return $"{page.Place(match.Index)}: {link}";
        }
    }

    /// <summary>The anchors that GitHub makes of headings: words in small letters with hyphens between, a number for the second of its name.</summary>
    private static HashSet<string> AnchorsOf(string text)
    {
        HashSet<string> anchors = [.. NamedAnchor().Matches(text).Select(static match => match.Groups[1].Value)];
        foreach (Match heading in AnyHeading().Matches(text))
        {
            string anchor = NotInAnchor().Replace(heading.Groups[1].Value.Trim().ToLowerInvariant(), string.Empty).Replace(' ', '-');
            for (int i = 0; !anchors.Add(i == 0 ? anchor : $"{anchor}-{i}"); i++)
                continue;
        }

        return anchors;
    }

    [GeneratedRegex(@"abi\.md(?![#)\]\w])(?<list>(?:[\s/*,;]*(?:and |to )?§\d+(?:\.\d+)?)+)?")]
    private static partial Regex Mention();

    [GeneratedRegex(@"§(\d+(?:\.\d+)?)")]
    private static partial Regex Section();

    [GeneratedRegex(@"^#{2,3} (\d+(?:\.\d+)?)\.? ", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^#{1,6} (.*)$", RegexOptions.Multiline)]
    private static partial Regex AnyHeading();

    [GeneratedRegex(@"[^\p{L}\p{N}\- _]")]
    private static partial Regex NotInAnchor();

    [GeneratedRegex("<a (?:id|name)=\"([^\"]+)\"")]
    private static partial Regex NamedAnchor();

    [GeneratedRegex(@"^```.*?^```|`[^`\n]*`", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Code();

    [GeneratedRegex(@"`([\w./]+/[\w.]+\.\w+)`")]
    private static partial Regex FileName();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
