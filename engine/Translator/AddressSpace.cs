// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory.PageTables;

namespace Lguest.Engine.Translator;

/// <summary>A page directory's user part, as ring 3 sees it.</summary>
/// <param name="pageDirectory">Guest physical address of the directory.</param>
/// <param name="window">Where ring 3 sees it.</param>
/// <param name="entries">What is remembered of the directory's user part.</param>
internal sealed class AddressSpace(uint pageDirectory, AddressWindow window, TableEntries entries)
{
    /// <summary>Guest physical address of the directory.</summary>
    public uint PageDirectory { get; } = pageDirectory;

    /// <summary>Where ring 3 sees it.</summary>
    public AddressWindow Window { get; } = window;

    /// <summary>The directory's user part, as it was when the guest switched away.</summary>
    public TableEntries Entries { get; } = entries;

    /// <summary>Names the mapping under which code is entered; a new one whenever it changes.</summary>
    public ulong Key { get; set; }

    /// <summary>Its place among those that were used recently.</summary>
    public LinkedListNode<AddressSpace> Place { get; set; } = null!;

    /// <summary>Pages that the interpreter found its way to: the next time they are missed they are worth mapping.</summary>
    public HashSet<uint> Visited { get; } = [];

    /// <summary>Pages whose code is entered under <see cref="Key"/>, and what they were then, in the form of <see cref="AddressWindow.this"/>.</summary>
    public Dictionary<uint, uint> CodePages { get; } = [];

    /// <summary>The guest said that everything may have changed while it was in another space.</summary>
    public bool IsStale { get; set; }

    /// <summary>Instructions that the interpreter goes on for; 0: translated code runs.</summary>
    public int Slice { get; set; }

    /// <summary>The page that ring 3 came to last in a slice.</summary>
    public uint LastVisited { get; set; }
}
