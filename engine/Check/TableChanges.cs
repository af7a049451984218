// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Paging;

namespace Lguest.Engine.Check;

/// <summary>
/// Page table entries of the current address space that were changed since the guest last flushed them. Until it does, a
/// processor may go by the old entry or by the new one, whichever its TLB happens to hold (Intel SDM vol. 3A, 4.10.2.3), and so
/// may each engine: where such an entry is used there is no right and wrong.
/// </summary>
internal sealed class TableChanges(GuestMemory memory, PageWalker walker)
{
    private const uint LastPage = uint.MaxValue >> Page.Shift;

    /// <summary>The tables below the top one, and how many entries name each.</summary>
    private readonly Dictionary<uint, int> _tables = [];
    private readonly HashSet<uint> _changed = [];
    private readonly List<uint> _found = [];
    private uint _top;
    private uint _directory;

    /// <summary>Whether nothing was changed.</summary>
    public bool IsEmpty => _changed.Count == 0;

    /// <summary>Whether other processes can write to a table, at any time.</summary>
    public bool AreForeign { get; private set; }

    /// <summary>Everything was flushed: what is known now is what the tables say.</summary>
    /// <param name="directory">Guest physical address of the page directory.</param>
    public void Flushed(uint directory)
    {
        _top = walker.TopAddress(directory);
        _directory = _top & ~Page.OffsetMask;
        _changed.Clear();
        FindTables();
    }

    /// <summary>All below the kernel was flushed.</summary>
    /// <param name="kernelStart">Where the kernel begins; 0 when that is not known.</param>
    public void UserFlushed(uint kernelStart)
    {
        if (IsEmpty)
        {
            FindTables();
            return;
        }

        // A table may be the kernel's too; what was changed in it is unclear until all is flushed.
        HashSet<uint> kernels = [.. TablesOf(kernelStart >> Page.Shift, LastPage)];
        _changed.RemoveWhere(at => (at & ~Page.OffsetMask) == _directory
            ? (at - _top) / walker.EntryBytes < walker.TopIndex(kernelStart)
            : !kernels.Contains(at & ~Page.OffsetMask));
        FindTables();
    }

    /// <summary>One page of the current address space was flushed.</summary>
    public void PageFlushed(uint linear)
    {
        // An entry that maps several pages is flushed when all of them are.
        if (IsEmpty || walker.Look(_top, linear).Table is not { Entry: not null } entry)
            return;
        uint table = entry.Address & ~Page.OffsetMask;
        if (_tables.GetValueOrDefault(table) == 1 && table != _directory)
            _changed.Remove(entry.Address);
    }

    /// <summary>What an entry of a page directory stands for was flushed, whose table may be another one now.</summary>
    public void DirectoryEntryFlushed(uint directory, uint index)
    {
        if (walker.TopAddress(directory) == _top)
        {
            _changed.Remove(_top + (index * walker.EntryBytes));
            (uint first, uint last) = walker.PagesOf(index);
            foreach (uint table in TablesOf(first, last))
            {
                if (_tables.GetValueOrDefault(table) <= 1 && table != _directory)
                    _changed.RemoveWhere(at => (at & ~Page.OffsetMask) == table);
            }
        }

        FindTables();
    }

    /// <summary>Bytes were written: notes those that are parts of tables.</summary>
    /// <param name="physical">Where they are.</param>
    /// <param name="before">What was there.</param>
    /// <param name="after">What is there now.</param>
    /// <returns>Whether an entry was changed.</returns>
    public bool Note(uint physical, ReadOnlySpan<byte> before, ReadOnlySpan<byte> after)
    {
        bool noted = false;
        for (int i = 0; i < before.Length; i++)
        {
            uint at = physical + (uint)i;
            if (before[i] != after[i] && IsTable(at))
            {
                _changed.Add(at & ~(walker.EntryBytes - 1));
                noted = true;
            }
        }

        return noted;
    }

    /// <summary>Whether an address is in a table of the current address space.</summary>
    public bool IsTable(uint physical) =>
        (physical & ~Page.OffsetMask) == _directory || _tables.ContainsKey(physical & ~Page.OffsetMask);

    /// <summary>The pages that tables are in.</summary>
    public IEnumerable<uint> Frames => _tables.Keys.Append(_directory);

    /// <summary>Whether any of some pages is mapped by an entry that was changed.</summary>
    public bool IsAmbiguous(IEnumerable<uint> linears)
    {
        if (IsEmpty)
            return false;
        foreach (uint linear in linears)
        {
            foreach (PageTableLevel level in walker.Look(_top, linear).Levels)
            {
                if (_changed.Contains(level.Address))
                    return true;
            }
        }

        return false;
    }

    /// <summary>The tables below the top one in which some pages have entries: one for each entry that names one. Valid until the next call.</summary>
    private List<uint> TablesOf(uint first, uint last)
    {
        _found.Clear();
        walker.AddTables(_top, first, last, _found);
        return _found;
    }

    private void FindTables()
    {
        _tables.Clear();
        AreForeign = IsForeign(_directory);
        foreach (uint table in TablesOf(0, LastPage))
        {
            _tables[table] = _tables.GetValueOrDefault(table) + 1;
            AreForeign |= IsForeign(table);
        }
    }

    private bool IsForeign(uint table) => memory.Contains(table, Page.Size) && memory.IsForeign(table);
}
