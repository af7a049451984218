// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Backends.Disks;
using Lguest.Tests.Support;

namespace Lguest.Tests.Devices.Backends.Disks;

/// <summary>Overlays and snapshots in files: what is opened, shared, refused and left behind.</summary>
public sealed class OverlayImageTests : IDisposable
{
    private const int Sectors = (40 * 128) + 3;

    private readonly TemporaryDirectory _directory = new();
    private readonly StampedDisk _disk = new(Sectors);
    private readonly string _base;
    private readonly string _overlay;

    public OverlayImageTests()
    {
        _base = _directory.File("base.img", _disk.Image());
        _overlay = Path.Combine(_directory.Path, "over.qcow2");
    }

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void WhatWasWrittenIsThereAgain(int seed)
    {
        Random random = new(seed);
        byte[] before = File.ReadAllBytes(_base);
        for (int life = 0; life < 6; life++)
        {
            using BlockImage image = BlockImage.OpenOverlay(_base, _overlay);
            Assert.Equal((uint)Sectors, image.Sectors);
            _disk.Check(image);
            for (int i = 0; i < 10; i++)
                _disk.WriteSomething(image, random);
            _disk.Settle();
            _disk.Check(image);
            Assert.Equal(0, (int)image.Sync());
        }

        Assert.Equal(before, File.ReadAllBytes(_base));
        Assert.True(new FileInfo(_overlay).Length < before.Length + (8 << ClusterMap.Bits));
    }

    /// <summary>The file is QEMU's as well: its tool finds no fault, and reads the same disk.</summary>
    [FactNeeding(Need.QemuImg)]
    public void QemuReadsTheSame()
    {
        Random random = new(3);
        for (int life = 0; life < 3; life++)
        {
            using (BlockImage image = BlockImage.OpenOverlay(_base, _overlay))
            {
                for (int i = 0; i < 5; i++)
                    _disk.WriteSomething(image, random);
                Assert.Equal(0, (int)image.Sync());
            }

            // Closed, it has nothing that QEMU does not know.
            Assert.Equal(new byte[sizeof(ulong)], File.ReadAllBytes(_overlay)[Qcow2Format.AutoClearAt..(Qcow2Format.AutoClearAt + sizeof(ulong))]);
            Assert.Equal(0, QemuImg("check", _overlay).Status);
            Assert.Contains("\"backing-filename\": \"base.img\"", QemuImg("info", "--output=json", _overlay).Output, StringComparison.Ordinal);
            string flat = Path.Combine(_directory.Path, "flat");
            Assert.Equal(0, QemuImg("convert", "-O", "raw", _overlay, flat).Status);
            using BlockImage plain = BlockImage.Open(flat, readOnly: true);
            _disk.Settle();
            _disk.Check(plain);
        }
    }

    /// <summary>qemu-img writes what is above into the base, and empties the overlay, which then goes on over the new base.</summary>
    [FactNeeding(Need.QemuImg)]
    public void QemuCommitsAndTheOverlayGoesOn()
    {
        using (BlockImage image = BlockImage.OpenOverlay(_base, _overlay))
        {
            _disk.Write(image, 100, 500);
            Assert.Equal(0, (int)image.Sync());
        }

        _disk.Settle();
        Assert.Equal(0, QemuImg("commit", _overlay).Status);
        using (BlockImage plain = BlockImage.Open(_base, readOnly: true))
            _disk.Check(plain);
        using (BlockImage image = BlockImage.OpenOverlay(_base, _overlay))
        {
            _disk.Check(image);
            _disk.Write(image, 2000, 50);
            _disk.Settle();
            Assert.Equal(0, (int)image.Sync());
        }

        Assert.Equal(0, QemuImg("check", _overlay).Status);
        using BlockImage again = BlockImage.OpenOverlay(_base, _overlay);
        _disk.Check(again);
    }

    /// <summary>QEMU knows a kind of cluster that we never make: one of zeros.</summary>
    [FactNeeding(Need.QemuImg)]
    public void ClustersOfZerosAreReadAndWritten()
    {
        BlockImage.OpenOverlay(_base, _overlay).Dispose();
        ProcessResult result = Command.Run("qemu-io", ["-c", "write -z 64k 128k", "-c", "write -P 7 320k 4k", _overlay], _directory.Path);
        Assert.Equal((0, string.Empty), (result.Status, result.Error));
        using BlockImage image = BlockImage.OpenOverlay(_base, _overlay);
        Assert.Equal(new byte[512], ReadSector(image, 128));
        _disk.Write(image, 130, 1);
        Assert.Equal(new byte[512], ReadSector(image, 129));
        Assert.Equal(new byte[512], ReadSector(image, 383));
        Assert.Equal(Enumerable.Repeat((byte)7, 512), ReadSector(image, 640));
        Assert.NotEqual(new byte[512], ReadSector(image, 130));
    }

    /// <summary>A base has any number of readers, and no writer meanwhile; an overlay is one guest's.</summary>
    [Fact]
    public void TheBaseIsSharedAndTheOverlayIsNot()
    {
        using BlockImage first = BlockImage.OpenOverlay(_base, _overlay);
        using BlockImage second = BlockImage.OpenOverlay(_base, _overlay + "2");
        using BlockImage third = BlockImage.OpenSnapshot(_base);
        using BlockImage fourth = BlockImage.Open(_base, readOnly: true);
        Refused("is in use by another guest", _overlay, () => BlockImage.OpenOverlay(_base, _overlay));
        Refused("is in use by another guest", _base, () => BlockImage.Open(_base, readOnly: false));
        _disk.Write(first, 7, 5);
        StampedDisk untouched = new(Sectors);
        untouched.Check(second);
        untouched.Check(third);
        untouched.Check(fourth);
    }

    /// <summary>What was written belongs to the old content only. A copy that has the old time is taken for the old one.</summary>
    [Fact]
    public void AChangedBaseIsNoticed()
    {
        DateTime then = new DateTime(2020, 3, 1, 10, 20, 30, DateTimeKind.Utc).AddTicks(1234567);
        File.SetLastWriteTimeUtc(_base, then);
        using (BlockImage image = BlockImage.OpenOverlay(_base, _overlay))
        {
            _disk.Write(image, 7, 5);
            Assert.Equal(0, (int)image.Sync());
        }

        File.SetLastWriteTimeUtc(_base, then.AddSeconds(1));
        Refused(
            $"disk image '{_base}' is not what overlay '{_overlay}' was made over: it was last changed at 2020-03-01 10:20:31 UTC, that one at 2020-03-01 10:20:30 UTC. Give the old one, or begin a new overlay; if this is a true copy, 'touch -d @1583058030.123456700 {_base}' says so",
            _base,
            () => BlockImage.OpenOverlay(_base, _overlay));
        Assert.Equal(0, Command.Run("touch", ["-d", "@1583058030.123456700", _base], _directory.Path).Status);
        _disk.Settle();
        using (BlockImage image = BlockImage.OpenOverlay(_base, _overlay))
            _disk.Check(image);
        using (FileStream file = File.OpenWrite(_base))
            file.SetLength(file.Length + 512);
        Refused("the base that it was made for", _overlay, () => BlockImage.OpenOverlay(_base, _overlay));
    }

    /// <summary>Nothing is over an empty overlay that the base's content could matter to.</summary>
    [Fact]
    public void AnEmptyOverlayFitsAnyContent()
    {
        BlockImage.OpenOverlay(_base, _overlay).Dispose();
        File.SetLastWriteTimeUtc(_base, DateTime.UtcNow.AddDays(-1));
        using (BlockImage image = BlockImage.OpenOverlay(_base, _overlay))
        {
            _disk.Write(image, 7, 5);
            Assert.Equal(0, (int)image.Sync());
        }

        BlockImage.OpenOverlay(_base, _overlay).Dispose();
    }

    /// <summary>A launcher that was killed while it made its overlay leaves a file that says nothing yet.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    [InlineData(4 << 16)]
    public void ABlankFileIsBegun(int length)
    {
        File.WriteAllBytes(_overlay, new byte[length]);
        using BlockImage image = BlockImage.OpenOverlay(_base, _overlay);
        _disk.Check(image);
    }

    [Fact]
    public void WhatIsNoOverlayIsRefusedAndLeftAlone()
    {
        string other = _directory.File("other", [.. Enumerable.Repeat((byte)'x', 100_000)]);
        Refused("is something else already", other, () => BlockImage.OpenOverlay(_base, other));
        Assert.Equal(100_000, new FileInfo(other).Length);
        string zeros = _directory.File("zeros", new byte[5 << 16]);
        Refused("is something else already", zeros, () => BlockImage.OpenOverlay(_base, zeros));
        Refused("cannot be its own overlay", _base, () => BlockImage.OpenOverlay(_base, _base));
        Refused("not a regular file", _directory.Path, () => BlockImage.OpenOverlay(_base, _directory.Path));
        Refused("folder '/nonexistent' does not exist", "/nonexistent/x", () => BlockImage.OpenOverlay(_base, "/nonexistent/x"));
        BlockImage.OpenOverlay(_base, _overlay).Dispose();
        Refused("is a qcow2 file, which cannot be a base", _overlay, () => BlockImage.OpenOverlay(_overlay, other));
        Refused("is a qcow2 file, which cannot be a base", _overlay, () => BlockImage.OpenSnapshot(_overlay));
    }

    /// <summary>Files that QEMU made or changed, and that only it can use.</summary>
    [Theory]
    [InlineData(Qcow2Format.IncompatibleAt + 7, 1, "qemu-img check -r all")]
    [InlineData(Qcow2Format.IncompatibleAt + 7, 2, "QEMU has marked it so")]
    [InlineData(Qcow2Format.IncompatibleAt + 7, 16, "has features 0x10 of qcow2, which lguest cannot use")]
    [InlineData(Qcow2Format.SnapshotsAt + 3, 1, "has snapshots of its own")]
    [InlineData(Qcow2Format.EncryptionAt + 3, 1, "is encrypted")]
    [InlineData(Qcow2Format.ClusterBitsAt + 3, 12, "clusters or counts of an unusual size")]
    [InlineData(7, 2, "is a qcow2 file of version 2")]
    public void WhatOnlyQemuCanUseIsRefused(int at, byte value, string words)
    {
        BlockImage.OpenOverlay(_base, _overlay).Dispose();
        byte[] bytes = File.ReadAllBytes(_overlay);
        bytes[at] = value;
        File.WriteAllBytes(_overlay, bytes);
        Refused(words, _overlay, () => BlockImage.OpenOverlay(_base, _overlay));
        Assert.Equal(bytes, File.ReadAllBytes(_overlay));
    }

    [FactNeeding(Need.QemuImg)]
    public void AnOverlayThatQemuMadeIsRefused()
    {
        Assert.Equal(0, QemuImg("create", "-f", "qcow2", "-F", "raw", "-b", _base, _overlay).Status);
        Refused("is a qcow2 file that lguest did not make", _overlay, () => BlockImage.OpenOverlay(_base, _overlay));
    }

    /// <summary>Cut off within its tables, an overlay is refused; never read as if all were there.</summary>
    [Fact]
    public void ACutFileIsRefused()
    {
        using (BlockImage image = BlockImage.OpenOverlay(_base, _overlay))
        {
            _disk.Write(image, 7, 500);
            Assert.Equal(0, (int)image.Sync());
        }

        for (long length = new FileInfo(_overlay).Length - ClusterMap.Size; length > 4; length -= ClusterMap.Size / 2)
        {
            using (FileStream file = File.OpenWrite(_overlay))
                file.SetLength(length);
            Refused("is damaged", _overlay, () => BlockImage.OpenOverlay(_base, _overlay));
        }
    }

    /// <summary>The base may be a file that nobody can write; nothing of a snapshot stays.</summary>
    [Fact]
    public void ASnapshotVanishes()
    {
        string[] files = Directory.GetFileSystemEntries(_directory.Path);
        byte[] before = File.ReadAllBytes(_base);
        using (BlockImage image = BlockImage.OpenSnapshot(_base))
        {
            Assert.False(image.ReadOnly);
            Random random = new(1);
            for (int i = 0; i < 30; i++)
                _disk.WriteSomething(image, random);
            _disk.Settle();
            _disk.Check(image);
            Assert.Equal(0, (int)image.Sync());
        }

        Assert.Equal(before, File.ReadAllBytes(_base));
        Assert.Equal(files, Directory.GetFileSystemEntries(_directory.Path));
        using BlockImage again = BlockImage.OpenSnapshot(_base);
        new StampedDisk(Sectors).Check(again);
    }

    [Theory]
    [InlineData("/a/base", "/a/over", "base")]
    [InlineData("/a/base", "/b/over", "/a/base")]
    [InlineData("/a/with:colon", "/a/over", "./with:colon")]
    [InlineData("/a/../b/base", "/b/over", "base")]
    public void TheBaseIsNamedForQemu(string basePath, string overlay, string name) =>
        Assert.Equal(name, Qcow2Overlay.NameFor(basePath, overlay));

    /// <summary>Two gigabytes of the file have one block of counts: the next block is made when it is needed.</summary>
    [Fact]
    public void AFileOfMoreThanTwoGigabytesIsCounted()
    {
        BlockImage.OpenOverlay(_base, _overlay).Dispose();

        // As if all in between were data that an earlier loss of power left: the next cluster is the last but one of the first block.
        StampedDisk disk = new(Sectors);
        using (BlockImage image = BlockImage.OpenOverlay(_base, _overlay))
            disk.Write(image, 0, 1);
        byte[] record = new byte[8];
        using (FileStream file = File.Open(_overlay, FileMode.Open))
        {
            const uint far = (1 << Qcow2Format.BlockBits) - 2;
            file.Position = 4L << ClusterMap.Bits;
            byte[] cluster = new byte[ClusterMap.Size];
            file.ReadExactly(cluster);
            file.Position = (long)far << ClusterMap.Bits;
            file.Write(cluster);
            byte[] first = new byte[ClusterMap.Size];
            file.Position = 0;
            file.ReadExactly(first);
            BinaryPrimitives.WriteUInt32BigEndian(record.AsSpan(4), far);
            file.Position = Qcow2Header.Parse(first, _overlay).Own + Qcow2Format.OwnRecordsAt;
            file.Write(record);
        }

        disk.Settle();
        for (int life = 0; life < 3; life++)
        {
            using BlockImage image = BlockImage.OpenOverlay(_base, _overlay);
            disk.Check(image);
            disk.Write(image, 1000 * (life + 1), 400);
            disk.Settle();
            Assert.Equal(0, (int)image.Sync());
        }

        if (Needs.WhyNot([Need.QemuImg]) == null)
            Assert.Equal((0, string.Empty), (QemuImg("check", _overlay).Status, QemuImg("check", _overlay).Error));
    }

    private static byte[] ReadSector(BlockImage image, int sector)
    {
        byte[] bytes = GC.AllocateUninitializedArray<byte>(512, pinned: true);
        GuestVector vector = new();
        vector.LoadHost(bytes, bytes.Length);
        Assert.Equal((512, 0), (image.Read(vector, (long)sector * 512, out HostErrno error), (int)error));
        return bytes;
    }

    private ProcessResult QemuImg(params string[] arguments) => Command.Run("qemu-img", arguments, _directory.Path);

    private static void Refused(string words, string name, Func<BlockImage> open)
    {
        DeviceException error = Assert.Throws<DeviceException>(() => open().Dispose());
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }
}
