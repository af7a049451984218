// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>
/// A guest that changes page tables and uses them before it has flushed them gets the old page or the new one. Both engines are
/// made to forget what they know at such a place, which a processor may do at any time, and then must agree; only within a
/// block that itself changes the entries it uses there is nothing to compare.
/// </summary>
public sealed unsafe partial class CheckCore
{
    private readonly TableChanges _tables;

    /// <summary>Blocks that were not compared, since they used page table entries that they had just changed, or wrote over themselves on the way.</summary>
    public long Freedoms { get; private set; }

    /// <inheritdoc/>
    public override void SetPaging(PagingFormat format)
    {
        _translator.SetPaging(format);
        _oracle.SetPaging(format);
        _tables.Flushed(_pageDirectory);
    }

    /// <inheritdoc/>
    public override void LoadPageDirectory(uint physical)
    {
        _pageDirectory = physical;
        _translator.LoadPageDirectory(physical);
        _oracle.LoadPageDirectory(physical);
        _tables.Flushed(physical);
    }

    /// <inheritdoc/>
    public override void FlushTlb()
    {
        _translator.FlushTlb();
        _oracle.FlushTlb();
        _tables.Flushed(_pageDirectory);
    }

    /// <inheritdoc/>
    public override void FlushUserTlb()
    {
        _translator.FlushUserTlb();
        _oracle.FlushUserTlb();
        _tables.UserFlushed(Context.KernelStart);
    }

    /// <inheritdoc/>
    public override void InvalidatePage(uint linear)
    {
        _translator.InvalidatePage(linear);
        _oracle.InvalidatePage(linear);
        _tables.PageFlushed(linear);
    }

    /// <inheritdoc/>
    public override void InvalidatePage(uint pageDirectory, uint linear)
    {
        _translator.InvalidatePage(pageDirectory, linear);
        _oracle.InvalidatePage(pageDirectory, linear);
        if (pageDirectory == _pageDirectory)
            _tables.PageFlushed(linear);
    }

    /// <inheritdoc/>
    public override void InvalidateDirectoryEntry(uint pageDirectory, uint index)
    {
        _translator.InvalidateDirectoryEntry(pageDirectory, index);
        _oracle.InvalidateDirectoryEntry(pageDirectory, index);
        _tables.DirectoryEntryFlushed(pageDirectory, index);
    }

    /// <summary>The interpreter's turn, on translations that the translator has too.</summary>
    /// <param name="block">The block; another one if what is at EIP depends on the tables.</param>
    /// <param name="free">Whether the block uses entries that it changes.</param>
    private Stretch RunOracleOnTables(ref Translator.Block? block, out bool free)
    {
        free = false;
        bool isClear = _tables.IsEmpty;
        if (!isClear)
            _oracle.FlushTlb();
        Stretch expected = RunOracle(block?.End ?? Cpu->Arch.Eip, int.MaxValue);
        if (!isClear && _tables.IsAmbiguous(_journal.Walked))
        {
            ForgetTranslations();
            block = _translator.NextBlock();
            expected = RunOracle(block?.End ?? Cpu->Arch.Eip, int.MaxValue);
        }

        if (!ChangesTables())
            return expected;
        _oracle.FlushTlb();
        expected = RunOracle(block?.End ?? Cpu->Arch.Eip, int.MaxValue);
        TableChanges own = new(Memory, Walker);
        own.Flushed(_pageDirectory);
        foreach (ref readonly WriteJournal.Entry entry in _journal.Entries)
        {
            if (!entry.IsMark)
                own.Note(entry.Physical, _journal.Before(in entry), _journal.After(in entry));
        }

        free = own.IsAmbiguous(_journal.Walked);
        return expected;
    }

    /// <summary>Whether the interpreter's last turn wrote into tables.</summary>
    private bool ChangesTables()
    {
        foreach (ref readonly WriteJournal.Entry entry in _journal.Entries)
        {
            if (!entry.IsMark && (_tables.IsTable(entry.Physical) || _tables.IsTable(entry.Physical + (uint)entry.Size - 1))
                && !_journal.Before(in entry).SequenceEqual(_journal.After(in entry)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What the translator made of a block that there is nothing to compare in is what holds.</summary>
    private void TakeUncompared()
    {
        Freedoms++;
        _shadow.TakeAll();
        _oracle.ForgetDecoded();
        ForgetTranslations();
    }

    /// <summary>Both engines forget all translations.</summary>
    private void ForgetTranslations()
    {
        _translator.FlushTlb();
        _oracle.FlushTlb();
        _tables.Flushed(_pageDirectory);
    }

    /// <summary>Notes what both have written into tables.</summary>
    private void NoteTableChanges()
    {
        foreach (ref readonly WriteJournal.Entry entry in _journal.Entries)
        {
            if (!entry.IsMark && (_tables.IsTable(entry.Physical) || _tables.IsTable(entry.Physical + (uint)entry.Size - 1)))
                _tables.Note(entry.Physical, _journal.Before(in entry), _journal.After(in entry));
        }
    }

    /// <summary>Takes over what somebody else wrote, and notes what of it is in tables.</summary>
    private void TakeIntoShadow(uint physical, int size)
    {
        if (_tables.IsTable(physical) || _tables.IsTable(physical + (uint)size - 1))
            NoteDifference(physical, size);
        _shadow.Take(physical, size);
    }

    /// <summary>The same for all of memory.</summary>
    private void TakeAllIntoShadow()
    {
        foreach (uint frame in _tables.Frames)
        {
            if (Memory.Contains(frame, Page.Size))
                NoteDifference(frame, (int)Page.Size);
        }

        _shadow.TakeAll();
    }

    private void NoteDifference(uint physical, int size)
    {
        uint last = (uint)Math.Min(physical + (ulong)size, Memory.Top);
        for (uint at = physical; at < last; at++)
        {
            byte before = _shadow[at], after = Memory.Base[at];
            if (((before ^ after) & ((at & 3) == 0 ? ~WriteJournal.Marks : byte.MaxValue)) != 0)
                _tables.Note(at, [before], [after]);
        }
    }
}
