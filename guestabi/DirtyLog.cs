// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>
/// Which pages of guest memory were written since they were last asked for: a bit for each. The host's own writes come as to any
/// observer; an engine marks what the guest writes. For the thread that runs the guest.
/// </summary>
public sealed class DirtyLog : IHostWriteObserver
{
    private const int BitsPerWord = 64;
    private readonly ulong[] _pages;
    private readonly ulong[] _taken;

    /// <summary>A log in which nothing is written.</summary>
    /// <param name="top">First address above the guest's memory.</param>
    public DirtyLog(ulong top)
    {
        ulong pages = (top + Page.Size - 1) >> Page.Shift;
        _pages = new ulong[(pages + BitsPerWord - 1) / BitsPerWord];
        _taken = new ulong[_pages.Length];
    }

    /// <summary>Whether a page was written.</summary>
    /// <param name="address">An address in it, below the top.</param>
    public bool Contains(uint address) => (_pages[Word(address)] & Bit(address)) != 0;

    /// <summary>A page is written.</summary>
    /// <param name="address">An address in it, below the top.</param>
    public void Mark(uint address) => _pages[Word(address)] |= Bit(address);

    /// <inheritdoc/>
    public void HostWrites(uint address, uint length)
    {
        for (ulong page = address & ~Page.OffsetMask; page < address + (ulong)length; page += Page.Size)
            Mark((uint)page);
    }

    /// <summary>The pages of a range that are written, as runs in order; they are clean then.</summary>
    /// <param name="range">Whole pages.</param>
    public IReadOnlyList<MemoryRange> TakeAndClear(MemoryRange range)
    {
        List<MemoryRange> taken = Runs(range, Contains);
        foreach (MemoryRange run in taken)
        {
            for (ulong page = run.Start; page < run.End; page += Page.Size)
            {
                _pages[Word((uint)page)] &= ~Bit((uint)page);
                _taken[Word((uint)page)] |= Bit((uint)page);
            }
        }

        return taken;
    }

    /// <summary>The pages of a range that were written at any time, taken or not, as runs in order.</summary>
    /// <param name="range">Whole pages.</param>
    public IReadOnlyList<MemoryRange> EverWritten(MemoryRange range) =>
        Runs(range, address => ((_pages[Word(address)] | _taken[Word(address)]) & Bit(address)) != 0);

    private List<MemoryRange> Runs(MemoryRange range, Func<uint, bool> which)
    {
        List<MemoryRange> runs = [];
        ulong end = Math.Min(range.End, (ulong)_pages.Length * BitsPerWord << Page.Shift);
        for (ulong page = range.Start; page < end; page += Page.Size)
        {
            if (!which((uint)page))
                continue;
            if (runs.Count > 0 && runs[^1].End == page)
                runs[^1] = runs[^1] with { Length = runs[^1].Length + Page.Size };
            else
                runs.Add(new MemoryRange((uint)page, Page.Size));
        }

        return runs;
    }

    private static int Word(uint address) => (int)(address >> Page.Shift) / BitsPerWord;

    private static ulong Bit(uint address) => 1UL << (int)((address >> Page.Shift) % BitsPerWord);
}
