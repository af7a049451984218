// SPDX-License-Identifier: GPL-2.0-or-later
using static System.Buffers.Binary.BinaryPrimitives;

namespace Lguest.Devices.Backends.Disks;

// [D:193] What survives a kill, and what a loss of power
/// <summary>
/// The overlay's tables on the medium. They change in <see cref="Commit"/> only, and are true at every instant: docs/overlay.md has the
/// order and why it is enough. Between two commits what is new is in records, in the file's first cluster. Those count after a kill -9,
/// which the page cache survives, and not after the host's end, when nobody knows which of the clusters were written.
/// </summary>
internal sealed class Qcow2Ledger : IClusterLedger
{
    private readonly IHostFile _file;
    private readonly Qcow2Header _header;
    private readonly ClusterMap _map;
    private readonly Qcow2Tables _tables;
    private readonly byte[] _boot;
    private readonly Dictionary<uint, uint> _newTables = [];
    private readonly Dictionary<uint, uint> _newBlocks = [];
    private readonly List<uint> _toCount = [];
    private HostErrno _lost;
    private bool _isActive;

    /// <summary>A ledger that goes on where the file ends. Nothing is written before something is reserved.</summary>
    /// <param name="file">The overlay.</param>
    /// <param name="header">Its header; the base is as it says.</param>
    /// <param name="map">Where clusters are.</param>
    /// <param name="tables">What is in the file.</param>
    /// <param name="boot">What names this boot of the host.</param>
    public Qcow2Ledger(IHostFile file, Qcow2Header header, ClusterMap map, Qcow2Tables tables, byte[] boot)
    {
        _file = file;
        _header = header;
        _map = map;
        _tables = tables;
        _boot = boot;
        foreach ((_, uint place) in tables.Pending)
            _toCount.Add(place);
    }

    /// <inheritdoc/>
    public HostErrno Reserve(int count, out uint place)
    {
        place = 0;
        if (!_isActive && Activate() is var error and not 0)
            return error;
        if (_tables.Next + (long)count > Qcow2Format.MostPlaces)
            return HostErrno.ENOSPC;
        place = _tables.Next;
        _tables.Next += (uint)count;
        return 0;
    }

    /// <inheritdoc/>
    public HostErrno Record(uint cluster, uint place)
    {
        if (_tables.Pending.Count == Qcow2Format.MostRecords && Commit() is var full and not 0)
            return full;
        Span<byte> record = stackalloc byte[Qcow2Format.RecordLength];
        WriteUInt32BigEndian(record, cluster);
        WriteUInt32BigEndian(record[sizeof(uint)..], place);

        // Eight bytes within a page: a kill leaves all of them there, or none.
        HostErrno error = _file.WriteAt(record, RecordsAt + ((long)_tables.Pending.Count * Qcow2Format.RecordLength));
        if (error != 0)
            return error;
        _tables.Pending.Add((cluster, place));
        _ = _tables.Use(place);
        _toCount.Add(place);
        _map[cluster] = place;
        return 0;
    }

    // [D:194+29] The order of a flush
    // First all that nothing refers to yet: data, new tables, counts. When that is on the medium, what refers to it. When that is,
    // the records are taken back. A medium that stops in between has tables of before, or of after, and never one that leads nowhere.
    /// <inheritdoc/>
    public HostErrno Commit()
    {
        // What a failed sync lost does not come back: the host forgets it, and says so once.
        if (_lost != 0)
            return _lost;
        if (_tables.Pending.Count == 0)
            return Sync();
        if (!_isActive && Activate() is var start and not 0)
            return start;
        HostErrno error = Prepare();
        if (error == 0)
            error = Sync();
        if (error == 0)
            error = NameBlocks();
        if (error == 0)
            error = WriteEntries();
        if (error == 0)
            error = Sync();
        if (error != 0)
            return error;
        int records = _tables.Pending.Count * Qcow2Format.RecordLength;
        foreach ((uint table, uint place) in _newTables)
            _tables.Level2[table] = place;
        _newTables.Clear();
        _toCount.Clear();
        _tables.Pending.Clear();
        return _file.WriteAt(new byte[records], RecordsAt);
    }

    /// <summary>Closes it: a program that does not know our records may have all of it.</summary>
    public void Dispose()
    {
        if (_isActive && _lost == 0 && _tables.Pending.Count == 0)
            _ = _file.WriteAt(new byte[sizeof(ulong)], Qcow2Format.AutoClearAt);
        _isActive = false;
    }

    private long RecordsAt => _header.Own + Qcow2Format.OwnRecordsAt;

    /// <summary>The first change since it was opened: clusters that nobody refers to are given back, and records begin.</summary>
    private HostErrno Activate()
    {
        HostErrno error = _file.Truncate((long)_tables.Next << ClusterMap.Bits);
        foreach (uint block in _tables.BlocksWithLeaks)
        {
            uint first = block << Qcow2Format.BlockBits;
            if (error == 0)
                error = WriteCounts(first, first + (1 << Qcow2Format.BlockBits) - 1, _tables.Blocks[block]);
        }

        _tables.BlocksWithLeaks.Clear();
        if (_tables.Pending.Count == 0)
        {
            byte[] own = new byte[Qcow2Format.OwnLength];
            WriteUInt32BigEndian(own, Qcow2Format.OwnVersion);
            WriteUInt64BigEndian(own.AsSpan(Qcow2Format.OwnBaseLengthAt), (ulong)_header.Base.Length);
            WriteUInt64BigEndian(own.AsSpan(Qcow2Format.OwnSecondsAt), (ulong)_header.Base.Seconds);
            WriteUInt32BigEndian(own.AsSpan(Qcow2Format.OwnNanosecondsAt), _header.Base.Nanoseconds);
            _boot.CopyTo(own, Qcow2Format.OwnBootAt);
            byte[] bits = new byte[sizeof(ulong)];
            WriteUInt64BigEndian(bits, Qcow2Format.AutoClearRecords);
            if (error == 0)
                error = _file.WriteAt(own, _header.Own);
            if (error == 0)
                error = _file.WriteAt(bits, Qcow2Format.AutoClearAt);
        }

        _isActive = error == 0;
        return error;
    }

    /// <summary>Everything that nothing refers to yet: counts, blocks of counts, second-level tables.</summary>
    private HostErrno Prepare()
    {
        foreach ((uint cluster, _) in _tables.Pending)
        {
            uint table = cluster >> ClusterMap.TableBits;
            if (_tables.Level2[table] == 0 && !_newTables.ContainsKey(table))
            {
                if (TakeForTables(out uint place) is var none and not 0)
                    return none;
                _newTables.Add(table, place);
            }
        }

        // A new block is counted as well, perhaps in a block that is new, too: the list grows while it is gone through.
        for (int i = 0; i < _toCount.Count; i++)
        {
            uint block = _toCount[i] >> Qcow2Format.BlockBits;
            if (_tables.Blocks[block] == 0 && !_newBlocks.ContainsKey(block))
            {
                if (TakeForTables(out uint place) is var none and not 0)
                    return none;
                _newBlocks.Add(block, place);
            }
        }

        HostErrno error = 0;
        foreach (IGrouping<uint, uint> counted in _toCount.GroupBy(static place => place >> Qcow2Format.BlockBits))
        {
            if (error != 0)
                break;
            error = _newBlocks.TryGetValue(counted.Key, out uint fresh)
                ? WriteCounts(counted.Key << Qcow2Format.BlockBits, (counted.Key << Qcow2Format.BlockBits) + (1 << Qcow2Format.BlockBits) - 1, fresh)
                : WriteCounts(counted.Min(), counted.Max(), _tables.Blocks[counted.Key]);
        }

        foreach ((uint table, uint place) in _newTables)
        {
            if (error == 0)
                error = WriteTable(table, 0, ClusterMap.TableLength - 1, place);
        }

        return error;
    }

    private HostErrno TakeForTables(out uint place)
    {
        HostErrno error = Reserve(1, out place);
        if (error == 0)
        {
            _ = _tables.Use(place);
            _toCount.Add(place);
        }

        return error;
    }

    /// <summary>Names new blocks in the table of counts, and waits: what the second-level tables refer to must be counted.</summary>
    private HostErrno NameBlocks()
    {
        if (_newBlocks.Count == 0)
            return 0;
        foreach ((uint block, uint place) in _newBlocks)
        {
            if (WritePointer((ulong)place << ClusterMap.Bits, _header.RefcountTable, block) is var error and not 0)
                return error;
        }

        if (Sync() is var failure and not 0)
            return failure;
        foreach ((uint block, uint place) in _newBlocks)
            _tables.Blocks[block] = place;
        _newBlocks.Clear();
        return 0;
    }

    /// <summary>Makes what was prepared part of the disk.</summary>
    private HostErrno WriteEntries()
    {
        HostErrno error = 0;
        foreach (IGrouping<uint, uint> written in _tables.Pending.Select(static pair => pair.Cluster).GroupBy(static cluster => cluster >> ClusterMap.TableBits))
        {
            if (error != 0)
                break;
            const uint mask = ClusterMap.TableLength - 1;
            error = _newTables.TryGetValue(written.Key, out uint fresh)
                ? WritePointer(Qcow2Format.Pointer(fresh), _header.Level1Offset, written.Key)
                : WriteTable(written.Key, written.Min() & mask, written.Max() & mask, _tables.Level2[written.Key]);
        }

        return error;
    }

    private HostErrno WriteTable(uint table, uint first, uint last, uint place)
    {
        byte[] entries = new byte[(last - first + 1) * sizeof(ulong)];
        for (uint i = first; i <= last; i++)
        {
            uint cluster = (table << ClusterMap.TableBits) + i;
            if (cluster < _map.Clusters)
                WriteUInt64BigEndian(entries.AsSpan((int)(i - first) * sizeof(ulong)), Qcow2Format.Entry(_map[cluster]));
        }

        return _file.WriteAt(entries, ((long)place << ClusterMap.Bits) + (first * sizeof(ulong)));
    }

    private HostErrno WriteCounts(uint first, uint last, uint block) =>
        _file.WriteAt(_tables.Counts(first, last), ((long)block << ClusterMap.Bits) + (2 * (first & ((1 << Qcow2Format.BlockBits) - 1))));

    private HostErrno WritePointer(ulong pointer, long table, uint number)
    {
        Span<byte> entry = stackalloc byte[sizeof(ulong)];
        WriteUInt64BigEndian(entry, pointer);
        return _file.WriteAt(entry, table + (number * sizeof(ulong)));
    }

    private HostErrno Sync()
    {
        HostErrno error = _file.Sync();
        if (error != 0)
            _lost = error;
        return error;
    }
}
