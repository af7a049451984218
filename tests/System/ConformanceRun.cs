// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text.RegularExpressions;

namespace Lguest.Tests.WholeSystem;

/// <summary>One line of guest/conformance/expect.txt, which explains its own columns.</summary>
/// <param name="Name">The kernel.</param>
/// <param name="Arguments">Words for the guest.</param>
/// <param name="Memory">RAM.</param>
/// <param name="Blocks">Sizes of fresh disks, in bytes.</param>
/// <param name="Initrd">Size of a fresh initrd in bytes, or null.</param>
/// <param name="SharedNets">How many --sharenet, all of one fresh file.</param>
/// <param name="Input">What the console gets to read.</param>
/// <param name="Status">The launcher's exit status.</param>
/// <param name="Reason">Regular expression for the last line of standard error, or null.</param>
public sealed record ConformanceRun(string Name, string[] Arguments, string Memory, long[] Blocks, long? Initrd, int SharedNets, string Input, int Status, Regex? Reason)
{
    private const int Columns = 6;

    /// <summary>The lines that are runs.</summary>
    public static IEnumerable<string> Lines(string path) =>
        File.ReadLines(path).Where(line => line.Length > 0 && line[0] != '#');

    /// <summary>Reads a line.</summary>
    public static ConformanceRun Parse(string line)
    {
        string[] columns = [.. line.Split(" | ", Columns).Select(column => column.Trim()).Select(column => column == "-" ? string.Empty : column)];
        if (columns.Length != Columns)
            throw new FormatException($"expect.txt: not {Columns} columns: {line}");
        string memory = "64m";
        List<long> blocks = [];
        long? initrd = null;
        int sharedNets = 0;
        foreach (string option in columns[2].Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (option.StartsWith("--memory=", StringComparison.Ordinal))
                memory = option["--memory=".Length..];
            else if (option.StartsWith("--block=SCRATCH:", StringComparison.Ordinal))
                blocks.Add(Size(option));
            else if (option.StartsWith("--initrd=SCRATCH:", StringComparison.Ordinal))
                initrd = Size(option);
            else if (option == "--sharenet=SCRATCH")
                sharedNets++;
            else
                throw new FormatException($"expect.txt: unknown option {option}");
        }

        return new ConformanceRun(
            columns[0],
            columns[1].Split(' ', StringSplitOptions.RemoveEmptyEntries),
            memory,
            [.. blocks],
            initrd,
            sharedNets,
            columns[3].Replace("\\n", "\n", StringComparison.Ordinal),
            int.Parse(columns[4], CultureInfo.InvariantCulture),
            columns[5].Length == 0 ? null : new Regex($"^(?:{columns[5]})$", RegexOptions.CultureInvariant));
    }

    private static long Size(string option)
    {
        string text = option[(option.IndexOf(':', StringComparison.Ordinal) + 1)..];
        int shift = text[^1] switch { 'K' => 10, 'M' => 20, _ => 0 };
        return long.Parse(shift == 0 ? text : text[..^1], CultureInfo.InvariantCulture) << shift;
    }
}
