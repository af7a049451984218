// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Disks;

/// <summary>
/// Where each cluster of a disk is: in the file below, or at which cluster of the file above. In memory only: four bytes for each
/// cluster, for those 512 MiB of the disk of which something was written.
/// </summary>
internal sealed class ClusterMap
{
    /// <summary>A cluster has 64 KiB, as <c>qemu-img</c> makes them.</summary>
    public const int Bits = 16;

    /// <summary>Bytes of a cluster.</summary>
    public const int Size = 1 << Bits;

    /// <summary>A table of the map covers 8192 clusters, as one of the format does, of eight bytes each.</summary>
    public const int TableBits = Bits - 3;

    /// <summary>Clusters of a table.</summary>
    public const int TableLength = 1 << TableBits;

    /// <summary>Its content is in the file below.</summary>
    public const uint Below = 0;

    /// <summary>Its content is zeros: only QEMU makes such clusters.</summary>
    public const uint Zeros = uint.MaxValue;

    private readonly uint[]?[] _tables;

    /// <summary>A map on which everything is below.</summary>
    /// <param name="length">Bytes of the disk.</param>
    public ClusterMap(long length)
    {
        Clusters = (uint)((length + Size - 1) >> Bits);
        _tables = new uint[]?[(Clusters + TableLength - 1) >> TableBits];
    }

    /// <summary>Clusters of the disk; the last may have fewer bytes than the others.</summary>
    public uint Clusters { get; }

    /// <summary>Tables.</summary>
    public int Tables => _tables.Length;

    /// <summary>Whether nothing is above.</summary>
    public bool IsEmpty => Array.TrueForAll(_tables, static table => table == null);

    /// <summary>Where a cluster is: <see cref="Below"/>, <see cref="Zeros"/> or the number of a cluster in the file above.</summary>
    public uint this[uint cluster]
    {
        get => _tables[cluster >> TableBits]?[cluster & (TableLength - 1)] ?? Below;
        set => (_tables[cluster >> TableBits] ??= new uint[TableLength])[cluster & (TableLength - 1)] = value;
    }

    /// <summary>Whether a place is in the file above.</summary>
    public static bool IsAbove(uint place) => place is not Below and not Zeros;

    /// <summary>Counts the clusters that can be read or written at once, since they lie one after the other.</summary>
    /// <param name="cluster">The first.</param>
    /// <param name="most">More are not wanted.</param>
    /// <param name="place">Where the first one is.</param>
    public int Run(uint cluster, int most, out uint place)
    {
        place = this[cluster];
        uint step = IsAbove(place) ? 1u : 0u;
        int count = 1;
        while (count < most && cluster + (uint)count < Clusters && this[cluster + (uint)count] == place + (step * (uint)count))
            count++;
        return count;
    }
}
