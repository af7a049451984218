// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Interpreter;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>
/// What windows have of the guest's page tables: pages are mapped as the tables allow it, never writable where code was made of
/// them, and put right when the tables have changed.
/// </summary>
/// <param name="walker">The guest's page tables.</param>
/// <param name="interpreter">Knows which frames have code, its own and translated.</param>
/// <param name="kernel">The kernel's window.</param>
internal sealed class WindowMapper(PageWalker walker, InterpreterCore interpreter, AddressWindow kernel)
{
    private const uint UserRun = 16;

    private readonly Dictionary<uint, List<(AddressWindow Window, uint Page)>> _writableMappings = [];

    /// <summary>Lowest linear address of the kernel's part.</summary>
    public uint KernelStart { get; set; } = 0xC000_0000;

    /// <summary>Maps a page that a walk found, and its neighbours as far as they will be used as well.</summary>
    public void Map(AddressWindow window, uint linear, bool user, in Translation found)
    {
        uint page = linear >> Page.Shift;
        bool writable = IsWritable(found.Entry, found.Rights) && !interpreter.MustSeeWrites(found.Frame);
        uint first = page;
        uint last = page;
        uint run = user ? UserRun : walker.PagesPerTable;
        uint low = page & ~(run - 1);
        uint high = page | (run - 1);
        while (first > low && Continues(window, found.TableEntry, page, first - 1, found.Frame, writable, user))
            first--;
        while (last < high && Continues(window, found.TableEntry, page, last + 1, found.Frame, writable, user))
            last++;
        uint frame = found.Frame - ((page - first) << Page.Shift);
        window.Map(first, last - first + 1, frame, writable, used: user);
        if (writable)
            RememberWritable(window, first, last, frame);
    }

    private static bool IsWritable(PageFlags entry, PageFlags rights) =>
        (rights & PageFlags.Writable) != 0 && (entry & PageFlags.Dirty) != 0;

    /// <summary>
    /// Whether a neighbour can be mapped in the same go: used already (its Accessed bit says that nobody will miss the fault),
    /// the next frame, the same rights.
    /// </summary>
    /// <param name="tableEntry">The one that the walk has found to name a table of the guest's, and not what is there now.</param>
    private bool Continues(AddressWindow window, uint tableEntry, uint page, uint candidate, uint frame, bool writable, bool user)
    {
        uint expected = frame + ((candidate - page) << Page.Shift);
        uint entry = walker.PageEntry(tableEntry, candidate); // Read once
        const uint needed = (uint)(PageFlags.Present | PageFlags.Accessed);
        if ((entry & ~Page.OffsetMask) != expected || (entry & needed) != needed || walker.IsForbidden(entry))
            return false;
        if (user && (entry & (uint)PageFlags.User) == 0)
            return false;
        if (candidate << Page.Shift >= walker.ReservedStart || window[candidate] != 0)
            return false;
        bool mayWrite = (entry & tableEntry & (uint)PageFlags.Writable) != 0 && (entry & (uint)PageFlags.Dirty) != 0 && !interpreter.MustSeeWrites(expected);
        return mayWrite == writable;
    }

    private void RememberWritable(AddressWindow window, uint first, uint last, uint frame)
    {
        for (uint page = first; page <= last; page++, frame += Page.Size)
        {
            // The kernel's linear mapping needs no memory: it can be worked out.
            if (window == kernel && page << Page.Shift == frame + KernelStart)
                continue;
            if (!_writableMappings.TryGetValue(frame, out List<(AddressWindow Window, uint Page)>? list))
                _writableMappings.Add(frame, list = []);
            if (list.Count > 32)
                list.RemoveAll(m => !MapsWritable(m.Window, m.Page, frame));
            list.Add((window, page));
        }
    }

    private static bool MapsWritable(AddressWindow window, uint page, uint frame) =>
        window[page] == (frame | AddressWindow.MappedBit | AddressWindow.WritableBit);

    // [T:260+14] Code that changes, once more
    // As in [I:200], but the guest's stores do not pass by us. So a page that code was made of is read-only wherever it appears in
    // a window. A store to it faults; the interpreter makes it, and the blocks that were made of those bytes go.
    /// <summary>Code was translated from a frame: wherever it can be written, it cannot any more.</summary>
    public void Protect(uint frame)
    {
        uint linearPage = (frame + KernelStart) >> Page.Shift;
        if (frame + (ulong)KernelStart <= uint.MaxValue && MapsWritable(kernel, linearPage, frame))
            kernel.Protect(linearPage, 1, writable: false);
        if (!_writableMappings.Remove(frame, out List<(AddressWindow Window, uint Page)>? list))
            return;
        foreach ((AddressWindow window, uint page) in list)
        {
            if (MapsWritable(window, page, frame))
                window.Protect(page, 1, writable: false);
        }
    }

    /// <summary>What a page should be mapped as at most now, in the form of <see cref="AddressWindow.this"/>; 0: not at all.</summary>
    public uint Allowed(uint directory, uint page, bool user)
    {
        uint tableEntry = walker.TableEntry(directory, page);
        return walker.Table(tableEntry).IsEmpty ? 0 : AllowedBy(tableEntry, walker.PageEntry(tableEntry, page), user); // Read once
    }

    /// <summary>The same for entries that were read already.</summary>
    private uint AllowedBy(uint tableEntry, uint entry, bool user)
    {
        const uint needed = (uint)(PageFlags.Present | PageFlags.Accessed);
        uint rights = entry & tableEntry;
        if ((entry & needed) != needed || (user && (rights & (uint)PageFlags.User) == 0))
            return 0;
        if (walker.IsForbidden(entry))
            return 0;
        uint frame = entry & ~Page.OffsetMask;
        bool writable = (rights & (uint)PageFlags.Writable) != 0 && (entry & (uint)PageFlags.Dirty) != 0 && !interpreter.MustSeeWrites(frame);
        return frame | AddressWindow.MappedBit | (writable ? AddressWindow.WritableBit : 0);
    }

    // [T:240+25] When the guest says that it has changed something
    // The hints of [G:150] arrive here. What a window has of a page table is compared with the table as it is now, and only what
    // differs is put right: a kernel that forks changes a few entries, and would be slow if it lost all others each time.
    /// <summary>Puts right what a window has of the page tables in which a range of pages is.</summary>
    public void Revalidate(AddressWindow window, uint directory, uint first, uint last, bool user)
    {
        foreach (MappedTable table in window.Tables)
        {
            if (table.Pages == 0 || table.Last < first || table.First > last)
                continue;
            uint tableEntry = walker.TableEntry(directory, table.First);
            ReadOnlySpan<byte> entries = walker.Table(tableEntry);
            if (entries.IsEmpty)
            {
                RevalidateTable(window, table, 0, [], user);
                continue;
            }

            if (table.IsAsRemembered(tableEntry, entries))
                continue;

            // What is remembered is what the window is compared with, even if others write to the table meanwhile.
            table.Remember(tableEntry, entries);
            RevalidateTable(window, table, tableEntry, table.Entries, user);
        }
    }

    /// <summary>Puts right what a window has of one page table, neighbours in one go.</summary>
    /// <param name="window">The window.</param>
    /// <param name="table">The table.</param>
    /// <param name="tableEntry">The entry that names it.</param>
    /// <param name="entries">A private copy of the table; empty: there is none.</param>
    /// <param name="user">For ring 3.</param>
    private void RevalidateTable(AddressWindow window, MappedTable table, uint tableEntry, ReadOnlySpan<byte> entries, bool user)
    {
        uint runStart = 0;
        uint runLength = 0;
        bool runUnmaps = false;
        for (uint page = table.First; page <= table.Last; page++)
        {
            uint now = window[page];
            if (now == 0)
                continue;
            uint allowed = entries.IsEmpty ? 0 : AllowedBy(tableEntry, walker.PageEntryIn(entries, page), user);
            if (now == allowed || now == (allowed & ~AddressWindow.WritableBit))
                continue;
            bool unmap = (now & ~Page.OffsetMask) != (allowed & ~Page.OffsetMask) || (allowed & AddressWindow.MappedBit) == 0;
            if (runLength != 0 && page == runStart + runLength && unmap == runUnmaps)
            {
                runLength++;
                continue;
            }

            Apply(window, runStart, runLength, runUnmaps);
            runStart = page;
            runLength = 1;
            runUnmaps = unmap;
        }

        Apply(window, runStart, runLength, runUnmaps);
    }

    private static void Apply(AddressWindow window, uint start, uint length, bool unmap)
    {
        if (length == 0)
            return;
        if (unmap)
            window.Unmap(start, length);
        else
            window.Protect(start, length, writable: false);
    }

    /// <summary>Puts right what a window has of one page.</summary>
    public void RevalidatePage(AddressWindow window, uint directory, uint page, bool user)
    {
        uint now = window[page];
        if (now == 0)
            return;

        // More rights than there are in the window are found when they are used, as new pages are.
        uint allowed = Allowed(directory, page, user);
        if (now != allowed && now != (allowed & ~AddressWindow.WritableBit))
            window.Unmap(page, 1);
    }

    /// <summary>Those that are gone. What a window that is kept can write must stay known: code may yet be made of it.</summary>
    public void ForgetWritableMappings()
    {
        foreach ((uint frame, List<(AddressWindow Window, uint Page)> list) in _writableMappings)
        {
            list.RemoveAll(m => !MapsWritable(m.Window, m.Page, frame));
            if (list.Count == 0)
                _writableMappings.Remove(frame);
        }
    }

    /// <summary>A frame is about to be written by translated code.</summary>
    /// <returns>Whether it may: false where there is code, whose loss the interpreter sees to.</returns>
    public bool MayBeWritten(uint frame)
    {
        if (interpreter.HasCode(frame))
            return false;
        interpreter.Memory.Dirty?.Mark(frame);
        return true;
    }
}
