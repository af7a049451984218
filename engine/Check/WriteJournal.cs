// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Interpreter;
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>
/// What an interpreter writes, so that it can be taken back. To the interpreter this is somebody who has code in every frame:
/// then it announces each write before it makes it.
/// </summary>
internal sealed unsafe class WriteJournal(GuestMemory memory) : IForeignCode
{
    /// <summary>Bits of a page table entry that walks set, at a time that is a processor's own affair.</summary>
    public const byte Marks = (byte)(PageFlags.Accessed | PageFlags.Dirty);

    private readonly List<Entry> _entries = [];
    private readonly List<byte> _before = [];
    private readonly List<byte> _after = [];
    private readonly HashSet<uint> _walked = [];

    /// <summary>Whether it is being written.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>The writes, in order.</summary>
    public ReadOnlySpan<Entry> Entries => CollectionsMarshal.AsSpan(_entries);

    /// <inheritdoc/>
    public bool HasCode(uint physical) => true;

    /// <inheritdoc/>
    public void WillChange(uint physical, int size)
    {
        if (IsOpen)
            Add(physical, new ReadOnlySpan<byte>(memory.Base + physical, size), isMark: false);
    }

    /// <inheritdoc/>
    public void EntryMarked(uint physical, uint before)
    {
        if (IsOpen)
            Add(physical, new ReadOnlySpan<byte>(&before, sizeof(uint)), isMark: true);
    }

    /// <summary>Whether the interpreter has come to memory that other processes can write, where nothing need be the same a moment later.</summary>
    public bool ReachedForeign { get; private set; }

    /// <inheritdoc/>
    public bool ReachesForeign() => ReachedForeign = true;

    /// <inheritdoc/>
    public void Decoded(uint frame)
    {
    }

    /// <inheritdoc/>
    public void Touched(uint page)
    {
    }

    /// <summary>The pages that were looked up in the guest's tables, by an address in each.</summary>
    public IReadOnlyCollection<uint> Walked => _walked;

    /// <inheritdoc/>
    void IForeignCode.Walked(uint linear)
    {
        if (IsOpen)
            _walked.Add(linear & ~Page.OffsetMask);
    }

    /// <summary>Starts anew.</summary>
    public void Open()
    {
        _walked.Clear();
        _entries.Clear();
        _before.Clear();
        _after.Clear();
        ReachedForeign = false;
        IsOpen = true;
    }

    /// <summary>Ends it, remembers what was written, and takes it back.</summary>
    public void TakeBack()
    {
        IsOpen = false;
        foreach (ref readonly Entry entry in Entries)
            _after.AddRange(new ReadOnlySpan<byte>(memory.Base + entry.Physical, entry.Size));
        ReadOnlySpan<byte> before = CollectionsMarshal.AsSpan(_before);
        for (int i = _entries.Count - 1; i >= 0; i--)
            before.Slice(_entries[i].Start, _entries[i].Size).CopyTo(new Span<byte>(memory.Base + _entries[i].Physical, _entries[i].Size));
    }

    /// <summary>Ends it: what was written stays.</summary>
    public void Close() => IsOpen = false;

    /// <summary>What was there before an entry was written.</summary>
    public ReadOnlySpan<byte> Before(in Entry entry) => CollectionsMarshal.AsSpan(_before).Slice(entry.Start, entry.Size);

    /// <summary>What was there in the end.</summary>
    public ReadOnlySpan<byte> After(in Entry entry) => CollectionsMarshal.AsSpan(_after).Slice(entry.Start, entry.Size);

    /// <summary>What is at every entry's place now.</summary>
    public IMemoryChange Now()
    {
        List<byte> now = [];
        foreach (ref readonly Entry entry in Entries)
            now.AddRange(new ReadOnlySpan<byte>(memory.Base + entry.Physical, entry.Size));
        return new Written(memory, [.. _entries], [.. _before], [.. now]);
    }

    /// <summary>Whether a word is a page table entry that was marked on the way.</summary>
    public bool IsMarked(uint physical)
    {
        foreach (ref readonly Entry entry in Entries)
        {
            if (entry.IsMark && entry.Physical == physical)
                return true;
        }

        return false;
    }

    private void Add(uint physical, ReadOnlySpan<byte> before, bool isMark)
    {
        _entries.Add(new Entry(physical, before.Length, _before.Count, isMark));
        _before.AddRange(before);
    }

    /// <summary>One write.</summary>
    /// <param name="Physical">Where.</param>
    /// <param name="Size">How many bytes.</param>
    /// <param name="Start">Where they are in the journal.</param>
    /// <param name="IsMark">A mark in a page table entry, no write of the guest's.</param>
    internal readonly record struct Entry(uint Physical, int Size, int Start, bool IsMark);

    /// <summary>Memory at some places, before and now.</summary>
    private sealed class Written(GuestMemory memory, Entry[] entries, byte[] before, byte[] now) : IMemoryChange
    {
        /// <inheritdoc/>
        public void TakeBack()
        {
            for (int i = entries.Length - 1; i >= 0; i--)
                before.AsSpan(entries[i].Start, entries[i].Size).CopyTo(new Span<byte>(memory.Base + entries[i].Physical, entries[i].Size));
        }

        /// <inheritdoc/>
        public void Announce(IHostWriteObserver observer)
        {
            foreach (ref readonly Entry entry in entries.AsSpan())
                observer.HostWrites(entry.Physical, (uint)entry.Size);
        }

        /// <inheritdoc/>
        public byte? After(uint physical)
        {
            foreach (ref readonly Entry entry in entries.AsSpan())
            {
                if (physical - entry.Physical < (uint)entry.Size)
                    return now[entry.Start + (int)(physical - entry.Physical)];
            }

            return null;
        }

        /// <inheritdoc/>
        public void DoAgain()
        {
            foreach (ref readonly Entry entry in entries.AsSpan())
                now.AsSpan(entry.Start, entry.Size).CopyTo(new Span<byte>(memory.Base + entry.Physical, entry.Size));
        }
    }
}
