// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Translator;

/// <summary>
/// What a window has mapped of one page table, and what that table looked like when it was last compared with the window. A
/// guest that says "everything may have changed" has mostly changed a page or none; a table that is still the same, and from
/// which nothing was mapped since, has nothing to put right. Comparing 4 KiB costs a fraction of looking at 1,024 pages.
/// </summary>
/// <param name="index">Which entry of the page directory leads to the table.</param>
internal sealed unsafe class MappedTable(uint index)
{
    /// <summary>Entries of a page table.</summary>
    public const int Length = 1024;

    private readonly uint[] _entries = new uint[Length];
    private uint _directoryEntry;
    private bool _isCompared;

    /// <summary>Which entry of the page directory leads to the table.</summary>
    public uint Index { get; } = index;

    /// <summary>The first linear page.</summary>
    public uint First => Index * Length;

    /// <summary>The last one.</summary>
    public uint Last => First + Length - 1;

    /// <summary>Pages that are mapped.</summary>
    public int Pages { get; private set; }

    /// <summary>A page was mapped, perhaps from an entry that <see cref="Remember"/> has not seen.</summary>
    /// <param name="isNew">Whether there was nothing in its place.</param>
    public void Mapped(bool isNew)
    {
        _isCompared = false;
        Pages += isNew ? 1 : 0;
    }

    /// <summary>A page was unmapped.</summary>
    public void Unmapped() => Pages--;

    /// <summary>Nothing is mapped any more.</summary>
    public void Clear()
    {
        _isCompared = false;
        Pages = 0;
    }

    /// <summary>Whether the window has nothing but what the table, unchanged, allowed when it was compared.</summary>
    public bool IsAsRemembered(uint directoryEntry, uint* entries) =>
        _isCompared && directoryEntry == _directoryEntry && new ReadOnlySpan<uint>(entries, Length).SequenceEqual(_entries);

    /// <summary>What <see cref="Remember"/> has seen: nobody else's to change.</summary>
    public ReadOnlySpan<uint> Entries => _entries;

    /// <summary>All that the window has mapped of the table is compared with it now, in the form of <see cref="Entries"/>.</summary>
    public void Remember(uint directoryEntry, uint* entries)
    {
        _directoryEntry = directoryEntry;
        new ReadOnlySpan<uint>(entries, Length).CopyTo(_entries);
        _isCompared = true;
    }
}
