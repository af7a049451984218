// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Disks;

/// <summary>
/// The parts of QEMU's format qcow2, version 3, that an overlay of ours is made of, as docs/interop/qcow2 of QEMU has them. All numbers
/// are big-endian; offsets count from the start of the file.
/// </summary>
internal static class Qcow2Format
{
    public const uint Magic = 0x5146_49FB;
    public const uint Version = 3;

    /// <summary>Bytes of the header without extensions, as QEMU 5.1 and later write it.</summary>
    public const int HeaderLength = 112;
    public const int ShortestHeader = 104;

    public const int BackingOffsetAt = 8;
    public const int BackingLengthAt = 16;
    public const int ClusterBitsAt = 20;
    public const int SizeAt = 24;
    public const int EncryptionAt = 32;
    public const int Level1LengthAt = 36;
    public const int Level1OffsetAt = 40;
    public const int RefcountTableAt = 48;
    public const int RefcountTableClustersAt = 56;
    public const int SnapshotsAt = 60;
    public const int IncompatibleAt = 72;
    public const int AutoClearAt = 88;
    public const int RefcountOrderAt = 96;
    public const int HeaderLengthAt = 100;

    /// <summary>Bytes of a backing file's name at most.</summary>
    public const int LongestName = 1023;

    public const ulong IncompatibleDirty = 1 << 0;
    public const ulong IncompatibleCorrupt = 1 << 1;

    /// <summary>
    /// Our bit: the records in our extension are true. Whoever writes to the file and does not know it clears it: then they need not be.
    /// </summary>
    public const ulong AutoClearRecords = 1UL << RecordsBit;
    public const int RecordsBit = 63;

    /// <summary>Two bytes for each cluster: 2 to the power of 4 bits.</summary>
    public const uint RefcountOrder = 4;

    /// <summary>Clusters that a block of counts covers: 2 GiB of the file.</summary>
    public const int BlockBits = ClusterMap.Bits - 1;

    /// <summary>Blocks that one cluster of the table of counts names: a file of 16 TiB.</summary>
    public const int MostBlocks = ClusterMap.Size / 8;

    /// <summary>Clusters of a file that can be counted.</summary>
    public const uint MostPlaces = (uint)MostBlocks << BlockBits;

    /// <summary>In an entry of a table: counted exactly once, so that it may be written where it is.</summary>
    public const ulong Copied = 1UL << 63;
    public const ulong Compressed = 1UL << 62;

    /// <summary>In an entry for a cluster: it reads as zeros.</summary>
    public const ulong ReadsAsZeros = 1;
    public const ulong OffsetMask = 0x00FF_FFFF_FFFF_FE00;

    public const uint EndOfExtensions = 0;
    public const uint BackingFormatExtension = 0xE279_2ACA;
    public const uint FeatureNamesExtension = 0x6803_F857;

    /// <summary>Our extension: "lgst".</summary>
    public const uint OwnExtension = 0x6C67_7374;
    public const uint OwnVersion = 1;

    /// <summary>Bytes of our extension: all of it lies in the first cluster.</summary>
    public const int OwnLength = 48 << 10;
    public const int OwnBaseLengthAt = 8;
    public const int OwnSecondsAt = 16;
    public const int OwnNanosecondsAt = 24;
    public const int OwnBootAt = 32;

    /// <summary>Bytes that name a boot of the host.</summary>
    public const int BootLength = 16;

    /// <summary>Where the records begin: the number of a cluster of the disk, and that of its place in the file; the first place 0 ends them.</summary>
    public const int OwnRecordsAt = 64;
    public const int RecordLength = 8;

    /// <summary>Records that there is room for: 383 MiB of clusters.</summary>
    public const int MostRecords = (OwnLength - OwnRecordsAt) / RecordLength;

    /// <summary>An entry of a second-level table.</summary>
    public static ulong Entry(uint place) => place switch
    {
        ClusterMap.Below => 0,
        ClusterMap.Zeros => ReadsAsZeros,
        _ => Pointer(place),
    };

    /// <summary>A place, counted once.</summary>
    public static ulong Pointer(uint place) => ((ulong)place << ClusterMap.Bits) | Copied;
}
