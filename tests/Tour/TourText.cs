// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using System.Text.RegularExpressions;

namespace Lguest.Tests.Tour;

/// <summary>From a comment's words to those of a page.</summary>
internal static partial class TourText
{
    private const int Width = 132;

    /// <summary>The lines of a documentation comment's summary and remarks, as Markdown.</summary>
    public static List<string> Summary(string documentation)
    {
        StringBuilder text = new();
        foreach (Match part in Part().Matches(documentation))
            text.Append(part.Groups["text"].Value).Append("\n\n");
        string plain = text.ToString();
        plain = Break().Replace(plain, "\n\n");
        plain = Item().Replace(plain, "\n\n- ");
        plain = Code().Replace(plain, "`$1`");
        plain = Reference().Replace(plain, static match => $"`{LastName(match.Groups[1].Value)}`");
        plain = Tag().Replace(plain, string.Empty);
        return [.. plain.Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal).Replace("&amp;", "&", StringComparison.Ordinal).Split('\n')];
    }

    /// <summary>Lines put together to paragraphs, where an empty one or a list's mark does not part them.</summary>
    public static List<string> Paragraphs(IEnumerable<string> lines)
    {
        List<string> paragraphs = [];
        StringBuilder open = new();
        foreach (string line in lines)
        {
            if (line.Length == 0 || line.StartsWith("- ", StringComparison.Ordinal))
                Close(paragraphs, open);
            if (line.Length == 0)
                continue;
            if (open.Length > 0)
                open.Append(' ');
            open.Append(line);
        }

        Close(paragraphs, open);
        return paragraphs;
    }

    /// <summary>A paragraph in lines of a page; what Markdown would take for a mark is text.</summary>
    public static string Wrap(string paragraph)
    {
        StringBuilder page = new();
        int column = 0;
        foreach (string word in Escape(paragraph).Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (column > 0 && column + 1 + word.Length > Width)
            {
                page.Append(paragraph.StartsWith("- ", StringComparison.Ordinal) ? "\n  " : "\n");
                column = 0;
            }
            else if (column > 0)
            {
                page.Append(' ');
                column++;
            }

            page.Append(word);
            column += word.Length;
        }

        return page.ToString();
    }

    private static void Close(List<string> paragraphs, StringBuilder open)
    {
        if (open.Length > 0)
            paragraphs.Add(open.ToString());
        open.Clear();
    }

    private static string Escape(string text)
    {
        string[] parts = text.Split('`');
        for (int i = 0; i < parts.Length; i += 2)
            parts[i] = Mark().Replace(parts[i], static mark => mark.Length > 1 ? mark.Value : $"\\{mark.Value}").Replace("<", "&lt;", StringComparison.Ordinal);
        return string.Join('`', parts);
    }

    private static string LastName(string reference)
    {
        int parenthesis = reference.IndexOf('(', StringComparison.Ordinal);
        string name = parenthesis < 0 ? reference : reference[..parenthesis];
        return name[(name.LastIndexOf('.') + 1)..];
    }

    [GeneratedRegex(@"<(?<tag>summary|remarks)>(?<text>.*?)</\k<tag>>", RegexOptions.Singleline)]
    private static partial Regex Part();

    [GeneratedRegex(@"</?(?:para|list[^>]*)>")]
    private static partial Regex Break();

    [GeneratedRegex(@"<item>")]
    private static partial Regex Item();

    [GeneratedRegex(@"<c>(.*?)</c>", RegexOptions.Singleline)]
    private static partial Regex Code();

    [GeneratedRegex("<(?:see|paramref|typeparamref) (?:cref|name|langword)=\"([^\"]+)\" ?/>")]
    private static partial Regex Reference();

    [GeneratedRegex(@"</?[a-z]+[^>]*>")]
    private static partial Regex Tag();

    // *Stressed words* stay so; a star by itself is one, and so is an underscore that begins or ends a name.
    [GeneratedRegex(@"(?<![\w*])\*\w(?:[\w -]*\w)?\*(?![\w*])|\*|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])")]
    private static partial Regex Mark();
}
