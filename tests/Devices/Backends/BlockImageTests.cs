// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Tests.Support;
using Mono.Unix.Native;
using Xunit;

namespace Lguest.Tests.Devices.Backends;

/// <summary>Opening and locking disk images.</summary>
public sealed class BlockImageTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>Two writers, and a writer with a reader, cannot share; the message names the file. Readers can.</summary>
    [Theory]
    [InlineData(false, false, true)]
    [InlineData(false, true, true)]
    [InlineData(true, false, true)]
    [InlineData(true, true, false)]
    public void OneWriterOrManyReaders(bool firstReadOnly, bool secondReadOnly, bool conflict)
    {
        string path = _directory.File("disk.img", new byte[1024]);
        using BlockImage first = BlockImage.Open(path, firstReadOnly);
        if (!conflict)
        {
            BlockImage.Open(path, secondReadOnly).Dispose();
            return;
        }

        DeviceException error = Assert.Throws<DeviceException>(() => BlockImage.Open(path, secondReadOnly));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains("another guest", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Closing gives the lock back.</summary>
    [Fact]
    public void ClosingUnlocks()
    {
        string path = _directory.File("disk.img", new byte[1024]);
        BlockImage.Open(path, readOnly: false).Dispose();
        BlockImage.Open(path, readOnly: false).Dispose();
    }

    /// <summary>Also when a copy of the descriptor is still somewhere: in a process that has been forked and not yet executed.</summary>
    [Fact]
    public void ClosingUnlocksThoughADescriptorIsLeft()
    {
        string path = _directory.File("disk.img", new byte[1024]);
        BlockImage image = BlockImage.Open(path, readOnly: false);
        string name = Directory.GetFiles("/proc/self/fd").First(fd => File.ResolveLinkTarget(fd, returnFinalTarget: false)?.FullName == path);
        int copy = Syscall.dup(int.Parse(Path.GetFileName(name), CultureInfo.InvariantCulture));
        image.Dispose();
        BlockImage.Open(path, readOnly: false).Dispose();
        _ = Syscall.close(copy);
    }

    /// <summary>A lock holds against another process too.</summary>
    [FactNeeding(Need.Launcher)]
    public void AnotherProcessIsRefused()
    {
        string path = _directory.File("disk.img", new byte[1024]);
        string kernel = _directory.File("kernel", Launcher.TestKernel.Good().Build());
        using BlockImage mine = BlockImage.Open(path, readOnly: false);
        ProcessResult result = LauncherProcess.Run("16m", kernel, $"--block={path}");
        Assert.Equal(1, result.Status);
        Assert.Equal($"lguest: disk image '{path}' is in use by another guest (or given twice); two would destroy it\n", result.Error);
    }

    /// <summary>What cannot be a disk.</summary>
    [Fact]
    public void WhatIsNoDiskIsRefusedByName()
    {
        Refused(Path.Combine(_directory.Path, "none"), "no such file");
        Refused(_directory.Path, "is a directory");
        Refused("/dev/null", "neither a file nor a block device");
        Refused(_directory.File("empty", []), "0 bytes");
        Refused(_directory.File("short", new byte[511]), "not even one sector");
    }

    /// <summary>A file that may be read and not written gets a hint.</summary>
    [FactNeeding(Need.OrdinaryUser)]
    public void AFileThatMayNotBeWrittenGetsAHint()
    {
        string path = _directory.File("disk.img", new byte[1024]);
        File.SetUnixFileMode(path, UnixFileMode.UserRead);
        Refused(path, ",ro");
    }

    /// <summary>A disk beyond 2 TiB shows its first 2^32 - 1 sectors.</summary>
    [Fact]
    public void ASparseGiantShowsWhatFits()
    {
        string path = _directory.File("disk.img", []);
        using (FileStream file = File.OpenWrite(path))
            file.SetLength(3L << 40);
        using BlockImage image = BlockImage.Open(path, readOnly: false);
        Assert.Equal(uint.MaxValue, image.Sectors);
    }

    /// <summary>Saving works on a file, and on a read-only one does nothing.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SyncSucceeds(bool readOnly)
    {
        using BlockImage image = BlockImage.Open(_directory.File("disk.img", new byte[1024]), readOnly);
        Assert.Equal(0, (int)image.Sync());
    }

    private static void Refused(string path, string words)
    {
        DeviceException error = Assert.Throws<DeviceException>(() => BlockImage.Open(path, readOnly: false));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(words, error.Message, StringComparison.OrdinalIgnoreCase);
    }
}
