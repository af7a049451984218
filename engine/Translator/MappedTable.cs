// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>
/// What a window has mapped of one page table, and what that table looked like when it was last compared with the window. A
/// guest that says "everything may have changed" has mostly changed a page or none; a table that is still the same, and from
/// which nothing was mapped since, has nothing to put right. Comparing 4 KiB costs a fraction of looking at all that it maps.
/// </summary>
/// <param name="first">The first linear page that the table maps.</param>
/// <param name="length">How many it maps.</param>
internal sealed class MappedTable(uint first, uint length)
{
    private readonly byte[] _entries = new byte[Page.Size];
    private uint _tableEntry;
    private bool _isCompared;

    /// <summary>The first linear page.</summary>
    public uint First { get; } = first;

    /// <summary>The last one.</summary>
    public uint Last => First + Length - 1;

    /// <summary>Pages that the table maps.</summary>
    public uint Length { get; } = length;

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
    /// <param name="tableEntry">The entry that names the table.</param>
    /// <param name="entries">The table.</param>
    public bool IsAsRemembered(uint tableEntry, ReadOnlySpan<byte> entries) =>
        _isCompared && tableEntry == _tableEntry && MemoryComparison.AreEqual(entries, _entries);

    /// <summary>What <see cref="Remember"/> has seen: nobody else's to change.</summary>
    public ReadOnlySpan<byte> Entries => _entries;

    /// <summary>All that the window has mapped of the table is compared with it now, in the form of <see cref="Entries"/>.</summary>
    /// <param name="tableEntry">The entry that names the table.</param>
    /// <param name="entries">The table, which is copied.</param>
    public void Remember(uint tableEntry, ReadOnlySpan<byte> entries)
    {
        _tableEntry = tableEntry;
        entries.CopyTo(_entries);
        _isCompared = true;
    }
}
