// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
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
internal sealed unsafe partial class AddressSpaces : ICodeWatcher, IDisposable
{
    private const int MostSpaces = 64;

    private readonly CpuState* _cpu;
    private readonly PageWalker _walker;
    private readonly InterpreterCore _interpreter;
    private readonly NewPagePolicy _newPages;
    private readonly WindowMapper _mapper;
    private readonly KernelSpace _kernel;
    private readonly Dictionary<uint, AddressSpace> _spaces = [];
    private readonly LinkedList<AddressSpace> _recent = new();
    private readonly Stack<AddressWindow> _spareWindows = new();
    private readonly List<uint> _changedTables = [];
    private uint _pageDirectory;
    private ulong _lastKey;
    private int _maxSpaces = MostSpaces;

    /// <summary>Makes the kernel's window, and one for ring 3.</summary>
    /// <param name="cpu">The processor.</param>
    /// <param name="walker">The guest's page tables.</param>
    /// <param name="interpreter">Hears of marks in them, and knows which frames have code.</param>
    /// <param name="code">Goes when links in it lead where the guest has mapped something else.</param>
    /// <param name="newPages">Says which pages of ring 3 are worth mapping.</param>
    /// <exception cref="Win32Exception">The host has not the address space.</exception>
    public AddressSpaces(CpuState* cpu, PageWalker walker, InterpreterCore interpreter, CodeCache code, NewPagePolicy newPages)
    {
        _cpu = cpu;
        _walker = walker;
        _interpreter = interpreter;
        _newPages = newPages;
        AddressWindow window = new(interpreter.Memory, walker.TableShift);
        try
        {
            // With one for ring 3 the guest runs, slowly if need be: without, nobody may open the translator.
            _spareWindows.Push(new AddressWindow(interpreter.Memory, walker.TableShift));
        }
        catch
        {
            window.Dispose();
            throw;
        }

        _mapper = new WindowMapper(walker, interpreter, window);
        _kernel = new KernelSpace(window, walker, _mapper, code) { Key = NextKey(), NextKey = NextKey };
    }

    /// <summary>The space in which ring 3 runs, if it has done so since the page directory was loaded.</summary>
    public AddressSpace? Current { get; private set; }

    /// <summary>Lowest linear address of the kernel's part.</summary>
    public uint KernelStart
    {
        get => _mapper.KernelStart;
        set => _kernel.Start = value;
    }

    /// <summary>Windows that are in use.</summary>
    public int Windows => _spaces.Count + 1;

    /// <summary>Windows that were emptied for others.</summary>
    public long WindowsGivenUp { get; private set; }

    /// <summary>The host's mappings that all windows may have together, at most.</summary>
    public int MappingLimit { get; } = MemoryMap.MostMappings / 4;

    /// <summary>Those that they have: an estimate from above.</summary>
    public int Mappings
    {
        get
        {
            int mappings = _kernel.Window.Mappings;
            foreach (AddressSpace space in _spaces.Values)
                mappings += space.Window.Mappings;
            return mappings;
        }
    }

    /// <inheritdoc/>
    public void CodeIn(uint frame) => _mapper.Protect(frame);

    /// <inheritdoc/>
    public void CodeGone() => _kernel.ForgetCode();

    /// <summary>Says in which windows, and under which keys, translated code runs from now on.</summary>
    public void Select(TranslationMode mode)
    {
        bool user = (mode & TranslationMode.User) != 0;
        ulong taskSwitched = (ulong)(mode & TranslationMode.TaskSwitched);
        ref TranslatorScratch scratch = ref _cpu->Translator;
        scratch.KernelWindowBase = (ulong)_kernel.Window.Base;
        scratch.KernelBranchKey = (_kernel.Key << 4 | taskSwitched) << 32;
        if (user)
            Enter();
        if (Current is { } space)
        {
            scratch.UserWindowBase = (ulong)space.Window.Base;
            scratch.UserBranchKey = (space.Key << 4 | taskSwitched | (ulong)TranslationMode.User) << 32;
        }

        scratch.WindowBase = user ? scratch.UserWindowBase : scratch.KernelWindowBase;
        scratch.BranchKey = user ? scratch.UserBranchKey : scratch.KernelBranchKey;
    }

    /// <summary>A block is about to be entered: if its pages become others, it must not be found any more.</summary>
    public void RememberCode(Block block, bool user)
    {
        uint page = block.Key.Eip >> Page.Shift;
        uint frame = block.Key.Physical & ~Page.OffsetMask;
        uint frame2 = block.Physical2 & ~Page.OffsetMask;
        if (user)
        {
            Dictionary<uint, uint> pages = Enter().CodePages;
            pages[page] = frame | AddressWindow.MappedBit;
            if (block.Bytes2 != 0)
                pages[page + 1] = frame2 | AddressWindow.MappedBit;
        }

        if (block.Key.Eip >= KernelStart)
        {
            _kernel.RememberCode(page, frame);
            if (block.Bytes2 != 0)
                _kernel.RememberCode(page + 1, frame2);
        }
    }

    /// <summary>The guest's tables are made otherwise from now on: nothing that is known of them holds.</summary>
    public void BeginAnew()
    {
        while (_recent.Last is { } oldest)
            Evict(oldest.Value);
        foreach (AddressWindow window in _spareWindows)
            window.SetTables(_walker.TableShift);
        _kernel.BeginAnew();
        _mapper.ForgetWritableMappings();
    }

    /// <summary>The guest has loaded a page directory.</summary>
    public void LoadPageDirectory(uint physical)
    {
        if (Current is { } old)
            old.Entries.Remember(old.PageDirectory);
        Current = null;
        _pageDirectory = physical;
        _kernel.Compare(physical);

        // A space that is known is taken up at once, so that going back to ring 3 need not leave for it.
        if (_spaces.ContainsKey(physical))
            Enter();
    }

    /// <summary>All tables may have changed.</summary>
    public void Flush()
    {
        _kernel.RevalidateAll(_pageDirectory);
        foreach (AddressSpace space in _spaces.Values)
        {
            if (space.PageDirectory == _pageDirectory)
                Revalidate(space, 0, uint.MaxValue);
            else
                space.IsStale = true;
        }
    }

    /// <summary>The user part of the current tables may have changed.</summary>
    public void FlushUser()
    {
        if (_spaces.TryGetValue(_pageDirectory, out AddressSpace? space))
            Revalidate(space, 0, uint.MaxValue);
    }

    /// <summary>The entry of a page may have changed.</summary>
    /// <param name="pageDirectory">In whose tables; null: the current ones.</param>
    /// <param name="linear">An address in it.</param>
    public void InvalidatePage(uint? pageDirectory, uint linear)
    {
        uint page = linear >> Page.Shift;
        if (linear >= KernelStart)
            _kernel.RevalidatePage(_pageDirectory, page);
        else if (_spaces.TryGetValue(pageDirectory ?? _pageDirectory, out AddressSpace? space))
            RevalidatePage(space, page);
    }

    /// <summary>The space of the page directory in force, as it is now: ring 3 is about to run there.</summary>
    public AddressSpace Enter()
    {
        if (Current is null)
        {
            if (!_spaces.TryGetValue(_pageDirectory, out AddressSpace? space))
                space = NewSpace();
            else if (space.IsStale)
                Revalidate(space, 0, uint.MaxValue);
            else
                RevalidateChanged(space);
            _recent.Remove(space.Place);
            _recent.AddFirst(space.Place);
            Current = space;
        }

        return Current;
    }

    // [T:220+20] A page comes into the window
    // Nothing is in a window at first. The guest's code touches an address, the processor faults, and here the guest's page tables
    // are walked ([I:190]). What comes of it: the guest has a page there, and it is mapped, with the guest's rights and at the
    // same place, and the instruction is begun anew; or the guest gets a page fault of its own; or it dies. From then on this page
    // costs nothing at all: the host's own memory management does what the interpreter's table did.
    /// <summary>Maps what translated code has just missed, and what it will miss next.</summary>
    public MapResult TryMap(uint linear, bool write, out uint errorCode, out string? killReason)
    {
        bool user = _cpu->Arch.Cpl == Selectors.UserRing;
        WalkResult result = _walker.Walk(_pageDirectory, linear, write, user, out Translation found);
        errorCode = found.ErrorCode;
        killReason = found.KillReason;
        _interpreter.Marked(in found);
        if (result == WalkResult.Kill)
            return MapResult.Killed;
        if (user && _newPages.GoesAhead(Enter(), linear >> Page.Shift, result))
            return result == WalkResult.Fault ? MapResult.Fault : MapResult.Unknown;
        if (result != WalkResult.Ok)
            return result == WalkResult.Device ? MapResult.Interpret : MapResult.Fault;
        if (!user && linear < KernelStart)
            return MapResult.Interpret;
        if (write && !_mapper.MayBeWritten(found.Frame))
            return MapResult.Code;
        Map(linear, user, in found);
        return MapResult.Mapped;
    }

    /// <summary>Maps a page that ring 3 may read, if the guest's tables have one there: nobody has missed it.</summary>
    public void MapQuietly(uint linear)
    {
        if (_walker.Walk(_pageDirectory, linear, write: false, user: true, out Translation found) != WalkResult.Ok)
            return;
        _interpreter.Marked(in found);
        Map(linear, user: true, in found);
    }

    /// <summary>Nothing that a log has not seen written may be written unseen.</summary>
    public void Protect(DirtyLog log)
    {
        _kernel.Window.ProtectAll(frame => !log.Contains(frame));
        foreach (AddressSpace space in _spaces.Values)
            space.Window.ProtectAll(frame => !log.Contains(frame));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _kernel.Window.Dispose();
        foreach (AddressSpace space in _spaces.Values)
            space.Window.Dispose();
        foreach (AddressWindow window in _spareWindows)
            window.Dispose();
    }

    private ulong NextKey() => ++_lastKey;

    private void Map(uint linear, bool user, in Translation found)
    {
        AddressWindow window = user ? Enter().Window : _kernel.Window;
        LimitMappings(window);
        _mapper.Map(window, linear, user, in found);
    }

    private AddressSpace NewSpace()
    {
        AddressWindow window = FreeWindow();
        AddressSpace space = new(_pageDirectory, window, new TableEntries(_walker, 0, KernelStart >> Page.Shift >> _walker.TableShift)) { Key = NextKey() };
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
            return new AddressWindow(_interpreter.Memory, _walker.TableShift);
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
        WindowsGivenUp++;
        space.Window.Clear();
        _spareWindows.Push(space.Window);
        _spaces.Remove(space.PageDirectory);
        _recent.Remove(space.Place);
        if (Current == space)
            Current = null;
    }

    private void Empty(AddressSpace space)
    {
        space.Window.Clear();
        space.Visited.Clear();
        space.CodePages.Clear();
        space.Key = NextKey();
    }

    private void Revalidate(AddressSpace space, uint first, uint last)
    {
        space.IsStale &= first != 0 || last != uint.MaxValue;
        _mapper.Revalidate(space.Window, space.PageDirectory, first, last, user: true);
        foreach ((uint page, uint code) in space.CodePages)
        {
            if (page >= first && page <= last && (_mapper.Allowed(space.PageDirectory, page, user: true) & ~AddressWindow.WritableBit) != code)
            {
                ForgetCodePages(space);
                return;
            }
        }
    }

    /// <summary>Code is entered by key and not by mapping: a page that was only fetched from is in no window.</summary>
    private void ForgetCodePages(AddressSpace space)
    {
        space.Key = NextKey();
        space.CodePages.Clear();
    }

    private void RevalidatePage(AddressSpace space, uint page)
    {
        space.Visited.Remove(page);
        if (space.CodePages.TryGetValue(page, out uint code) && (_mapper.Allowed(space.PageDirectory, page, user: true) & ~AddressWindow.WritableBit) != code)
            ForgetCodePages(space);
        _mapper.RevalidatePage(space.Window, space.PageDirectory, page, user: true);
    }

    /// <summary>The guest is back in a space: what it did to its directory meanwhile; a page that was freed and is another one now is not the same.</summary>
    private void RevalidateChanged(AddressSpace space)
    {
        _changedTables.Clear();
        space.Entries.Update(space.PageDirectory, _changedTables);
        foreach (uint table in _changedTables)
            Revalidate(space, table << _walker.TableShift, ((table + 1) << _walker.TableShift) - 1);
    }

    /// <summary>The host allows a process only so many mappings, and its runtime dies without: windows go before that.</summary>
    private void LimitMappings(AddressWindow keep)
    {
        if (Mappings < MappingLimit)
            return;
        foreach (AddressSpace space in _spaces.Values)
        {
            if (space.Window == keep || space.Window.Mappings <= 1)
                continue;
            Empty(space);
            WindowsGivenUp++;
        }

        if (keep.Mappings > MappingLimit / 2)
            keep.Clear();
        if (_kernel.Window != keep && _kernel.Window.Mappings > MappingLimit / 2)
            _kernel.Window.Clear();
        _mapper.ForgetWritableMappings();
    }
}
