// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Disks;

namespace Lguest.Tests.Devices.Backends.Disks;

/// <summary>The process is no more: thrown in the middle of a write.</summary>
internal sealed class KilledException : Exception;

/// <summary>
/// A file with a page cache and a medium. A kill keeps the cache, and of the write that it interrupts some pages. A loss of power keeps
/// what was synced, and of the rest any sectors, in any order.
/// </summary>
/// <param name="random">Decides what happens to be kept.</param>
internal sealed class UnreliableFile(Random random) : IHostFile
{
    private const int Sector = 512;
    private const int Page = 4096;

    private readonly List<(long Offset, byte[]? Bytes)> _unsynced = [];
    private byte[] _cache = [];
    private byte[] _medium = [];

    /// <summary>Writes and syncs that still work; the one after them is the last thing that the process does.</summary>
    public int CallsToLive { get; set; } = int.MaxValue;

    /// <summary>What syncing answers.</summary>
    public HostErrno SyncError { get; set; }

    /// <summary>What the file has, as programs see it.</summary>
    public ReadOnlySpan<byte> Content => _cache;

    /// <summary>Syncs so far.</summary>
    public int Syncs { get; private set; }

    public int Read(GuestVector vector, long offset, out HostErrno error)
    {
        byte[] bytes = new byte[vector.Length];
        error = ReadAt(bytes, offset, out int read);
        vector.CopyFrom(bytes.AsSpan(0, read));
        vector.Consume(read);
        return read;
    }

    public int Write(GuestVector vector, long offset, out HostErrno error)
    {
        byte[] bytes = new byte[vector.Length];
        vector.CopyTo(bytes);
        error = WriteAt(bytes, offset);
        vector.Consume(bytes.Length);
        return bytes.Length;
    }

    public HostErrno ReadAt(Span<byte> target, long offset, out int read)
    {
        read = (int)Math.Clamp(_cache.Length - offset, 0, target.Length);
        if (read > 0)
            _cache.AsSpan((int)offset, read).CopyTo(target);
        return 0;
    }

    public HostErrno WriteAt(ReadOnlySpan<byte> source, long offset)
    {
        if (CallsToLive-- == 0)
        {
            // The kernel looks for a signal between pages.
            int whole = source.Length / Page == 0 ? 0 : random.Next(source.Length / Page) * Page;
            Apply(ref _cache, offset, source[..whole]);
            _unsynced.Add((offset, source[..whole].ToArray()));
            throw new KilledException();
        }

        Apply(ref _cache, offset, source);
        _unsynced.Add((offset, source.ToArray()));
        return 0;
    }

    public HostErrno Truncate(long length)
    {
        Array.Resize(ref _cache, (int)length);
        _unsynced.Add((length, null));
        return 0;
    }

    public HostErrno Measure(out long length)
    {
        length = _cache.Length;
        return 0;
    }

    public HostErrno Sync()
    {
        if (SyncError != 0)
            return SyncError;

        // Asked for, and not done: what was written before may be on the medium in part.
        if (CallsToLive-- == 0)
            throw new KilledException();
        Syncs++;
        _unsynced.Clear();
        _medium = [.. _cache];
        return 0;
    }

    /// <summary>The host's power fails, and comes back.</summary>
    /// <returns>The file as it is found then.</returns>
    public UnreliableFile LosePower()
    {
        byte[] found = [.. _medium];
        double luck = random.NextDouble();
        foreach ((long offset, byte[]? bytes) in _unsynced)
        {
            if (bytes == null)
            {
                if (random.NextDouble() < luck)
                    Array.Resize(ref found, (int)offset);
                continue;
            }

            // What is no whole sectors is cut between its words, as if each lay in a sector of its own: in a large table they do.
            int unit = bytes.Length % Sector == 0 ? Sector : sizeof(ulong);
            for (int at = 0; at < bytes.Length;)
            {
                int step = Math.Min(unit - (int)((offset + at) % unit), bytes.Length - at);
                if (random.NextDouble() < luck)
                    Apply(ref found, offset + at, bytes.AsSpan(at, step));
                at += step;
            }
        }

        return new UnreliableFile(random) { _cache = found, _medium = [.. found] };
    }

    /// <summary>The process is started again.</summary>
    public UnreliableFile Reopen()
    {
        UnreliableFile again = new(random) { _cache = _cache, _medium = _medium };
        again._unsynced.AddRange(_unsynced);
        return again;
    }

    public void Dispose()
    {
    }

    private static void Apply(ref byte[] file, long offset, ReadOnlySpan<byte> bytes)
    {
        if (offset + bytes.Length > file.Length)
            Array.Resize(ref file, (int)offset + bytes.Length);
        bytes.CopyTo(file.AsSpan((int)offset));
    }
}
