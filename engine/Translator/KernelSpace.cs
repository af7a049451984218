// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>
/// The kernel's part of every address space: its window, the code that was translated there, and the directory entries that name its
/// tables, which a guest keeps the same in all its directories.
/// </summary>
/// <param name="window">Its window.</param>
/// <param name="walker">The guest's page tables.</param>
/// <param name="mapper">Puts the window right.</param>
/// <param name="code">Goes when links in it lead where the guest has mapped something else.</param>
internal sealed class KernelSpace(AddressWindow window, PageWalker walker, WindowMapper mapper, CodeCache code)
{
    private readonly Dictionary<uint, uint> _codePages = [];
    private readonly List<uint> _changedTables = [];
    private TableEntries? _entries;
    private bool _codeMoved;

    /// <summary>Where ring 1 sees memory.</summary>
    public AddressWindow Window { get; } = window;

    /// <summary>Names the mapping under which code is entered; a new one whenever it changes.</summary>
    public required ulong Key { get; set; }

    /// <summary>Gives the next key.</summary>
    public required Func<ulong> NextKey { get; init; }

    /// <summary>Lowest linear address of the kernel's part.</summary>
    public uint Start
    {
        get => mapper.KernelStart;
        set
        {
            mapper.KernelStart = value;
            _entries = null;
        }
    }

    /// <summary>The guest's tables are made otherwise from now on.</summary>
    public void BeginAnew()
    {
        Window.SetTables(walker.TableShift);
        _entries = null;
        Renew();
    }

    /// <summary>All code is gone.</summary>
    public void ForgetCode()
    {
        _codePages.Clear();
        _codeMoved = false;
    }

    /// <summary>Another page directory is in force: whatever of it is not as in the last is looked at.</summary>
    public void Compare(uint pageDirectory)
    {
        uint start = Start >> Page.Shift >> walker.TableShift;
        if (_entries is null)
        {
            _entries = new TableEntries(walker, start, ((1u << (32 - Page.Shift)) >> walker.TableShift) - start);
            _entries.Remember(pageDirectory);
            return;
        }

        _changedTables.Clear();
        _entries.Update(pageDirectory, _changedTables);
        foreach (uint table in _changedTables)
            Revalidate(pageDirectory, table << walker.TableShift, ((table + 1) << walker.TableShift) - 1);
    }

    /// <summary>Puts right what is had of a range of pages.</summary>
    public void Revalidate(uint pageDirectory, uint first, uint last)
    {
        mapper.Revalidate(Window, pageDirectory, first, last, user: false);
        if (_codeMoved || HasCodeMoved(pageDirectory, first, last))
            Renew();
    }

    /// <summary>The same for all of it.</summary>
    public void RevalidateAll(uint pageDirectory) => Revalidate(pageDirectory, Start >> Page.Shift, (uint)(1UL << (32 - Page.Shift)) - 1);

    /// <summary>The same for one page.</summary>
    public void RevalidatePage(uint pageDirectory, uint page)
    {
        mapper.RevalidatePage(Window, pageDirectory, page, user: false);
        if (_codeMoved || (_codePages.TryGetValue(page, out uint frame) && !IsStillAt(pageDirectory, page, frame)))
            Renew();
    }

    /// <summary>
    /// Code in the kernel's part was translated: where it is. Links there go across pages: none may lead where the guest has mapped
    /// something else, and the key under which code is entered stands for all of these pages.
    /// </summary>
    public void RememberCode(uint page, uint frame)
    {
        ref uint known = ref CollectionsMarshal.GetValueRefOrAddDefault(_codePages, page, out bool exists);
        _codeMoved |= exists && known != frame;
        known = frame;
    }

    private void Renew()
    {
        Key = NextKey();
        code.Flush();
    }

    private bool HasCodeMoved(uint pageDirectory, uint first, uint last)
    {
        foreach ((uint page, uint frame) in _codePages)
        {
            if (page >= first && page <= last && !IsStillAt(pageDirectory, page, frame))
                return true;
        }

        return false;
    }

    private bool IsStillAt(uint pageDirectory, uint page, uint frame) =>
        (mapper.Allowed(pageDirectory, page, user: false) & ~AddressWindow.WritableBit) == (frame | AddressWindow.MappedBit);
}
