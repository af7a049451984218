// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;

namespace Lguest.Bench;

/// <summary>Figures of networks: a line for what was measured, a column for who was.</summary>
internal sealed class NetworkTable
{
    private static readonly string[] s_columns = [Contender.Translator, Contender.Interpreter, Contender.Tcg];
    private readonly List<(string What, string Between, string Unit)> _lines = [];
    private readonly Dictionary<(string What, string Between, string Contender), List<double>> _figures = [];

    /// <summary>Writes a figure down, one of several rounds.</summary>
    public void Add(string what, string between, string contender, double figure, string unit)
    {
        if (!_lines.Contains((what, between, unit)))
            _lines.Add((what, between, unit));
        if (!_figures.TryGetValue((what, between, contender), out List<double>? figures))
            _figures[(what, between, contender)] = figures = [];
        figures.Add(figure);
    }

    /// <summary>The medians, as Markdown.</summary>
    public override string ToString()
    {
        StringBuilder table = new("| what | between | " + string.Join(" | ", s_columns) + " |\n|---|---|--:|--:|--:|\n");
        foreach ((string what, string between, string unit) in _lines)
        {
            string Cell(string contender) => _figures.TryGetValue((what, between, contender), out List<double>? figures)
                ? string.Create(CultureInfo.InvariantCulture, $"{Statistics.Median(figures):0.#} {unit}")
                : "–";
            table.Append(CultureInfo.InvariantCulture, $"| {what} | {between} | {string.Join(" | ", s_columns.Select(Cell))} |\n");
        }

        return table.ToString();
    }
}
