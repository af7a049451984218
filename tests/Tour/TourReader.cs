// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;
using Lguest.Tests.Architecture;

namespace Lguest.Tests.Tour;

/// <summary>
/// Finds the stops of the tour. A comment is one when it begins with a marker and a title, <c>[H:120] The loop</c>; with
/// <c>[H:120+9]</c> the nine lines of code after it are shown too, or as many as there are to the end of its member. Its text is the
/// rest of the comment or, if there is none, the summary that follows.
/// </summary>
internal static partial class TourReader
{
    /// <summary>The stops of some files, in no order, and what is wrong with markers.</summary>
    public static IReadOnlyList<TourStop> Read(IEnumerable<SourceFile> files, List<string> faults)
    {
        List<TourStop> stops = [];
        foreach (SourceFile file in files)
        {
            string[] lines = file.Text.Split('\n');
            for (int i = 0; i < lines.Length; i++)
            {
                // Within a comment it is a reference to another stop.
                if (i > 0 && lines[i - 1].TrimStart().StartsWith("//", StringComparison.Ordinal))
                    continue;
                if (Marker().Match(lines[i]) is { Success: true } marker)
                    stops.Add(ReadStop(file, lines, i, marker, faults));
                else if (Malformed().IsMatch(lines[i]))
                    faults.Add($"{file.Path}:{i + 1}: a marker is [X:123] or [X:123+4], first in its comment, and a title follows");
            }
        }

        return stops;
    }

    private static TourStop ReadStop(SourceFile file, string[] lines, int at, Match marker, List<string> faults)
    {
        bool isBlock = marker.Groups["open"].Value == "/*";

        // Assembly has its labels at the margin.
        string indent = file.Path.EndsWith(".S", StringComparison.Ordinal) ? string.Empty : marker.Groups["indent"].Value;
        int next = at + 1;
        List<string> text = isBlock ? BlockText(lines, at, ref next) : LineText(lines, ref next);
        int shown = marker.Groups["code"].Success ? int.Parse(marker.Groups["code"].Value, null) : 0;
        List<string> code = Code(lines, next, indent, shown);
        string title = marker.Groups["title"].Value.Replace("*/", string.Empty, StringComparison.Ordinal).Trim();
        TourStop stop = new(
            marker.Groups["chapter"].Value[0], int.Parse(marker.Groups["number"].Value, null), title, file, at + 1, Symbol(file, lines, next), TourText.Paragraphs(text), code);
        if (stop.Paragraphs.Count == 0)
            faults.Add($"{stop.Place}: {stop.Name} has no text");
        if (shown > 0 && code.Count == 0)
            faults.Add($"{stop.Place}: {stop.Name} shows code, and there is none after it");
        return stop;
    }

    /// <summary>The lines of a comment of <c>//</c>, or of the documentation after it.</summary>
    private static List<string> LineText(string[] lines, ref int next)
    {
        List<string> text = [];
        while (lines[next].TrimStart() is var line && line.StartsWith("//", StringComparison.Ordinal) && !line.StartsWith("///", StringComparison.Ordinal))
        {
            text.Add(line[2..].Trim());
            next++;
        }

        List<string> documentation = [];
        while (lines[next].TrimStart() is var line && line.StartsWith("///", StringComparison.Ordinal))
        {
            documentation.Add(line[3..].Trim());
            next++;
        }

        if (text.Count == 0 && documentation.Count > 0)
            text = TourText.Summary(string.Join('\n', documentation));
        return text;
    }

    private static List<string> BlockText(string[] lines, int at, ref int next)
    {
        List<string> text = [];
        if (lines[at].Contains("*/", StringComparison.Ordinal))
            return text;
        while (next < lines.Length)
        {
            string line = lines[next++].Trim();
            bool ends = line.EndsWith("*/", StringComparison.Ordinal);
            if (ends)
                line = line[..^2];
            text.Add(line.TrimStart('*').Trim());
            if (ends)
                break;
        }

        return text;
    }

    /// <summary>Up to so many lines; fewer if the member ends before.</summary>
    private static List<string> Code(string[] lines, int from, string indent, int count)
    {
        List<string> code = [];
        for (int i = from; i < lines.Length && code.Count < count; i++)
        {
            string line = lines[i];

            // The page shows a stop's own code: where another one begins, this one ends.
            if (Marker().IsMatch(line) || (line.Length > 0 && !line.StartsWith(indent, StringComparison.Ordinal)))
                break;
            code.Add(line.Length == 0 ? line : line[indent.Length..].TrimEnd());
            if (line == indent + "}")
                break;
        }

        while (code.Count > 0 && code[^1].Length == 0)
            code.RemoveAt(code.Count - 1);
        string all = string.Concat(code);
        if (all.Count('{') > all.Count('}'))
            code.Add("…");
        return code;
    }

    /// <summary>What is declared at a line, or else what the line is part of.</summary>
    private static string? Symbol(SourceFile file, string[] lines, int at)
    {
        string kind = Path.GetExtension(file.Path);
        Regex declaration = kind switch { ".cs" => CSharpDeclaration(), ".S" => Label(), _ => CDeclaration() };
        while (at < lines.Length - 1 && lines[at].TrimStart().StartsWith('['))
            at++;
        int depth = int.MaxValue;
        for (int i = at; i >= 0; i--)
        {
            string line = lines[i].TrimStart();
            int indent = lines[i].Length - line.Length;
            if (line is "" or "{" || line.StartsWith("//", StringComparison.Ordinal) || indent >= depth)
                continue;
            if (declaration.Match(lines[i]) is { Success: true } match)
                return match.Groups["name"].Value;
            if (kind == ".cs")
                depth = indent;
        }

        return null;
    }

    [GeneratedRegex(@"^(?<indent>[ \t]*)(?<open>//|/\*|#) \[(?<chapter>[A-Z]):(?<number>\d{3})(?:\+(?<code>\d+))?\] (?<title>\S.*)$")]
    private static partial Regex Marker();

    [GeneratedRegex(@"^\s*(?://|/\*|#) ?\[[A-Z]:\d*[^\]\s]*\]")]
    private static partial Regex Malformed();

    [GeneratedRegex(@"^\s*(?:\[[^\]]*\] )?(?:(?:public|private|internal|protected|static|sealed|abstract|override|virtual|readonly|unsafe|partial|required) )+(?:(?:record struct|class|struct|interface|enum|record) (?<name>\w+)|(?:delegate )?[^=;()]*?(?<name>\w+)(?:<[^>]*>)?\s*(?:\(|\{|=>|=|;|$))")]
    private static partial Regex CSharpDeclaration();

    [GeneratedRegex(@"^(?!\s|#|/|typedef)[\w\s*]*?(?<name>\w+)(?:\(|\s*(?:=|\{|;|\[|$)| __attribute)")]
    private static partial Regex CDeclaration();

    [GeneratedRegex(@"^(?<name>[a-z]\w*):")]
    private static partial Regex Label();
}
