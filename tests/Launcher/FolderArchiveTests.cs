// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using Lguest.Launcher.Common;
using Lguest.Launcher.Initrd;
using Lguest.Tests.Support;
using Mono.Unix.Native;

namespace Lguest.Tests.Launcher;

/// <summary>Folders as initial RAM disks.</summary>
public sealed class FolderArchiveTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Folder => Path.Combine(_directory.Path, "root");

    public FolderArchiveTests() => Directory.CreateDirectory(Folder);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void EverythingIsInIt()
    {
        Make("init", "#!/bin/sh\n", Octal("755"));
        Directory.CreateDirectory(At("bin"));
        File.SetUnixFileMode(At("bin"), (UnixFileMode)Octal("711"));
        Make("bin/busybox", "\u007fELF", Octal("4755"));
        File.CreateSymbolicLink(At("bin/sh"), "busybox");
        Make("empty", string.Empty, Octal("600"));
        Assert.Equal(0, Syscall.mkfifo(At("pipe"), (FilePermissions)Octal("640")));
        File.SetLastWriteTimeUtc(At("init"), DateTime.UnixEpoch.AddSeconds(0x12345678));
        Entry[] entries = Read();
        Assert.Equal(["bin", "bin/busybox", "bin/sh", "empty", "init", "pipe"], entries.Select(static entry => entry.Name));
        Assert.Equal(["40711", "104755", "120777", "100600", "100755", "10640"], entries.Select(static entry => Convert.ToString(entry.Mode, 8)));
        Assert.Equal([string.Empty, "\u007fELF", "busybox", string.Empty, "#!/bin/sh\n", string.Empty], entries.Select(static entry => entry.Content));
        Assert.Equal(0x12345678u, entries[4].Fields[5]);
        Assert.Equal(entries.Length, entries.Select(static entry => entry.Fields[0]).Distinct().Count());
        Assert.All(entries, static entry => Assert.Equal((0u, 0u, 1u), (entry.Fields[2], entry.Fields[3], entry.Fields[4])));
    }

    /// <summary>Names of one file are one file in the guest; a name outside of the folder counts for nothing.</summary>
    [Fact]
    public void HardLinksStay()
    {
        Make("b", "content", Octal("644"));
        Assert.Equal(0, Syscall.link(At("b"), At("a")));
        Assert.Equal(0, Syscall.link(At("b"), At("z")));
        Make("other", "elsewhere", Octal("644"));
        Assert.Equal(0, Syscall.link(At("other"), Path.Combine(_directory.Path, "outside")));
        Entry[] entries = Read();
        Assert.Equal(["a", "b", "other", "z"], entries.Select(static entry => entry.Name));
        Assert.Equal([string.Empty, string.Empty, "elsewhere", "content"], entries.Select(static entry => entry.Content));
        Assert.Equal([3u, 3u, 1u, 3u], entries.Select(static entry => entry.Fields[4]));
        Assert.Single(((IEnumerable<Entry>)[entries[0], entries[1], entries[3]]).Select(static entry => entry.Fields[0]).Distinct());
        Assert.NotEqual(entries[0].Fields[0], entries[2].Fields[0]);
    }

    [FactNeeding(Need.Root)]
    public void DevicesKeepTheirNumbers()
    {
        Assert.Equal(0, Syscall.mknod(At("console"), FilePermissions.S_IFCHR | (FilePermissions)Octal("600"), (5UL << 8) | 1));
        Assert.Equal(0, Syscall.mknod(At("disk"), FilePermissions.S_IFBLK | (FilePermissions)Octal("660"), (259UL << 8) | 3 | (1UL << 20)));
        File.SetUnixFileMode(At("disk"), (UnixFileMode)Octal("660"));
        Entry[] entries = Read();
        Assert.Equal((5u, 1u), (entries[0].Fields[9], entries[0].Fields[10]));
        Assert.Equal((259u, 259u), (entries[1].Fields[9], entries[1].Fields[10]));
        Assert.Equal("60660", Convert.ToString(entries[1].Mode, 8));
    }

    [Fact]
    public void TheSameFolderGivesTheSameBytes()
    {
        foreach (string name in (string[])["x", "b", "a.b", "a", "B", "ü", "a-b"])
            Make(name, name, Octal("644"));
        Assert.Equal(Pack(), Pack());
        Assert.Equal(["B", "a", "a-b", "a.b", "b", "x", "ü"], Read().Select(static entry => entry.Name));
    }

    /// <summary>An entry of that name ends an archive.</summary>
    [Fact]
    public void AFileMayHaveTheTrailersName()
    {
        Make("TRAILER!!!", "here", Octal("644"));
        Make("after", "there", Octal("644"));
        Assert.Equal(["./TRAILER!!!", "after"], Read().Select(static entry => entry.Name));
    }

    [FactNeeding(Need.OrdinaryUser)]
    public void WhatCannotBeReadIsNamed()
    {
        Make("secret", "x", 0);
        using InitialRamDisk disk = InitialRamDisk.Open(Folder);
        LaunchException error = Assert.Throws<LaunchException>(disk.Read);
        Assert.Equal($"'secret' in the folder for the initrd, '{Folder}', cannot be read: permission denied", error.Message);
    }

    [Fact]
    public void ANameThatIsNoTextIsNamed()
    {
        Assert.Equal(0, Command.Run("sh", ["-c", "echo x >$(printf 'bad\\377name')"], Folder).Status);
        LaunchException error = Assert.Throws<LaunchException>(() => InitialRamDisk.Open(Folder).Dispose());
        Assert.Contains("its name is not UTF-8; rename it", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, Command.Run("sh", ["-c", "rm bad*"], Folder).Status);
    }

    [Theory]
    [InlineData("longer than before")]
    [InlineData("short")]
    [InlineData(null)]
    public void WhatChangesMeanwhileIsNoticed(string? content)
    {
        Make("file", "as it was", Octal("644"));
        using InitialRamDisk disk = InitialRamDisk.Open(Folder);
        if (content == null)
            File.Delete(At("file"));
        else
            File.WriteAllText(At("file"), content);
        LaunchException error = Assert.Throws<LaunchException>(disk.Read);
        Assert.Contains("'file' in the folder", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A folder that does not fit is refused as a file is, before its content is read.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AFolderThatDoesNotFitIsRefused()
    {
        using (FileStream file = File.Create(At("large")))
            file.SetLength(40L << 20);
        ProcessResult result = LauncherProcess.Run("16m", Needs.Guest("demo"), $"--initrd={Folder}");
        Assert.Equal(1, result.Status);
        Assert.Contains("more than the lowest memory bank", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Error.Count(static c => c == '\n'));
    }

    /// <summary>A real kernel runs what is in the folder, which an archive program packed into its file before.</summary>
    [FactNeeding(Need.Launcher, Need.Kernel, Need.Initrd, Need.Cpio)]
    public void AKernelUnpacksIt()
    {
        string initrd = Environment.GetEnvironmentVariable("LGUEST_TEST_INITRD")!;
        ProcessResult unpacked = Command.Run("sh", ["-c", $"zcat '{initrd}' | cpio -id --quiet"], Folder);
        Assert.True(unpacked.Status == 0 || unpacked.Error.Contains("mknod", StringComparison.Ordinal), unpacked.Error);
        File.WriteAllText(At("said"), "packed by lguest\n");
        ProcessResult result = LauncherProcess.Run("cat /said; poweroff -f\n", ["64m", Environment.GetEnvironmentVariable("LGUEST_TEST_KERNEL")!, $"--initrd={Folder}", "--timeout=100s", "quiet"]);
        Assert.Equal(0, result.Status);
        Assert.Contains("packed by lguest", result.Output, StringComparison.Ordinal);
    }

    private static uint Octal(string digits) => Convert.ToUInt32(digits, 8);

    private string At(string name) => Path.Combine(Folder, name);

    private void Make(string name, string content, uint mode)
    {
        File.WriteAllText(At(name), content);
        File.SetUnixFileMode(At(name), (UnixFileMode)mode);
    }

    private byte[] Pack()
    {
        using InitialRamDisk disk = InitialRamDisk.Open(Folder);
        byte[] bytes = disk.Read();
        Assert.Equal(disk.Length, bytes.Length);
        return bytes;
    }

    /// <summary>Reads an archive as the kernel does.</summary>
    private Entry[] Read()
    {
        byte[] bytes = Pack();
        List<Entry> entries = [];
        for (int at = 0; ;)
        {
            Assert.Equal("070701", Encoding.ASCII.GetString(bytes, at, 6));
            uint[] fields = [.. Enumerable.Range(0, 13).Select(i => uint.Parse(Encoding.ASCII.GetString(bytes, at + 6 + (8 * i), 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
            int nameLength = (int)fields[11];
            Assert.Equal(0, bytes[at + 110 + nameLength - 1]);
            string name = Encoding.UTF8.GetString(bytes, at + 110, nameLength - 1);
            int content = (at + 110 + nameLength + 3) & ~3;
            if (name == "TRAILER!!!")
            {
                Assert.Equal(bytes.Length, content);
                return [.. entries];
            }

            entries.Add(new Entry(name, fields, Encoding.UTF8.GetString(bytes, content, (int)fields[6])));
            at = (content + (int)fields[6] + 3) & ~3;
        }
    }

    private sealed record Entry(string Name, uint[] Fields, string Content)
    {
        public uint Mode => Fields[1];
    }
}
