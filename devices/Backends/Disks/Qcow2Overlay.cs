// SPDX-License-Identifier: GPL-2.0-or-later
using static System.Buffers.Binary.BinaryPrimitives;

namespace Lguest.Devices.Backends.Disks;

/// <summary>Begins overlays, and goes on with them: a file of QEMU's format over a raw image.</summary>
internal static class Qcow2Overlay
{
    /// <summary>Bytes of a base at most.</summary>
    private const long LongestBase = 64L << 40;

    private const int SectorSize = 512;

    /// <summary>Bytes of a new overlay that are written last: until then it is blank. They are in one sector of that, all but zeros.</summary>
    private const int HeadLength = 4096;
    private const string BootPath = "/proc/sys/kernel/random/boot_id";

    /// <summary>Puts an overlay over a base.</summary>
    /// <param name="below">The base, which is only read.</param>
    /// <param name="basePath">Its name, as the user wrote it.</param>
    /// <param name="identity">By what it is known again.</param>
    /// <param name="above">The overlay's file: empty if it is new.</param>
    /// <param name="path">Its name.</param>
    /// <param name="boot">What names this boot of the host: <see cref="BootOfHost"/>.</param>
    /// <param name="made">Whether it was begun.</param>
    /// <exception cref="DeviceException">It cannot be used; the message says why.</exception>
    public static OverlayStore Open(IHostFile below, string basePath, BaseIdentity identity, IHostFile above, string path, byte[] boot, out bool made)
    {
        if (identity.Length > LongestBase)
            throw new DeviceException($"disk image '{basePath}' is too large for an overlay: {identity.Length >> 40} TiB, of {LongestBase >> 40}");
        long length = identity.Length / SectorSize * SectorSize;
        ClusterMap map = new(length);
        byte[] cluster = FirstCluster(above, path);
        Qcow2Header fresh = New(map, length, identity);
        byte[] first = fresh.Build(NameFor(basePath, path));
        made = IsBlank(above, cluster, first, LengthOfNew(map));
        if (made)
        {
            Begin(above, path, fresh, first);
            cluster = first;
        }

        Qcow2Header header = Qcow2Header.Parse(cluster, path);
        if (header.Size != length)
            throw new DeviceException($"overlay '{path}' is for a disk of {header.Size} bytes, and '{basePath}' has {length}; give it the base that it was made for");
        Qcow2Tables tables = Qcow2Loader.Load(above, path, header, map, boot);

        // One with nothing in it fits any content: it is so after qemu-img commit, which changes the base.
        if (!map.IsEmpty && header.Base != identity)
            throw Changed(basePath, identity, path, header.Base);
        return new OverlayStore(below, length, above, map, new Qcow2Ledger(above, header with { Base = identity }, map, tables, boot));
    }

    /// <summary>Puts a file without tables over a base: what is written there is known to this process only.</summary>
    public static OverlayStore OpenForgetful(IHostFile below, long length, IHostFile above)
    {
        ClusterMap map = new(length);
        return new OverlayStore(below, length, above, map, new ForgetfulLedger(map));
    }

    /// <summary>What names this boot of the host; another each time where the host does not say.</summary>
    public static byte[] BootOfHost()
    {
        try
        {
            return Guid.TryParse(File.ReadAllText(BootPath).AsSpan().Trim(), out Guid boot) ? boot.ToByteArray() : Guid.NewGuid().ToByteArray();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Guid.NewGuid().ToByteArray();
        }
    }

    /// <summary>How QEMU is to find the base: by its name alone if it lies beside the overlay, so that both can be moved together.</summary>
    internal static string NameFor(string basePath, string path)
    {
        string name = Path.GetFileName(basePath);
        string target = Path.GetFullPath(basePath);
        if (Path.GetDirectoryName(target) != Path.GetDirectoryName(Path.GetFullPath(path)))
            return target;

        // What stands before a colon would be a protocol.
        return name.Contains(':', StringComparison.Ordinal) ? "./" + name : name;
    }

    private static Qcow2Header New(ClusterMap map, long length, BaseIdentity identity) => new()
    {
        Size = length,
        Level1Length = (uint)map.Tables,
        Level1Offset = 3L << ClusterMap.Bits,
        RefcountTable = 1L << ClusterMap.Bits,
        Own = 0,
        Base = identity,
    };

    /// <summary>Header, table of counts, a block of counts, and the first-level table.</summary>
    private static long LengthOfNew(ClusterMap map) =>
        (3L + ((((long)map.Tables * sizeof(ulong)) + ClusterMap.Size - 1) >> ClusterMap.Bits)) << ClusterMap.Bits;

    private static byte[] FirstCluster(IHostFile file, string path)
    {
        byte[] cluster = new byte[ClusterMap.Size];
        if (file.ReadAt(cluster, 0, out int read) is var error and not 0)
            throw new DeviceException($"overlay '{path}' cannot be read: {HostMessage.Of(error)}");
        return read == cluster.Length ? cluster : cluster[..read];
    }

    /// <summary>A file that is empty, or whose beginning was interrupted before its header: it says nothing yet.</summary>
    private static bool IsBlank(IHostFile file, byte[] found, byte[] first, long lengthOfNew)
    {
        if (found.AsSpan(0, Math.Min(found.Length, HeadLength)).ContainsAnyExcept((byte)0) || file.Measure(out long length) != 0 || length > lengthOfNew)
            return false;
        for (int i = HeadLength; i < found.Length; i++)
        {
            if (found[i] != 0 && found[i] != first[i])
                return false;
        }

        return true;
    }

    /// <summary>Writes an overlay with nothing in it, the header last.</summary>
    private static void Begin(IHostFile file, string path, Qcow2Header header, byte[] first)
    {
        long length = LengthOfNew(new ClusterMap(header.Size));
        byte[] pointer = new byte[sizeof(ulong)];
        WriteUInt64BigEndian(pointer, 2L << ClusterMap.Bits);
        byte[] counts = new byte[2 * (length >> ClusterMap.Bits)];
        for (int i = 1; i < counts.Length; i += 2)
            counts[i] = 1;
        HostErrno error = file.Truncate(length);
        if (error == 0)
            error = file.WriteAt(counts, 2L << ClusterMap.Bits);
        if (error == 0)
            error = file.WriteAt(pointer, header.RefcountTable);
        if (error == 0)
            error = file.WriteAt(first.AsSpan(HeadLength), HeadLength);
        if (error == 0)
            error = file.Sync();
        if (error == 0)
            error = file.WriteAt(first.AsSpan(0, HeadLength), 0);
        if (error == 0)
            error = file.Sync();
        if (error != 0)
            throw new DeviceException($"overlay '{path}' cannot be made: {HostMessage.Of(error)}");
    }

    private static DeviceException Changed(string basePath, BaseIdentity now, string path, BaseIdentity then) => new(
        now.Length == then.Length
            ? $"disk image '{basePath}' is not what overlay '{path}' was made over: it was last changed at {now.TimeInWords}, that one at {then.TimeInWords}. Give the old one, or begin a new overlay; if this is a true copy, 'touch -d {then.TimeForTouch} {basePath}' says so"
            : $"disk image '{basePath}' is not what overlay '{path}' was made over: it has {now.Length} bytes, that one had {then.Length}; give the old one, or begin a new overlay");
}
