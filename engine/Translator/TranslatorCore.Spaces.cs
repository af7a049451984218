// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;
using Lguest.Engine.Memory.PageTables;
using Lguest.Engine.Native;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

// [T:230] One window for the kernel, one for each program
/// <summary>
/// How the guest's memory appears to translated code. The kernel (ring 1) has one window for all address spaces, in which only
/// its own part is ever mapped: that part is the same everywhere, so a switch of page directories changes nothing. Each address
/// space has a window of its own for ring 3, kept when the guest switches away, as the genuine host keeps its shadow tables;
/// whatever the guest says it changed is compared with the tables and put right. When the kernel reaches into user memory, the
/// instruction that does is left to the interpreter.
/// </summary>
public sealed unsafe partial class TranslatorCore
{
    private const int MostSpaces = 64;
    private const uint UserRun = 16;

    private readonly Dictionary<uint, AddressSpace> _spaces = [];
    private readonly LinkedList<AddressSpace> _recent = new();
    private readonly Stack<AddressWindow> _spareWindows = new();
    private readonly Dictionary<uint, List<(AddressWindow Window, uint Page)>> _writableMappings = [];
    private readonly Dictionary<uint, uint> _kernelCodePages = [];
    private AddressWindow _kernelWindow = null!;
    private AddressSpace? _space;
    private readonly List<uint> _changedTables = [];
    private TableEntries? _kernelEntries;
    private uint _pageDirectory;
    private bool _kernelCodeMoved;
    private ulong _kernelKey;
    private ulong _lastKey;
    private int _mappingLimit;
    private int _maxSpaces = MostSpaces;

    private enum MapResult
    {
        Mapped,
        Unknown,
        Fault,
        Killed,
        Code,
        Interpret,
    }

    /// <summary>Lowest linear address of the kernel's part.</summary>
    internal uint KernelStart { get; private set; } = 0xC000_0000;

    /// <summary>Windows that are in use.</summary>
    public int Windows => _spaces.Count + 1;

    /// <inheritdoc/>
    public override void SetKernelStart(uint pageOffset)
    {
        KernelStart = pageOffset;
        _kernelEntries = null;
        _translator.KernelStart = pageOffset;
    }

    /// <inheritdoc/>
    public override void LoadPageDirectory(uint physical)
    {
        _interpreter.LoadPageDirectory(physical);
        if (_space is { } old)
            old.Entries.Remember(old.PageDirectory);
        _space = null;
        _pageDirectory = physical;
        CompareKernelEntries();

        // A space that is known is taken up at once, so that going back to ring 3 need not come here for it.
        if (_spaces.ContainsKey(physical))
            CurrentUserWindow();
    }

    /// <inheritdoc/>
    public override void FlushTlb()
    {
        _interpreter.FlushTlb();
        RevalidateKernel(KernelStart >> Page.Shift, (uint)(1UL << (32 - Page.Shift)) - 1);
        foreach (AddressSpace space in _spaces.Values)
        {
            if (space.PageDirectory == _pageDirectory)
                Revalidate(space, 0, uint.MaxValue);
            else
                space.IsStale = true;
        }
    }

    /// <inheritdoc/>
    public override void FlushUserTlb()
    {
        _interpreter.FlushTlb();
        if (_spaces.TryGetValue(_pageDirectory, out AddressSpace? space))
            Revalidate(space, 0, uint.MaxValue);
    }

    /// <inheritdoc/>
    public override void InvalidatePage(uint linear) => InvalidatePage(_pageDirectory, linear);

    /// <inheritdoc/>
    public override void InvalidatePage(uint pageDirectory, uint linear)
    {
        _interpreter.InvalidatePage(linear);
        uint page = linear >> Page.Shift;
        if (linear >= KernelStart)
        {
            RevalidateKernelPage(page);
            return;
        }

        if (_spaces.TryGetValue(pageDirectory, out AddressSpace? space))
            RevalidatePage(space, page);
    }

    /// <inheritdoc/>
    public override void InvalidateDirectoryEntry(uint pageDirectory, uint index)
    {
        _interpreter.FlushTlb();
        (uint first, uint last) = Walker.PagesOf(index);
        if (first >= KernelStart >> Page.Shift)
            RevalidateKernel(first, last);
        else if (_spaces.TryGetValue(pageDirectory, out AddressSpace? space))
            Revalidate(space, first, last);
    }

    private AddressWindow CurrentUserWindow() => CurrentSpace().Window;

    private AddressSpace CurrentSpace()
    {
        if (_space is null)
        {
            if (!_spaces.TryGetValue(_pageDirectory, out AddressSpace? space))
                space = NewSpace();
            else if (space.IsStale)
                Revalidate(space, 0, uint.MaxValue);
            else
                RevalidateChanged(space);
            _recent.Remove(space.Place);
            _recent.AddFirst(space.Place);
            _space = space;
        }

        return _space;
    }

    private AddressSpace NewSpace()
    {
        AddressWindow window = FreeWindow();
        AddressSpace space = new(_pageDirectory, window, new TableEntries(Walker, 0, KernelStart >> Page.Shift >> Walker.TableShift)) { Key = ++_lastKey };
        space.Place = _recent.AddFirst(space);
        _spaces.Add(_pageDirectory, space);
        return space;
    }

    private AddressWindow FreeWindow()
    {
        if (_spaces.Count >= _maxSpaces)
            Evict(_recent.Last!.Value);
        if (_spareWindows.TryPop(out AddressWindow? spare))
            return spare;
        try
        {
            return new AddressWindow(Memory, Walker.TableShift);
        }
        catch (Win32Exception) when (_spaces.Count > 0)
        {
            // The host gives no more of its address space: as many as there are must do, and there is always one.
            _maxSpaces = _spaces.Count;
            return FreeWindow();
        }
    }

    private void Evict(AddressSpace space)
    {
        _windowsGivenUp++;
        space.Window.Clear();
        _spareWindows.Push(space.Window);
        _spaces.Remove(space.PageDirectory);
        _recent.Remove(space.Place);
        if (_space == space)
            _space = null;
    }

    private void Empty(AddressSpace space)
    {
        space.Window.Clear();
        space.Visited.Clear();
        space.CodePages.Clear();
        space.Key = ++_lastKey;
    }

    // [T:220+20] A page comes into the window
    // Nothing is in a window at first. The guest's code touches an address, the processor faults, and here the guest's page tables
    // are walked ([I:190]). What comes of it: the guest has a page there, and it is mapped, with the guest's rights and at the
    // same place, and the instruction is begun anew; or the guest gets a page fault of its own; or it dies. From then on this page
    // costs nothing at all: the host's own memory management does what the interpreter's table did.
    /// <summary>Maps what translated code has just missed, and what it will miss next.</summary>
    private MapResult TryMap(uint linear, bool write, out uint errorCode, out string? killReason)
    {
        bool user = Cpu->Arch.Cpl == Selectors.UserRing;
        WalkResult result = Walker.Walk(_pageDirectory, linear, write, user, out Translation found);
        errorCode = found.ErrorCode;
        killReason = found.KillReason;
        _interpreter.Marked(in found);
        if (result == WalkResult.Kill)
            return MapResult.Killed;
        if (user && _newPages.GoesAhead(CurrentSpace(), linear >> Page.Shift, result))
            return result == WalkResult.Fault ? MapResult.Fault : MapResult.Unknown;
        if (result != WalkResult.Ok)
            return MapResult.Fault;
        if (!user && linear < KernelStart)
            return MapResult.Interpret;
        if (write && !MayBeWritten(found.Frame))
            return MapResult.Code;
        Map(linear, user, in found);
        return MapResult.Mapped;
    }

    /// <summary>Maps a page that a walk found, and its neighbours as far as they will be used as well.</summary>
    private void Map(uint linear, bool user, in Translation found)
    {
        AddressWindow window = user ? CurrentUserWindow() : _kernelWindow;
        LimitMappings(window);
        uint page = linear >> Page.Shift;
        bool writable = IsWritable(found.Entry, found.Rights) && !_interpreter.MustSeeWrites(found.Frame);
        uint first = page;
        uint last = page;
        uint run = user ? UserRun : Walker.PagesPerTable;
        uint low = page & ~(run - 1);
        uint high = page | (run - 1);
        while (first > low && Continues(window, found.TableEntry, page, first - 1, found.Frame, writable, user))
            first--;
        while (last < high && Continues(window, found.TableEntry, page, last + 1, found.Frame, writable, user))
            last++;
        uint frame = found.Frame - ((page - first) << Page.Shift);
        window.Map(first, last - first + 1, frame, writable);
        if (writable)
            RememberWritable(window, first, last, frame);
    }

    /// <summary>Maps a page that ring 3 may read, if the guest's tables have one there: nobody has missed it.</summary>
    private void MapQuietly(uint linear)
    {
        if (Walker.Walk(_pageDirectory, linear, write: false, user: true, out Translation found) != WalkResult.Ok)
            return;
        _interpreter.Marked(in found);
        Map(linear, user: true, in found);
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
        uint entry = Walker.PageEntry(tableEntry, candidate); // Read once
        const uint needed = (uint)(PageFlags.Present | PageFlags.Accessed);
        if ((entry & ~Page.OffsetMask) != expected || (entry & needed) != needed || Walker.IsForbidden(entry))
            return false;
        if (user && (entry & (uint)PageFlags.User) == 0)
            return false;
        if (candidate << Page.Shift >= Walker.ReservedStart || window[candidate] != 0)
            return false;
        bool mayWrite = (entry & tableEntry & (uint)PageFlags.Writable) != 0 && (entry & (uint)PageFlags.Dirty) != 0 && !_interpreter.MustSeeWrites(expected);
        return mayWrite == writable;
    }

    private void RememberWritable(AddressWindow window, uint first, uint last, uint frame)
    {
        for (uint page = first; page <= last; page++, frame += Page.Size)
        {
            // The kernel's linear mapping needs no memory: it can be worked out.
            if (window == _kernelWindow && page << Page.Shift == frame + KernelStart)
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
    private void ProtectFrame(uint frame)
    {
        uint linearPage = (frame + KernelStart) >> Page.Shift;
        if (frame + (ulong)KernelStart <= uint.MaxValue && MapsWritable(_kernelWindow, linearPage, frame))
            _kernelWindow.Protect(linearPage, 1, writable: false);
        if (!_writableMappings.Remove(frame, out List<(AddressWindow Window, uint Page)>? list))
            return;
        foreach ((AddressWindow window, uint page) in list)
        {
            if (MapsWritable(window, page, frame))
                window.Protect(page, 1, writable: false);
        }
    }

    /// <summary>What a page should be mapped as at most now, in the form of <see cref="AddressWindow.this"/>; 0: not at all.</summary>
    private uint Allowed(uint directory, uint page, bool user)
    {
        uint tableEntry = Walker.TableEntry(directory, page);
        return Walker.Table(tableEntry).IsEmpty ? 0 : AllowedBy(tableEntry, Walker.PageEntry(tableEntry, page), user); // Read once
    }

    /// <summary>The same for entries that were read already.</summary>
    private uint AllowedBy(uint tableEntry, uint entry, bool user)
    {
        const uint needed = (uint)(PageFlags.Present | PageFlags.Accessed);
        uint rights = entry & tableEntry;
        if ((entry & needed) != needed || (user && (rights & (uint)PageFlags.User) == 0))
            return 0;
        if (Walker.IsForbidden(entry))
            return 0;
        uint frame = entry & ~Page.OffsetMask;
        bool writable = (rights & (uint)PageFlags.Writable) != 0 && (entry & (uint)PageFlags.Dirty) != 0 && !_interpreter.MustSeeWrites(frame);
        return frame | AddressWindow.MappedBit | (writable ? AddressWindow.WritableBit : 0);
    }

    // [T:240+25] When the guest says that it has changed something
    // The hints of [G:150] arrive here. What a window has of a page table is compared with the table as it is now, and only what
    // differs is put right: a kernel that forks changes a few entries, and would be slow if it lost all others each time.
    /// <summary>Puts right what a window has of the page tables in which a range of pages is.</summary>
    private void Revalidate(AddressWindow window, uint directory, uint first, uint last, bool user)
    {
        foreach (MappedTable table in window.Tables)
        {
            if (table.Pages == 0 || table.Last < first || table.First > last)
                continue;
            uint tableEntry = Walker.TableEntry(directory, table.First);
            ReadOnlySpan<byte> entries = Walker.Table(tableEntry);
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
            uint allowed = entries.IsEmpty ? 0 : AllowedBy(tableEntry, Walker.PageEntryIn(entries, page), user);
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

    private void Revalidate(AddressSpace space, uint first, uint last)
    {
        space.IsStale &= first != 0 || last != uint.MaxValue;
        Revalidate(space.Window, space.PageDirectory, first, last, user: true);
        foreach ((uint page, uint code) in space.CodePages)
        {
            if (page >= first && page <= last && (Allowed(space.PageDirectory, page, user: true) & ~AddressWindow.WritableBit) != code)
            {
                ForgetCodePages(space);
                return;
            }
        }
    }

    /// <summary>Code is entered by key and not by mapping: a page that was only fetched from is in no window.</summary>
    private void ForgetCodePages(AddressSpace space)
    {
        space.Key = ++_lastKey;
        space.CodePages.Clear();
    }

    private void RevalidatePage(AddressSpace space, uint page)
    {
        space.Visited.Remove(page);
        if (space.CodePages.TryGetValue(page, out uint code) && (Allowed(space.PageDirectory, page, user: true) & ~AddressWindow.WritableBit) != code)
            ForgetCodePages(space);
        RevalidatePage(space.Window, space.PageDirectory, page, user: true);
    }

    private void RevalidatePage(AddressWindow window, uint directory, uint page, bool user)
    {
        uint now = window[page];
        if (now == 0)
            return;

        // More rights than there are in the window are found when they are used, as new pages are.
        uint allowed = Allowed(directory, page, user);
        if (now != allowed && now != (allowed & ~AddressWindow.WritableBit))
            window.Unmap(page, 1);
    }

    private void RevalidateKernel(uint first, uint last)
    {
        Revalidate(_kernelWindow, _pageDirectory, first, last, user: false);
        if (!_kernelCodeMoved && !KernelCodeMoved(first, last))
            return;
        _kernelKey = ++_lastKey;
        _code.Flush();
    }

    private void RevalidateKernelPage(uint page)
    {
        RevalidatePage(_kernelWindow, _pageDirectory, page, user: false);
        if (!_kernelCodeMoved && !KernelCodeMoved(page))
            return;
        _kernelKey = ++_lastKey;
        _code.Flush();
    }

    /// <summary>
    /// Code in the kernel's part was translated: where it is. Links there go across pages: none may lead where the guest has mapped
    /// something else, and the key under which code is entered stands for all of these pages.
    /// </summary>
    private void RememberKernelCode(uint page, uint frame)
    {
        ref uint known = ref CollectionsMarshal.GetValueRefOrAddDefault(_kernelCodePages, page, out bool exists);
        _kernelCodeMoved |= exists && known != frame;
        known = frame;
    }

    private void ForgetKernelCode()
    {
        _kernelCodePages.Clear();
        _kernelCodeMoved = false;
    }

    private bool KernelCodeMoved(uint page) =>
        _kernelCodePages.TryGetValue(page, out uint frame) && !IsStillAt(page, frame);

    private bool KernelCodeMoved(uint first, uint last)
    {
        foreach ((uint page, uint frame) in _kernelCodePages)
        {
            if (page >= first && page <= last && !IsStillAt(page, frame))
                return true;
        }

        return false;
    }

    private bool IsStillAt(uint page, uint frame) =>
        (Allowed(_pageDirectory, page, user: false) & ~AddressWindow.WritableBit) == (frame | AddressWindow.MappedBit);

    /// <summary>The guest is back in a space: what it did to its directory meanwhile; a page that was freed and is another one now is not the same.</summary>
    private void RevalidateChanged(AddressSpace space)
    {
        _changedTables.Clear();
        space.Entries.Update(space.PageDirectory, _changedTables);
        foreach (uint table in _changedTables)
            Revalidate(space, table << Walker.TableShift, ((table + 1) << Walker.TableShift) - 1);
    }

    private void CompareKernelEntries()
    {
        uint start = KernelStart >> Page.Shift >> Walker.TableShift;
        if (_kernelEntries is null)
        {
            _kernelEntries = new TableEntries(Walker, start, ((1u << (32 - Page.Shift)) >> Walker.TableShift) - start);
            _kernelEntries.Remember(_pageDirectory);
            return;
        }

        _changedTables.Clear();
        _kernelEntries.Update(_pageDirectory, _changedTables);
        foreach (uint table in _changedTables)
            RevalidateKernel(table << Walker.TableShift, ((table + 1) << Walker.TableShift) - 1);
    }

    /// <summary>The host allows a process only so many mappings, and its runtime dies without: windows go before that.</summary>
    private void LimitMappings(AddressWindow keep)
    {
        int total = _kernelWindow.Mappings;
        foreach (AddressSpace space in _spaces.Values)
            total += space.Window.Mappings;
        if (total < _mappingLimit)
            return;
        foreach (AddressSpace space in _spaces.Values)
        {
            if (space.Window == keep || space.Window.Mappings <= 1)
                continue;
            Empty(space);
            _windowsGivenUp++;
        }

        if (keep.Mappings > _mappingLimit / 2)
            keep.Clear();
        if (_kernelWindow != keep && _kernelWindow.Mappings > _mappingLimit / 2)
            _kernelWindow.Clear();
        ForgetWritableMappings();
    }

    /// <summary>Those that are gone. What a window that is kept can write must stay known: code may yet be made of it.</summary>
    private void ForgetWritableMappings()
    {
        foreach ((uint frame, List<(AddressWindow Window, uint Page)> list) in _writableMappings)
        {
            list.RemoveAll(m => !MapsWritable(m.Window, m.Page, frame));
            if (list.Count == 0)
                _writableMappings.Remove(frame);
        }
    }

    private void AllocateSpaces()
    {
        _kernelWindow = new AddressWindow(Memory, Walker.TableShift);

        // With one for ring 3 the guest runs, slowly if need be: without, nobody may open the translator.
        _spareWindows.Push(new AddressWindow(Memory, Walker.TableShift));
        _kernelKey = ++_lastKey;
        _mappingLimit = MemoryMap.MostMappings / 4;
    }

    private void FreeSpaces()
    {
        _kernelWindow?.Dispose();
        foreach (AddressSpace space in _spaces.Values)
            space.Window.Dispose();
        foreach (AddressWindow window in _spareWindows)
            window.Dispose();
    }
}
