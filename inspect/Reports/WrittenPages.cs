// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using Lguest.GuestAbi;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Reports;

/// <summary>The pages that were written, as a report shows them: how much of each part of memory, and where in it.</summary>
internal static class WrittenPages
{
    /// <summary>The finest that a part's picture is divided into.</summary>
    private const ulong MostCells = 128;

    /// <summary>Bytes of a part in pages that were written.</summary>
    public static ulong Bytes(IEnumerable<MemoryRange> written, MemoryPart part) => Bytes(written, part.Start, part.End);

    /// <summary>A style that paints a part, the darker the more of its pages were written; empty where none was.</summary>
    public static string Picture(IReadOnlyList<MemoryRange> written, MemoryPart part)
    {
        if (Bytes(written, part) == 0)
            return string.Empty;
        ulong pages = (part.End - part.Start + Page.Size - 1) >> Page.Shift;
        ulong cells = Math.Min(pages, MostCells);
        StringBuilder stops = new();
        for (ulong i = 0; i < cells; i++)
        {
            ulong from = part.Start + (pages * i / cells << Page.Shift);
            ulong to = Math.Min(part.Start + (pages * (i + 1) / cells << Page.Shift), part.End);
            stops.Append(CultureInfo.InvariantCulture, $",rgba(200,60,30,{(double)Bytes(written, from, to) / (to - from):0.##}) {100.0 * i / cells:0.#}% {100.0 * (i + 1) / cells:0.#}%");
        }

        return $";background-image:linear-gradient(90deg{stops})";
    }

    private static ulong Bytes(IEnumerable<MemoryRange> written, ulong start, ulong end)
    {
        ulong bytes = 0;
        foreach (MemoryRange run in written)
        {
            ulong from = Math.Max(run.Start, start);
            ulong to = Math.Min(run.End, end);
            bytes += to > from ? to - from : 0;
        }

        return bytes;
    }
}
