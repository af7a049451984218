// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Paging;

namespace Lguest.Engine.Debugging;

/// <summary>The guest's page tables and what they map, for a debugger.</summary>
internal static class PageTableView
{
    /// <summary>All that is mapped, in runs.</summary>
    /// <param name="walker">The guest's page tables.</param>
    /// <param name="directory">Guest physical address of the page directory.</param>
    public static IEnumerable<MappedRun> Runs(PageWalker walker, uint directory)
    {
        MappedRun? run = null;
        for (ulong linear = 0; linear < 1UL << 32;)
        {
            PageLookup found = walker.Look(directory, (uint)linear);

            // No table: nothing in all of its span.
            ulong step = found.HasTable ? Page.Size : (ulong)walker.PagesPerTable << Page.Shift;
            if (found.IsMapped)
            {
                uint frame = found.Physical!.Value;
                if (run is { } open && open.Start + open.Length == linear && open.Rights == found.Rights)
                {
                    bool follows = open.Physical + open.Length == frame;
                    if (open.IsLinear == follows || (open.Length == Page.Size && !follows))
                    {
                        run = open with { Length = open.Length + Page.Size, IsLinear = follows };
                        linear += step;
                        continue;
                    }
                }

                if (run is { } done)
                    yield return done;
                run = new MappedRun((uint)linear, Page.Size, frame, found.Rights, IsLinear: true);
            }

            linear += step;
        }

        if (run is { } last)
            yield return last;
    }
}
