// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Disks;

// [D:191] A disk over another
/// <summary>
/// A file that is only read, and one over it that has what was written: cluster by cluster, the first write to one copies it. Many
/// guests may have the same file below.
/// </summary>
/// <param name="below">What is only read.</param>
/// <param name="length">Bytes of the disk: of <paramref name="below"/>, in whole sectors.</param>
/// <param name="above">What is written.</param>
/// <param name="map">Where each cluster is.</param>
/// <param name="ledger">Gives the clusters of <paramref name="above"/> away.</param>
/// <remarks>The guest's thread reads and writes; the thread that ends the launcher syncs and closes. So there is a lock.</remarks>
internal sealed class OverlayStore(IHostFile below, long length, IHostFile above, ClusterMap map, IClusterLedger ledger) : IDiskStore
{
    private readonly Lock _lock = new();
    private readonly GuestVector _part = new();
    private readonly byte[] _cluster = new byte[ClusterMap.Size];

    /// <inheritdoc/>
    public int Read(GuestVector vector, long offset, out HostErrno error)
    {
        error = 0;
        int done = 0;
        lock (_lock)
        {
            while (vector.Length > 0 && error == 0)
            {
                int inside = (int)(offset & (ClusterMap.Size - 1));
                int run = map.Run((uint)(offset >> ClusterMap.Bits), Clusters(inside, vector.Length), out uint place);
                int bytes = (int)Math.Min(vector.Length, ((long)run << ClusterMap.Bits) - inside);
                vector.MoveTo(_part, bytes);
                int count = ReadPart(place, inside, offset, out error);
                done += count;
                offset += count;
                if (count < bytes)
                    break;
            }
        }

        return done;
    }

    /// <inheritdoc/>
    public int Write(GuestVector vector, long offset, out HostErrno error)
    {
        error = 0;
        int done = 0;
        lock (_lock)
        {
            while (vector.Length > 0 && error == 0)
            {
                int inside = (int)(offset & (ClusterMap.Size - 1));
                uint cluster = (uint)(offset >> ClusterMap.Bits);
                int run = map.Run(cluster, Clusters(inside, vector.Length), out uint place);
                int count;
                if (ClusterMap.IsAbove(place))
                {
                    vector.MoveTo(_part, (int)Math.Min(vector.Length, ((long)run << ClusterMap.Bits) - inside));
                    count = above.Write(_part, Offset(place) + inside, out error);
                }
                else if (inside == 0 && vector.Length >= ClusterMap.Size)
                {
                    int whole = Math.Min(run, vector.Length >> ClusterMap.Bits);
                    vector.MoveTo(_part, whole << ClusterMap.Bits);
                    count = WriteWhole(cluster, whole, out error);
                }
                else
                {
                    vector.MoveTo(_part, Math.Min(vector.Length, ClusterMap.Size - inside));
                    count = WritePart(cluster, inside, place, out error);
                }

                done += count;
                offset += count;
            }
        }

        return done;
    }

    /// <inheritdoc/>
    public HostErrno Sync()
    {
        lock (_lock)
            return ledger.Commit();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            ledger.Dispose();
            above.Dispose();
            below.Dispose();
        }
    }

    private static int Clusters(int inside, int bytes) => (int)(((long)inside + bytes + ClusterMap.Size - 1) >> ClusterMap.Bits);

    private static long Offset(uint place) => (long)place << ClusterMap.Bits;

    private int ReadPart(uint place, int inside, long offset, out HostErrno error)
    {
        error = 0;
        int bytes = _part.Length;
        int count = place switch
        {
            ClusterMap.Below => below.Read(_part, offset, out error),
            ClusterMap.Zeros => 0,
            _ => above.Read(_part, Offset(place) + inside, out error),
        };
        if (place == ClusterMap.Below || error != 0)
            return count;

        // QEMU lets the file end within its last cluster.
        _part.FillWithZeros();
        return bytes;
    }

    /// <summary>Writes clusters of which nothing old is left.</summary>
    /// <returns>Bytes written and recorded: whole clusters.</returns>
    private int WriteWhole(uint cluster, int count, out HostErrno error)
    {
        error = ledger.Reserve(count, out uint place);
        if (error != 0)
            return 0;
        int written = above.Write(_part, Offset(place), out error) >> ClusterMap.Bits;
        for (int i = 0; i < written; i++)
        {
            if (ledger.Record(cluster + (uint)i, place + (uint)i) is var failure and not 0)
            {
                error = failure;
                return i << ClusterMap.Bits;
            }
        }

        return written << ClusterMap.Bits;
    }

    // [D:192+18] Copied, then changed, then shown
    // The cluster is put together in memory: what is below, with what the guest writes over it. It is written as a whole to a place
    // that nothing refers to, and recorded only then. Whenever this process dies, the disk has the old cluster or the new one.
    private int WritePart(uint cluster, int inside, uint place, out HostErrno error)
    {
        long start = (long)cluster << ClusterMap.Bits;
        int old = place == ClusterMap.Below ? (int)Math.Min(ClusterMap.Size, length - start) : 0;
        error = below.ReadAt(_cluster.AsSpan(0, old), start, out int read);
        if (error == 0 && read < old)
            error = HostErrno.EIO;
        if (error != 0)
            return 0;
        _cluster.AsSpan(old).Clear();
        int bytes = _part.CopyTo(_cluster.AsSpan(inside));
        error = ledger.Reserve(1, out uint fresh);
        if (error == 0)
            error = above.WriteAt(_cluster, Offset(fresh));
        if (error == 0)
            error = ledger.Record(cluster, fresh);
        return error == 0 ? bytes : 0;
    }
}
