// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using static System.Buffers.Binary.BinaryPrimitives;

namespace Lguest.Devices.Backends.Disks;

/// <summary>What the first cluster of an overlay says.</summary>
internal sealed record Qcow2Header
{
    /// <summary>Bytes of the disk.</summary>
    public required long Size { get; init; }

    /// <summary>Entries of the first-level table.</summary>
    public required uint Level1Length { get; init; }

    /// <summary>Where the first-level table is.</summary>
    public required long Level1Offset { get; init; }

    /// <summary>Where the table of counts is: one cluster.</summary>
    public required long RefcountTable { get; init; }

    /// <summary>Where our extension's content is.</summary>
    public required long Own { get; init; }

    /// <summary>What the base was like when the overlay was begun.</summary>
    public required BaseIdentity Base { get; init; }

    /// <summary>Whether the records in our extension are true, in the boot that <see cref="Boot"/> names.</summary>
    public bool HasRecords { get; init; }

    /// <summary>In which boot of the host the records were written.</summary>
    public byte[] Boot { get; init; } = [];

    /// <summary>Understands a first cluster.</summary>
    /// <param name="cluster">Its bytes.</param>
    /// <param name="path">The file, for the sentences.</param>
    /// <exception cref="DeviceException">It is no overlay of ours, or one that only QEMU can use.</exception>
    public static Qcow2Header Parse(ReadOnlySpan<byte> cluster, string path)
    {
        if (!IsQcow2(cluster))
            throw new DeviceException($"overlay '{path}' is something else already, not a qcow2 file; name a file that does not exist yet, and it will be made");
        if (cluster.Length < ClusterMap.Size)
            throw Damaged(path, "it ends within its first cluster");
        CheckFeatures(cluster, path);
        long backing = (long)ReadUInt64BigEndian(cluster[Qcow2Format.BackingOffsetAt..]);
        if (backing == 0)
            throw new DeviceException($"overlay '{path}' has no base any more; 'qemu-img convert -O raw' makes an ordinary disk image of it");
        int own = FindOwn(cluster, backing, path);
        ReadOnlySpan<byte> ours = cluster.Slice(own, Qcow2Format.OwnLength);
        return new Qcow2Header
        {
            Size = (long)ReadUInt64BigEndian(cluster[Qcow2Format.SizeAt..]),
            Level1Length = ReadUInt32BigEndian(cluster[Qcow2Format.Level1LengthAt..]),
            Level1Offset = (long)ReadUInt64BigEndian(cluster[Qcow2Format.Level1OffsetAt..]),
            RefcountTable = (long)ReadUInt64BigEndian(cluster[Qcow2Format.RefcountTableAt..]),
            Own = own,
            Base = new BaseIdentity(
                (long)ReadUInt64BigEndian(ours[Qcow2Format.OwnBaseLengthAt..]),
                (long)ReadUInt64BigEndian(ours[Qcow2Format.OwnSecondsAt..]),
                ReadUInt32BigEndian(ours[Qcow2Format.OwnNanosecondsAt..])),
            HasRecords = (ReadUInt64BigEndian(cluster[Qcow2Format.AutoClearAt..]) & Qcow2Format.AutoClearRecords) != 0,
            Boot = ours.Slice(Qcow2Format.OwnBootAt, Qcow2Format.BootLength).ToArray(),
        };
    }

    /// <summary>Whether a file that begins so is of this format.</summary>
    public static bool IsQcow2(ReadOnlySpan<byte> start) =>
        start.Length >= sizeof(uint) && ReadUInt32BigEndian(start) == Qcow2Format.Magic;

    /// <summary>Writes a first cluster.</summary>
    /// <param name="backingName">The base, as QEMU is to find it.</param>
    /// <exception cref="DeviceException">The name is too long.</exception>
    public byte[] Build(string backingName)
    {
        byte[] name = Encoding.UTF8.GetBytes(backingName);
        if (name.Length > Qcow2Format.LongestName)
            throw new DeviceException($"disk image '{backingName}' has too long a name for an overlay: {name.Length} bytes, of {Qcow2Format.LongestName}");
        byte[] cluster = new byte[ClusterMap.Size];
        Put32(0, Qcow2Format.Magic);
        Put32(sizeof(uint), Qcow2Format.Version);
        Put32(Qcow2Format.ClusterBitsAt, ClusterMap.Bits);
        Put64(Qcow2Format.SizeAt, (ulong)Size);
        Put32(Qcow2Format.Level1LengthAt, Level1Length);
        Put64(Qcow2Format.Level1OffsetAt, (ulong)Level1Offset);
        Put64(Qcow2Format.RefcountTableAt, (ulong)RefcountTable);
        Put32(Qcow2Format.RefcountTableClustersAt, 1);
        Put32(Qcow2Format.RefcountOrderAt, Qcow2Format.RefcountOrder);
        Put32(Qcow2Format.HeaderLengthAt, Qcow2Format.HeaderLength);

        int at = Extension(Qcow2Format.HeaderLength, Qcow2Format.BackingFormatExtension, "raw"u8);
        at = Extension(at, Qcow2Format.FeatureNamesExtension, FeatureNames());
        at = Extension(at, Qcow2Format.OwnExtension, new byte[Qcow2Format.OwnLength]);
        int own = at - Qcow2Format.OwnLength;
        Put32(own, Qcow2Format.OwnVersion);
        Put64(own + Qcow2Format.OwnBaseLengthAt, (ulong)Base.Length);
        Put64(own + Qcow2Format.OwnSecondsAt, (ulong)Base.Seconds);
        Put32(own + Qcow2Format.OwnNanosecondsAt, Base.Nanoseconds);
        at += 2 * sizeof(uint);
        name.CopyTo(cluster, at);
        Put64(Qcow2Format.BackingOffsetAt, (ulong)at);
        Put32(Qcow2Format.BackingLengthAt, (uint)name.Length);
        return cluster;

        void Put32(int place, uint value) => WriteUInt32BigEndian(cluster.AsSpan(place), value);
        void Put64(int place, ulong value) => WriteUInt64BigEndian(cluster.AsSpan(place), value);

        int Extension(int place, uint type, ReadOnlySpan<byte> content)
        {
            Put32(place, type);
            Put32(place + sizeof(uint), (uint)content.Length);
            content.CopyTo(cluster.AsSpan(place + (2 * sizeof(uint))));
            return place + (2 * sizeof(uint)) + Padded(content.Length);
        }
    }

    /// <summary>The sentence on a file in which something contradicts something else.</summary>
    public static DeviceException Damaged(string path, string what) =>
        new($"overlay '{path}' is damaged: {what}; 'qemu-img check' says more, and may repair it");

    private static void CheckFeatures(ReadOnlySpan<byte> cluster, string path)
    {
        uint version = ReadUInt32BigEndian(cluster[sizeof(uint)..]);
        if (version != Qcow2Format.Version)
            throw Foreign(path, $"is a qcow2 file of version {version}");
        ulong incompatible = ReadUInt64BigEndian(cluster[Qcow2Format.IncompatibleAt..]);
        if ((incompatible & Qcow2Format.IncompatibleCorrupt) != 0)
            throw Damaged(path, "QEMU has marked it so");
        if ((incompatible & Qcow2Format.IncompatibleDirty) != 0)
            throw new DeviceException($"overlay '{path}' was not closed by the last program that wrote it; 'qemu-img check -r all' repairs it");
        if (incompatible != 0)
            throw Foreign(path, $"has features 0x{incompatible:x} of qcow2");
        uint bits = ReadUInt32BigEndian(cluster[Qcow2Format.ClusterBitsAt..]);
        if (bits != ClusterMap.Bits || ReadUInt32BigEndian(cluster[Qcow2Format.RefcountOrderAt..]) != Qcow2Format.RefcountOrder)
            throw Foreign(path, "has clusters or counts of an unusual size");
        if (ReadUInt32BigEndian(cluster[Qcow2Format.EncryptionAt..]) != 0)
            throw Foreign(path, "is encrypted");
        if (ReadUInt32BigEndian(cluster[Qcow2Format.SnapshotsAt..]) != 0)
            throw Foreign(path, "has snapshots of its own");
        if (ReadUInt32BigEndian(cluster[Qcow2Format.RefcountTableClustersAt..]) != 1)
            throw Foreign(path, "is made for more than 16 TiB");
    }

    private static int FindOwn(ReadOnlySpan<byte> cluster, long backing, string path)
    {
        uint header = ReadUInt32BigEndian(cluster[Qcow2Format.HeaderLengthAt..]);
        if (header is < Qcow2Format.ShortestHeader or > ClusterMap.Size / 2 || header % sizeof(ulong) != 0)
            throw Damaged(path, "its header has an impossible length");
        long end = backing is > 0 and < ClusterMap.Size ? backing : ClusterMap.Size;
        int? own = null;
        int at = (int)header;
        while (at + (2 * sizeof(uint)) <= end)
        {
            uint type = ReadUInt32BigEndian(cluster[at..]);
            uint length = ReadUInt32BigEndian(cluster[(at + sizeof(uint))..]);
            at += 2 * sizeof(uint);
            if (type == Qcow2Format.EndOfExtensions)
                break;
            if (length > end - at)
                throw Damaged(path, "an extension of its header is too long");
            if (type == Qcow2Format.OwnExtension && length == Qcow2Format.OwnLength && ReadUInt32BigEndian(cluster[at..]) == Qcow2Format.OwnVersion)
                own = at;
            else if (type == Qcow2Format.BackingFormatExtension && !cluster.Slice(at, (int)length).SequenceEqual("raw"u8))
                throw Foreign(path, "lies over a base that is not a raw image");
            else if (type is not Qcow2Format.BackingFormatExtension and not Qcow2Format.FeatureNamesExtension)
                throw Foreign(path, $"has an extension 0x{type:x8} of qcow2");
            at += Padded((int)length);
        }

        return own ?? throw new DeviceException($"overlay '{path}' is a qcow2 file that lguest did not make; name a file that does not exist yet, and it will be made");
    }

    /// <summary>For programs that meet the bit and do not know it: kind, number and 46 bytes of name.</summary>
    private static byte[] FeatureNames()
    {
        const int nameLength = 46;
        const byte autoClear = 2;
        byte[] entry = new byte[2 + nameLength];
        entry[0] = autoClear;
        entry[1] = Qcow2Format.RecordsBit;
        "lguest records"u8.CopyTo(entry.AsSpan(2));
        return entry;
    }

    private static DeviceException Foreign(string path, string what) =>
        new($"overlay '{path}' {what}, which lguest cannot use; 'qemu-img convert -O raw' makes an ordinary disk image of it");

    private static int Padded(int length) => (length + sizeof(ulong) - 1) & -sizeof(ulong);
}
