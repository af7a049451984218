// SPDX-License-Identifier: GPL-2.0-or-later
using static System.Buffers.Binary.BinaryPrimitives;

namespace Lguest.Devices.Backends.Disks;

/// <summary>
/// Reads all tables of an overlay, and believes nothing: each cluster of the file is in use once and counted once, and all are within the
/// file. What was found to be true stays in memory, and is never read again.
/// </summary>
internal sealed class Qcow2Loader
{
    private readonly IHostFile _file;
    private readonly string _path;
    private readonly Qcow2Header _header;
    private readonly ClusterMap _map;
    private readonly Qcow2Tables _tables;
    private readonly byte[] _cluster = new byte[ClusterMap.Size];
    private readonly long _clusters;

    private Qcow2Loader(IHostFile file, string path, Qcow2Header header, ClusterMap map, long length)
    {
        _file = file;
        _path = path;
        _header = header;
        _map = map;
        _clusters = (length + ClusterMap.Size - 1) >> ClusterMap.Bits;
        _tables = new Qcow2Tables { Level2 = new uint[map.Tables] };
    }

    /// <summary>Reads an overlay.</summary>
    /// <param name="file">The file.</param>
    /// <param name="path">Its name.</param>
    /// <param name="header">Its first cluster.</param>
    /// <param name="map">An empty map of the disk; it is filled.</param>
    /// <param name="boot">What names this boot of the host.</param>
    /// <exception cref="DeviceException">It is damaged, or cannot be read.</exception>
    public static Qcow2Tables Load(IHostFile file, string path, Qcow2Header header, ClusterMap map, ReadOnlySpan<byte> boot)
    {
        if (file.Measure(out long length) is var error and not 0)
            throw new DeviceException($"overlay '{path}' cannot be measured: {HostMessage.Of(error)}");
        Qcow2Loader loader = new(file, path, header, map, length);
        loader.ReadTables();

        // In another boot of the host nobody knows which of the clusters that were not flushed are whole. In this one they all are: what a
        // process had written when it was killed is in the page cache.
        if (header.HasRecords && boot.SequenceEqual(header.Boot))
            loader.ReadRecords();
        loader.ReadCounts();
        return loader._tables;
    }

    private void ReadTables()
    {
        Use(0, "header");
        Use(PlaceOf((ulong)_header.RefcountTable, "table of counts"), "table of counts");
        if (_header.Level1Length < (uint)_map.Tables)
            throw Damaged("its first table is too short");
        uint level1 = PlaceOf((ulong)_header.Level1Offset, "first table");
        long level1Clusters = (((long)_header.Level1Length * sizeof(ulong)) + ClusterMap.Size - 1) >> ClusterMap.Bits;
        if (level1 + level1Clusters > _clusters)
            throw Damaged("its first table reaches beyond the end");
        for (uint i = 0; i < level1Clusters; i++)
            Use(level1 + i, "first table");

        byte[] entries = new byte[_map.Tables * sizeof(ulong)];
        Read(entries, _header.Level1Offset);
        for (int table = 0; table < _map.Tables; table++)
        {
            ulong entry = ReadUInt64BigEndian(entries.AsSpan(table * sizeof(ulong)));
            if (entry != 0)
                ReadLevel2(table, PlaceOfEntry(entry, "second table"));
        }
    }

    private void ReadLevel2(int table, uint place)
    {
        Use(place, "second table");
        _tables.Level2[table] = place;
        Read(_cluster, (long)place << ClusterMap.Bits);
        uint first = (uint)table << ClusterMap.TableBits;
        for (uint i = 0; i < ClusterMap.TableLength; i++)
        {
            ulong entry = ReadUInt64BigEndian(_cluster.AsSpan((int)i * sizeof(ulong)));
            if (entry == 0)
                continue;
            if (first + i >= _map.Clusters)
                throw Damaged("a cluster lies beyond the end of the disk");
            if ((entry & Qcow2Format.Compressed) != 0)
                throw new DeviceException($"overlay '{_path}' has compressed clusters, which lguest cannot use; 'qemu-img convert -O raw' makes an ordinary disk image of it");
            bool isZeros = (entry & Qcow2Format.ReadsAsZeros) != 0;
            uint at = 0;
            if (!isZeros || (entry & Qcow2Format.OffsetMask) != 0)
            {
                at = PlaceOfEntry(entry & ~Qcow2Format.ReadsAsZeros, "cluster");
                Use(at, "cluster");
            }

            _map[first + i] = isZeros ? ClusterMap.Zeros : at;
        }
    }

    private void ReadRecords()
    {
        byte[] records = new byte[Qcow2Format.MostRecords * Qcow2Format.RecordLength];
        Read(records, _header.Own + Qcow2Format.OwnRecordsAt);
        for (int i = 0; i < Qcow2Format.MostRecords; i++)
        {
            ReadOnlySpan<byte> record = records.AsSpan(i * Qcow2Format.RecordLength, Qcow2Format.RecordLength);
            uint cluster = ReadUInt32BigEndian(record);
            uint place = ReadUInt32BigEndian(record[sizeof(uint)..]);
            if (place == 0)
                break;
            if (cluster >= _map.Clusters || place >= _clusters)
                throw Damaged("a record names a cluster that is not there");
            uint before = _map[cluster];

            // Killed after the tables were written, and before the records were taken back.
            if (before != place)
            {
                if (ClusterMap.IsAbove(before))
                    throw Damaged("a record and a table contradict each other");
                Use(place, "recorded cluster");
                _map[cluster] = place;
            }

            _tables.Pending.Add((cluster, place));
        }
    }

    /// <summary>What is in the tables is counted once. What was recorded need not be; what is counted and in no table is a leak.</summary>
    private void ReadCounts()
    {
        byte[] table = new byte[ClusterMap.Size];
        Read(table, _header.RefcountTable);
        List<uint> blocks = [];
        for (uint i = 0; i < Qcow2Format.MostBlocks; i++)
        {
            ulong entry = ReadUInt64BigEndian(table.AsSpan((int)i * sizeof(ulong)));
            if (entry == 0)
                continue;
            _tables.Blocks[i] = PlaceOf(entry, "block of counts");
            Use(_tables.Blocks[i], "block of counts");
            blocks.Add(i);
        }

        HashSet<uint> recorded = [.. _tables.Pending.Select(static pair => pair.Place)];
        foreach (uint block in _tables.UsedBlocks.Except(blocks))
        {
            if (AnyCounted(block, recorded))
                throw Damaged("clusters in use are not counted");
        }

        foreach (uint block in blocks)
            ReadBlock(block, recorded);
    }

    private void ReadBlock(uint block, HashSet<uint> recorded)
    {
        Read(_cluster, (long)_tables.Blocks[block] << ClusterMap.Bits);
        uint first = block << Qcow2Format.BlockBits;
        for (uint i = 0; i < 1 << Qcow2Format.BlockBits; i++)
        {
            ushort count = ReadUInt16BigEndian(_cluster.AsSpan(2 * (int)i));
            bool isUsed = _tables.IsUsed(first + i);
            if (isUsed && count != 1 && !(count == 0 && recorded.Contains(first + i)))
                throw Damaged("clusters in use are not counted, or more than once");
            if (!isUsed && count != 0)
                _ = _tables.BlocksWithLeaks.Add(block);
        }
    }

    private bool AnyCounted(uint block, HashSet<uint> recorded)
    {
        uint first = block << Qcow2Format.BlockBits;
        for (uint i = 0; i < 1 << Qcow2Format.BlockBits; i++)
        {
            if (_tables.IsUsed(first + i) && !recorded.Contains(first + i))
                return true;
        }

        return false;
    }

    private uint PlaceOfEntry(ulong entry, string what)
    {
        // Not counted once: shared with a snapshot of its own.
        if ((entry & Qcow2Format.Copied) == 0 || (entry & ~(Qcow2Format.Copied | Qcow2Format.OffsetMask)) != 0)
            throw Damaged($"the entry for a {what} has impossible bits");
        return PlaceOf(entry & Qcow2Format.OffsetMask, what);
    }

    private uint PlaceOf(ulong offset, string what)
    {
        if (offset == 0 || offset % ClusterMap.Size != 0)
            throw Damaged($"a {what} is not at the start of a cluster");
        ulong place = offset >> ClusterMap.Bits;
        return place < (ulong)_clusters && place < Qcow2Format.MostPlaces ? (uint)place : throw Damaged($"a {what} lies beyond the end");
    }

    private void Use(uint place, string what)
    {
        if (!_tables.Use(place))
            throw Damaged($"a {what} is in use for something else as well");
    }

    private void Read(Span<byte> target, long offset)
    {
        if (_file.ReadAt(target, offset, out int read) is var error and not 0)
            throw new DeviceException($"overlay '{_path}' cannot be read: {HostMessage.Of(error)}");

        // QEMU lets the file end within its last cluster.
        target[read..].Clear();
    }

    private DeviceException Damaged(string what) => Qcow2Header.Damaged(_path, what);
}
