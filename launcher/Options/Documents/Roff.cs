// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Inspect.Common;

namespace Lguest.Launcher.Options.Documents;

/// <summary>Writes a manual page with the man macros (man(7)), escaping what roff would take for its own.</summary>
public sealed class Roff
{
    private readonly StringBuilder _text = new();

    /// <summary>Begins a page of section 1.</summary>
    /// <param name="name">The page's name.</param>
    /// <param name="about">What it is about, in half a line.</param>
    public Roff(string name, string about)
    {
        _text.Append(".\\\" SPDX-License-Identifier: GPL-2.0-or-later\n");
        _text.Append($".TH {name.ToUpperInvariant().Replace("-", "\\-", StringComparison.Ordinal)} 1 \"\" \"lguest {ProgramVersion.Number}\" \"User Commands\"\n");
        Section("NAME");
        _text.Append($"{Escape(name)} \\- {Escape(about)}\n");
    }

    /// <summary>A heading.</summary>
    public Roff Section(string title)
    {
        _text.Append($".SH {title}\n");
        return this;
    }

    /// <summary>A paragraph.</summary>
    public Roff Paragraph(string words)
    {
        _text.Append(".PP\n").Append(Line(words));
        return this;
    }

    /// <summary>A line of a synopsis: the command in bold, its words after it.</summary>
    public Roff Synopsis(string command, string words)
    {
        _text.Append($".PP\n\\fB{Escape(command)}\\fR {Escape(words)}\n");
        return this;
    }

    /// <summary>A term and its explanation.</summary>
    public Roff Term(string term, string words)
    {
        _text.Append($".TP\n\\fB{Escape(term)}\\fR\n").Append(Line(words));
        return this;
    }

    /// <summary>Lines to type, as they are.</summary>
    public Roff Lines(IEnumerable<string> lines)
    {
        _text.Append(".PP\n.nf\n.RS 4\n");
        foreach (string line in lines)
            _text.Append(Line(line));
        _text.Append(".RE\n.fi\n");
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();

    private static string Line(string words)
    {
        string escaped = Escape(words.Replace('\n', ' '));

        // A line that begins with a dot or a quote would be a request.
        return (escaped.Length > 0 && escaped[0] is '.' or '\'' ? "\\&" + escaped : escaped) + "\n";
    }

    private static string Escape(string words) => words
        .Replace("\\", "\\e", StringComparison.Ordinal)
        .Replace("-", "\\-", StringComparison.Ordinal)
        .Replace("^", "\\(ha", StringComparison.Ordinal)
        .Replace("~", "\\(ti", StringComparison.Ordinal);
}
