// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Common;

namespace Lguest.Inspect.Statistics;

/// <summary>What <c>--stats</c> asks for.</summary>
/// <param name="File">Where they go; null: standard error.</param>
/// <param name="Json">A JSON object, not a table.</param>
public sealed record StatisticsRequest(string? File, bool Json)
{
    /// <summary>Understands <c>[FILE][,format=json]</c>.</summary>
    /// <exception cref="InspectException">It makes no sense.</exception>
    public static StatisticsRequest Parse(string text)
    {
        // A comma may be part of the file's name, unless format= is behind it.
        int comma = text.LastIndexOf("format=", StringComparison.Ordinal) is var at && (at == 0 || (at > 0 && text[at - 1] == ',')) ? at : -1;
        if (comma < 0)
            return new StatisticsRequest(text.Length == 0 ? null : text, Json: false);
        bool json = text[comma..] switch
        {
            "format=json" => true,
            "format=text" => false,
            string other => throw new InspectException($"--stats: there is no {other}; format=json and format=text are"),
        };
        if (comma == 1)
            throw new InspectException($"--stats={text} names no file before its comma; write --stats=FILE{text}, or --stats{text} for standard error");
        string file = comma == 0 ? string.Empty : text[..(comma - 1)];
        return new StatisticsRequest(file.Length == 0 ? null : file, json);
    }
}
