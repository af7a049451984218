// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>
/// Page table entries of the current address space that were changed since the guest last flushed them. Until it does, a
/// processor may go by the old entry or by the new one, whichever its TLB happens to hold (Intel SDM vol. 3A, 4.10.2.3), and so
/// may each engine: where such an entry is used there is no right and wrong.
/// </summary>
internal sealed unsafe class TableChanges(GuestMemory memory)
{
    private const uint EntryBytes = sizeof(uint);
    private const int IndexShift = 22;

    private readonly Dictionary<uint, int> _tables = [];
    private readonly HashSet<uint> _changed = [];
    private uint _directory;

    /// <summary>Whether nothing was changed.</summary>
    public bool IsEmpty => _changed.Count == 0;

    /// <summary>Whether other processes can write to a table, at any time.</summary>
    public bool AreForeign { get; private set; }

    /// <summary>Everything was flushed: what is known now is what the tables say.</summary>
    /// <param name="directory">Guest physical address of the page directory.</param>
    public void Flushed(uint directory)
    {
        _directory = directory & ~Page.OffsetMask;
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
        HashSet<uint> kernels = [_directory];
        for (uint index = kernelStart >> IndexShift; index < Page.EntriesPerTable; index++)
            kernels.Add(TableOf(index));
        _changed.RemoveWhere(at => (at & ~Page.OffsetMask) == _directory
            ? (at & Page.OffsetMask) / EntryBytes < kernelStart >> IndexShift
            : !kernels.Contains(at & ~Page.OffsetMask));
        FindTables();
    }

    /// <summary>One page of the current address space was flushed.</summary>
    public void PageFlushed(uint linear)
    {
        // An entry that maps several pages is flushed when all of them are.
        uint table = TableOf(linear >> IndexShift);
        if (!IsEmpty && _tables.GetValueOrDefault(table) == 1 && table != _directory)
            _changed.Remove(EntryOf(table, linear >> Page.Shift));
    }

    /// <summary>4 MiB of an address space were flushed, whose table may be another one now.</summary>
    public void DirectoryEntryFlushed(uint directory, uint index)
    {
        if ((directory & ~Page.OffsetMask) == _directory)
        {
            _changed.Remove(EntryOf(_directory, index));
            uint table = TableOf(index);
            if (_tables.GetValueOrDefault(table) <= 1 && table != _directory)
                _changed.RemoveWhere(at => (at & ~Page.OffsetMask) == table);
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
                _changed.Add(at & ~(EntryBytes - 1));
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
            uint index = linear >> IndexShift;
            if (_changed.Contains(EntryOf(_directory, index)) || _changed.Contains(EntryOf(TableOf(index), linear >> Page.Shift)))
                return true;
        }

        return false;
    }

    private static uint EntryOf(uint table, uint index) => table + ((index & (Page.EntriesPerTable - 1)) * EntryBytes);

    private uint TableOf(uint index)
    {
        uint at = EntryOf(_directory, index);
        return memory.Contains(at, EntryBytes) ? *(uint*)(memory.Base + at) & ~Page.OffsetMask : 0;
    }

    private void FindTables()
    {
        _tables.Clear();
        AreForeign = memory.Contains(_directory, Page.Size) && memory.IsForeign(_directory);
        for (uint index = 0; index < Page.EntriesPerTable; index++)
        {
            uint at = EntryOf(_directory, index);
            if (!memory.Contains(at, EntryBytes))
                return;
            uint entry = *(uint*)(memory.Base + at);
            if ((entry & (uint)PageFlags.Present) == 0)
                continue;
            uint table = entry & ~Page.OffsetMask;
            _tables[table] = _tables.GetValueOrDefault(table) + 1;
            AreForeign |= memory.Contains(table, Page.Size) && memory.IsForeign(table);
        }
    }
}
