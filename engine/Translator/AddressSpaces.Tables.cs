// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>Entries above the tables that may have changed: whatever they stand for is compared with what windows have of it.</summary>
internal sealed unsafe partial class AddressSpaces
{
    /// <summary>An entry of a top table may have changed. It may stand for pages of programs and of the kernel both.</summary>
    /// <param name="pageDirectory">In which directory.</param>
    /// <param name="index">Which entry.</param>
    public void InvalidateTable(uint pageDirectory, uint index)
    {
        (uint first, uint last) = _walker.PagesOf(index);
        uint kernel = KernelStart >> Page.Shift;
        if (last >= kernel)
            _kernel.Revalidate(_pageDirectory, Math.Max(first, kernel), last);
        if (first < kernel && _spaces.TryGetValue(pageDirectory, out AddressSpace? space))
            Revalidate(space, first, Math.Min(last, kernel - 1));
    }

    /// <summary>An entry of a directory may have changed, in all the spaces whose top table names that directory.</summary>
    /// <param name="directory">Guest physical address of the directory's page.</param>
    /// <param name="index">Which entry.</param>
    public void InvalidateMiddle(uint directory, uint index)
    {
        uint kernel = KernelStart >> Page.Shift;
        for (uint pointer = 0; pointer <= _walker.TopIndex(uint.MaxValue); pointer++)
        {
            uint first = _walker.PagesOf(pointer).First + (index * _walker.PagesPerTable);
            uint last = first + _walker.PagesPerTable - 1;
            if (last >= kernel && _walker.Names(_pageDirectory, pointer, directory))
                _kernel.Revalidate(_pageDirectory, Math.Max(first, kernel), last);
            if (first >= kernel)
                continue;
            foreach (AddressSpace space in _spaces.Values)
            {
                if (_walker.Names(space.PageDirectory, pointer, directory))
                    Revalidate(space, first, Math.Min(last, kernel - 1));
            }
        }
    }
}
