// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Disks;

/// <summary>Which clusters of an overlay's file are in use, and where its tables are: as on the medium, and what is to be written there.</summary>
internal sealed class Qcow2Tables
{
    private const int BitsOfWord = 64;

    private readonly Dictionary<uint, ulong[]> _used = [];

    /// <summary>By number, the cluster of each second-level table; 0: there is none.</summary>
    public required uint[] Level2 { get; init; }

    /// <summary>By number, the cluster of each block of counts; 0: there is none.</summary>
    public uint[] Blocks { get; } = new uint[Qcow2Format.MostBlocks];

    /// <summary>What was recorded and is not in the second-level tables yet.</summary>
    public List<(uint Cluster, uint Place)> Pending { get; } = [];

    /// <summary>Blocks that count clusters which nothing refers to: a launcher was killed, or its host lost power.</summary>
    public SortedSet<uint> BlocksWithLeaks { get; } = [];

    /// <summary>The first cluster after all that are in use.</summary>
    public uint Next { get; set; }

    /// <summary>Blocks of counts in whose range a cluster is in use.</summary>
    public IEnumerable<uint> UsedBlocks => _used.Keys;

    /// <summary>Marks a cluster as in use.</summary>
    /// <returns>False when it was already.</returns>
    public bool Use(uint place)
    {
        uint block = place >> Qcow2Format.BlockBits;
        if (!_used.TryGetValue(block, out ulong[]? words))
            _used.Add(block, words = new ulong[(1 << Qcow2Format.BlockBits) / BitsOfWord]);
        ref ulong word = ref words[(place & ((1 << Qcow2Format.BlockBits) - 1)) / BitsOfWord];
        ulong bit = 1UL << (int)(place % BitsOfWord);
        if ((word & bit) != 0)
            return false;
        word |= bit;
        Next = Math.Max(Next, place + 1);
        return true;
    }

    /// <summary>Whether a cluster is in use.</summary>
    public bool IsUsed(uint place) =>
        _used.TryGetValue(place >> Qcow2Format.BlockBits, out ulong[]? words)
        && (words[(place & ((1 << Qcow2Format.BlockBits) - 1)) / BitsOfWord] & (1UL << (int)(place % BitsOfWord))) != 0;

    /// <summary>Counts as they should be: 1 for what is in use.</summary>
    /// <param name="first">The first cluster.</param>
    /// <param name="last">The last.</param>
    public byte[] Counts(uint first, uint last)
    {
        byte[] counts = new byte[2 * (last - first + 1)];
        for (uint place = first; place <= last; place++)
        {
            if (IsUsed(place))
                counts[(2 * (place - first)) + 1] = 1;
        }

        return counts;
    }
}
