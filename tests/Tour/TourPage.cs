// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Lguest.Tests.Architecture;

namespace Lguest.Tests.Tour;

/// <summary>The tour as a page, and what must hold for it to be one.</summary>
internal static partial class TourPage
{
    /// <summary>Where the page is.</summary>
    public const string Path = "docs/tour.md";

    /// <summary>The page whose sections comments cite.</summary>
    private const string Interface = "docs/abi" + ".md";

    private const int FirstNumber = 100;

    /// <summary>Writes the page of this tree.</summary>
    /// <param name="faults">What is wrong: then the page is not to be used.</param>
    public static string Of(IEnumerable<SourceFile> files, IReadOnlyList<TourChapter> chapters, List<string> faults, string threads = "")
    {
        // A page shows what markers look like, and the tests have some that are wrong.
        IEnumerable<SourceFile> sources = files.Where(static file => !file.Path.EndsWith(".md", StringComparison.Ordinal) && file.Folder != "tests/Tour");
        IReadOnlyList<TourStop> stops = TourReader.Read(sources, faults);
        Check(stops, chapters, faults);
        return Render(stops, chapters, SectionsOf(files.FirstOrDefault(static file => file.Path == Interface)), faults, threads);
    }

    private static void Check(IReadOnlyList<TourStop> stops, IReadOnlyList<TourChapter> chapters, List<string> faults)
    {
        foreach (IGrouping<string, TourStop> same in stops.GroupBy(static stop => stop.Name).Where(static group => group.Count() > 1))
            faults.Add($"{same.Key} is there {same.Count()} times: {string.Join(", ", same.Select(static stop => stop.Place))}");
        foreach (TourStop stop in stops.Where(stop => chapters.All(chapter => chapter.Letter != stop.Chapter)))
            faults.Add($"{stop.Place}: {stop.Name} is of no chapter; there are {string.Join(", ", chapters.Select(static chapter => $"{chapter.Letter} {chapter.Title}"))}");
        foreach (TourChapter chapter in chapters)
        {
            int first = stops.Where(stop => stop.Chapter == chapter.Letter).Select(static stop => stop.Number).DefaultIfEmpty(0).Min();
            if (first != FirstNumber)
                faults.Add($"chapter {chapter.Letter}, {chapter.Title}, does not begin at {chapter.Letter}:{FirstNumber}: {(first == 0 ? "it has no stop" : $"its first stop is {first}")}");
        }
    }

    /// <summary>The anchors of the interface's sections, by number.</summary>
    private static Dictionary<string, string> SectionsOf(SourceFile? page)
    {
        Dictionary<string, string> sections = [];
        foreach (Match heading in Heading().Matches(page?.Text ?? string.Empty))
            sections[heading.Groups["number"].Value] = Anchor(heading.Groups["text"].Value);
        return sections;
    }

    private static string Render(IReadOnlyList<TourStop> stops, IReadOnlyList<TourChapter> chapters, Dictionary<string, string> sections, List<string> faults, string threads)
    {
        Dictionary<string, TourStop> byName = [];
        foreach (TourStop stop in stops)
            byName[stop.Name] = stop;
        string Linked(string place, string text) => Mention().Replace(text, match =>
        {
            string name = match.Groups[1].Value;
            if (byName.TryGetValue(name, out TourStop? stop))
                return $"[{name}](#{Anchor($"{name} {stop.Title}")})";
            faults.Add($"{place}: there is no {name} to refer to");
            return match.Value;
        });
        string Cited(string text) => Citation().Replace(text, match =>
            sections.TryGetValue(match.Groups["number"].Value, out string? anchor) ? $"[{match.Value}](abi.md#{anchor})" : match.Value);

        StringBuilder page = new();
        page.Append("<!-- SPDX-License-Identifier: GPL-2.0-or-later -->\n<!-- Written by 'make tour' from the comments that it shows: change those. -->\n# The tour\n\n");
        page.Append(TourText.Wrap("How a hypervisor works, told by the comments of this one, in the order in which things happen: from what a user types to the `iret` with which a guest goes on. Each stop names the file that it is from; the letter and number are in the comment there, so that you can go on reading in the source at any time. By the end of the chapter Interpreter you have seen a whole hypervisor; the one after it makes it fast.")).Append("\n\n");
        if (threads.Length > 0)
            page.Append(Linked("the opening", TourText.Wrap(threads))).Append("\n\n");
        foreach (TourChapter chapter in chapters)
            page.Append(CultureInfo.InvariantCulture, $"- [{chapter.Title}](#{chapter.Title.ToLowerInvariant()}), {stops.Count(stop => stop.Chapter == chapter.Letter)} stops\n");
        foreach (TourChapter chapter in chapters)
        {
            page.Append(CultureInfo.InvariantCulture, $"\n## {chapter.Title}\n\n{TourText.Wrap(chapter.Opening)}\n");
            foreach (TourStop stop in stops.Where(stop => stop.Chapter == chapter.Letter).OrderBy(static stop => stop.Number))
            {
                page.Append(CultureInfo.InvariantCulture, $"\n### {stop.Name} {stop.Title}\n\n[{stop.File.Path}](../{stop.File.Path})");
                if (stop.Symbol != null && stop.Symbol != System.IO.Path.GetFileNameWithoutExtension(stop.File.Name))
                    page.Append(CultureInfo.InvariantCulture, $" · `{stop.Symbol}`");
                page.Append('\n');
                bool isItem = false;
                foreach (string paragraph in stop.Paragraphs)
                {
                    // The items of a list stay together.
                    bool follows = isItem;
                    isItem = paragraph.StartsWith("- ", StringComparison.Ordinal);
                    page.Append(follows && isItem ? string.Empty : "\n").Append(Cited(Linked(stop.Place, TourText.Wrap(paragraph)))).Append('\n');
                }

                if (stop.Code.Count > 0)
                    page.Append(CultureInfo.InvariantCulture, $"\n```{Language(stop.File)}\n{string.Join('\n', stop.Code)}\n```\n");
            }
        }

        return page.ToString();
    }

    private static string Language(SourceFile file) => System.IO.Path.GetExtension(file.Path) switch { ".cs" => "csharp", ".S" => "asm", ".c" or ".h" => "c", _ => string.Empty };

    /// <summary>What a page's reader makes of a heading.</summary>
    private static string Anchor(string heading) => NotInAnchor().Replace(heading.ToLowerInvariant(), string.Empty).Replace(' ', '-');

    [GeneratedRegex(@"\[([A-Z]:\d{3})\]")]
    private static partial Regex Mention();

    [GeneratedRegex(@"(?:abi\.md )?§(?<number>\d+(?:\.\d+)?)")]
    private static partial Regex Citation();

    [GeneratedRegex(@"^#{2,3} (?<text>(?<number>\d+(?:\.\d+)?)\.? .*)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\p{L}\p{N}\- _]")]
    private static partial Regex NotInAnchor();
}
