// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.GuestAbi.NineP;

namespace Lguest.Tests.Devices.NineP;

/// <summary>What a guest does with files, and what the host sees of it.</summary>
public sealed class NinePFileTests : IDisposable
{
    private readonly SharedPlace _place = new();

    private NinePClient Client => _place.Client;

    /// <inheritdoc/>
    public void Dispose() => _place.Dispose();

    [Fact]
    public void ReadsWhatTheHostWrote()
    {
        Assert.Equal(0, (int)Client.Walk(1, 2, "inner", "deep"));
        Assert.Equal(0, (int)Client.Open(2, NinePOpen.Read));
        Assert.Equal("deep content", Client.Read(2));
        Assert.Equal("content", Client.Read(2, 5));
        Assert.Equal("de", Client.Read(2, 0, 2));
        Assert.Equal(string.Empty, Client.Read(2, 1 << 20));
        Assert.Equal(HostErrno.EBADF, Client.Write(2, 0, "x"));
    }

    [Fact]
    public void WritesWhatTheHostReads()
    {
        Client.Walk(1, 2);
        Assert.Equal(0, (int)Client.Create(2, "new", NinePOpen.ReadWrite, 0x1A4));
        Assert.Equal(0, (int)Client.Write(2, 0, "hello"));
        Assert.Equal(0, (int)Client.Write(2, 8, "there"));
        Client.Must(NinePMessage.Sync, 2u, 0u);
        Client.Must(NinePMessage.Sync, 2u, 1u);
        Client.Must(NinePMessage.Sync, 2u);
        Assert.Equal("hello\0\0\0there", File.ReadAllText(_place["new"]));
        Assert.Equal("hello\0\0\0there", Client.Read(2));
        Assert.Equal(13ul, Client.Attributes(2).Size);
    }

    /// <summary>The umask is the launcher's, which has nothing to say about the guest's files.</summary>
    [Theory]
    [InlineData(0x1B6u)]
    [InlineData(0x1FFu)]
    [InlineData(0x080u)]
    [InlineData(0u)]
    public void AModeIsKept(uint mode)
    {
        Client.Walk(1, 2);
        Assert.Equal(0, (int)Client.Create(2, "new", NinePOpen.ReadWrite, mode));
        Assert.Equal((UnixFileMode)mode, File.GetUnixFileMode(_place["new"]));
        Client.Must(NinePMessage.MakeFolder, 1u, "folder", mode, 0u);
        Assert.Equal((UnixFileMode)mode, File.GetUnixFileMode(_place["folder"]));
        Client.Must(NinePMessage.MakeNode, 1u, "pipe", 0x1000 | mode, 0u, 0u, 0u);
        Assert.Equal((UnixFileMode)mode, File.GetUnixFileMode(_place["pipe"]));
        Client.Walk(1, 3, "file");
        Assert.Equal(0, (int)Client.Change(3, NinePChange.Mode, mode));
        Assert.Equal((UnixFileMode)mode, File.GetUnixFileMode(_place["file"]));
    }

    /// <summary>A guest's root makes no programs that run as the launcher's user.</summary>
    [Fact]
    public void SetUserIdIsNotSet()
    {
        Client.Walk(1, 2);
        Assert.Equal(0, (int)Client.Create(2, "new", NinePOpen.ReadWrite, 0xDED));
        Assert.Equal((UnixFileMode)0x1ED, File.GetUnixFileMode(_place["new"]));
        Assert.Equal(HostErrno.EPERM, Client.Change(2, NinePChange.Mode, 0x9ED));
        Assert.Equal((UnixFileMode)0x1ED, File.GetUnixFileMode(_place["new"]));
        File.SetUnixFileMode(_place["new"], (UnixFileMode)0x9ED);
        Assert.Equal(0, (int)Client.Change(2, NinePChange.Mode, 0x9C0));
        Assert.Equal((UnixFileMode)0x9C0, File.GetUnixFileMode(_place["new"]));
        Assert.Equal(0, (int)Client.Change(2, NinePChange.Mode, 0x1C0));
        Assert.Equal((UnixFileMode)0x1C0, File.GetUnixFileMode(_place["new"]));
    }

    [Fact]
    public void AFileThatIsThereIsOpenedUnlessItMustNotBe()
    {
        Client.Walk(1, 2);
        Assert.Equal(HostErrno.EEXIST, Client.Create(2, "file", NinePOpen.ReadWrite | NinePOpen.Exclusive, 0x1A4));
        Assert.Equal(0, (int)Client.Create(2, "file", NinePOpen.ReadWrite, 0x1A4));
        Assert.Equal("content", Client.Read(2));
        Client.Walk(1, 3);
        Assert.Equal(0, (int)Client.Create(3, "file", NinePOpen.Write | NinePOpen.Truncate, 0x1A4));
        Assert.Equal(string.Empty, File.ReadAllText(_place["file"]));
        Client.Walk(1, 4);
        Assert.Equal(HostErrno.EISDIR, Client.Create(4, "inner", NinePOpen.Write, 0x1A4));
        Assert.Equal(0, (int)Client.Walk(4, 5, "file"));
    }

    [Fact]
    public void AppendIsAtTheEndWhoeverElseWrites()
    {
        Client.Walk(1, 2, "file");
        Assert.Equal(0, (int)Client.Open(2, NinePOpen.Write | NinePOpen.Append | NinePOpen.DataSync));
        File.AppendAllText(_place["file"], " and more");
        Assert.Equal(0, (int)Client.Write(2, 7, " and the guest's"));
        Assert.Equal("content and more and the guest's", File.ReadAllText(_place["file"]));
    }

    /// <summary>Linux up to 5.x gives what is to be written in pages of its own, and does not count it as part of the message.</summary>
    [Fact]
    public void WhatIsWrittenNeedNotBePartOfTheLength()
    {
        Client.Walk(1, 2, "file");
        Client.Open(2, NinePOpen.Write);
        byte[] message = NinePClient.Message(NinePMessage.Write, 2u, 0ul, 3u);
        Assert.Equal(3u, Client.Send([.. message, (byte)'a', (byte)'b', (byte)'c']).Double());
        Assert.Equal("abctent", File.ReadAllText(_place["file"]));
        Assert.Equal(HostErrno.EINVAL, Client.Send([.. message, (byte)'x']).Error);
    }

    [Fact]
    public void LengthsAndTimesAreChanged()
    {
        Client.Walk(1, 2, "file");
        Assert.Equal(0, (int)Client.Change(2, NinePChange.Size | NinePChange.ModifyTime | NinePChange.ModifyTimeGiven, size: 3, modified: 1_000_000_000));
        Assert.Equal("con", File.ReadAllText(_place["file"]));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1_000_000_000), File.GetLastWriteTimeUtc(_place["file"]));
        Assert.Equal(0, (int)Client.Change(2, NinePChange.AccessTime | NinePChange.AccessTimeGiven, accessed: 900_000_000));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1_000_000_000), File.GetLastWriteTimeUtc(_place["file"]));
        Assert.Equal(0, (int)Client.Change(2, NinePChange.ModifyTime));
        Assert.True(File.GetLastWriteTimeUtc(_place["file"]) > DateTime.UtcNow.AddHours(-1));
        Assert.Equal(HostErrno.EFBIG, Client.Change(2, NinePChange.Size, size: ulong.MaxValue));
        Assert.Equal(HostErrno.EISDIR, Client.Change(1, NinePChange.Size));
    }

    /// <summary>A file whose name is gone lives on for who has it open; so does what is done by way of another fid.</summary>
    [Fact]
    public void AnOpenFileOutlivesItsName()
    {
        Client.Walk(1, 2, "file");
        Client.Walk(2, 3);
        Assert.Equal(0, (int)Client.Open(3, NinePOpen.ReadWrite));
        Client.Must(NinePMessage.UnlinkAt, 1u, "file", 0u);
        Assert.False(File.Exists(_place["file"]));
        Assert.Equal(0, (int)Client.Write(3, 7, "!"));
        Assert.Equal("content!", Client.Read(3));
        Assert.Equal(0ul, Client.Attributes(2).Links);
        Assert.Equal(0, (int)Client.Change(2, NinePChange.Size, size: 1));
        Assert.Equal("c", Client.Read(3));
        Assert.Equal(HostErrno.ENOENT, Client.Open(2, NinePOpen.Read));
    }

    /// <summary>The guest keeps using the fids that it has, whatever it calls the files.</summary>
    [Fact]
    public void FidsFollowTheGuestsRenames()
    {
        Client.Walk(1, 2, "inner");
        Client.Walk(1, 3, "inner", "deep");
        Client.Must(NinePMessage.RenameAt, 1u, "inner", 1u, "outer");
        Assert.Equal(0, (int)Client.Walk(2, 4, "deep"));
        Client.Must(NinePMessage.RenameAt, 2u, "deep", 1u, "shallow");
        Assert.Equal("deep content", File.ReadAllText(_place["shallow"]));
        Assert.Equal(0, (int)Client.Open(3, NinePOpen.Read));
        Assert.Equal("deep content", Client.Read(3));
        Client.Must(NinePMessage.Rename, 4u, 2u, "back");
        Assert.Equal("deep content", File.ReadAllText(_place["outer/back"]));
        Client.Must(NinePMessage.Remove, 4u);
        Assert.Empty(Directory.GetFileSystemEntries(_place["outer"]));
        Assert.Equal(HostErrno.EBADF, Client.Clunk(4));
    }

    [Fact]
    public void AFolderIsListedInPiecesOfAnySize()
    {
        SortedSet<string> names = [".", "..", "file", "inner"];
        for (int i = 0; i < 300; i++)
        {
            string name = new('n', 1 + (i % 200));
            File.WriteAllText(_place[$"{name}{i}"], string.Empty);
            names.Add($"{name}{i}");
        }

        Client.Walk(1, 2);
        Assert.Equal(0, (int)Client.Open(2, NinePOpen.Read | NinePOpen.Folder));
        foreach (uint room in (uint[])[300, 1000, 8000])
            Assert.Equal(names, Client.List(2, room).Order(StringComparer.CurrentCulture));
        Assert.Equal(HostErrno.EINVAL, Client.Ask(NinePMessage.ReadFolder, 2u, 0ul, 10u).Error);
        Assert.Equal(HostErrno.EISDIR, Client.Ask(NinePMessage.Read, 2u, 0ul, 10u).Error);
        Client.Walk(1, 3);
        Assert.Equal(HostErrno.EISDIR, Client.Open(3, NinePOpen.ReadWrite));
        Client.Walk(1, 4, "file");
        Assert.Equal(HostErrno.ENOTDIR, Client.Open(4, NinePOpen.Folder));
    }

    [Fact]
    public void LinksAreMadeAndRead()
    {
        Client.Must(NinePMessage.Symlink, 1u, "link", "/etc/passwd", 0u);
        Assert.Equal("/etc/passwd", new FileInfo(_place["link"]).LinkTarget);
        Assert.Equal(0, (int)Client.Walk(1, 2, "link"));
        Assert.Equal("/etc/passwd", Client.Must(NinePMessage.ReadLink, 2u).Text());
        Assert.Equal(HostErrno.ELOOP, Client.Open(2, NinePOpen.Read));
        Assert.Equal(0xA000u, Client.Attributes(2).Mode & 0xF000);
        Client.Walk(1, 3, "file");
        Assert.Equal(HostErrno.EINVAL, Client.Ask(NinePMessage.ReadLink, 3u).Error);
        Client.Must(NinePMessage.Link, 1u, 3u, "second");
        Assert.Equal(2ul, Client.Attributes(3).Links);
        Assert.Equal("content", File.ReadAllText(_place["second"]));
        Client.Must(NinePMessage.Link, 1u, 2u, "link too");
        Assert.Equal("/etc/passwd", new FileInfo(_place["link too"]).LinkTarget);
        Assert.Equal(HostErrno.ENOENT, Client.Ask(NinePMessage.Symlink, 1u, "empty", string.Empty, 0u).Error);
        Assert.Equal(HostErrno.EINVAL, Client.Ask(NinePMessage.Symlink, 1u, "zero", "a\0b", 0u).Error);
        Assert.Equal(HostErrno.ENAMETOOLONG, Client.Ask(NinePMessage.Symlink, 1u, "long", new string('a', 4096), 0u).Error);
    }

    [Fact]
    public void WhatThereIsNotIsSaid()
    {
        Assert.Equal(HostErrno.EOPNOTSUPP, Client.Ask(NinePMessage.ExtendedWalk, 1u, 2u, "user.x").Error);
        Assert.Equal(HostErrno.EOPNOTSUPP, Client.Ask(NinePMessage.ExtendedCreate, 1u, "user.x", 0ul, 0u).Error);
        Assert.Equal(HostErrno.EOPNOTSUPP, Client.Ask(NinePMessage.Authenticate, 1u, "nobody", string.Empty, 0u).Error);
        Assert.Equal(HostErrno.EOPNOTSUPP, Client.Ask((NinePMessage)200).Error);
        Client.Must(NinePMessage.Flush, (ushort)3);
        NinePAnswer space = Client.Must(NinePMessage.StatFs, 1u);
        Assert.Equal(NinePFormat.FileSystemType, space.Double());
        Assert.True(space.Double() >= 512);
        Client.Walk(1, 2, "file");
        Assert.Equal(HostErrno.EBADF, Client.Ask(NinePMessage.Lock, 2u, (byte)1, 0u, 0ul, 0ul, 1u, "guest").Error);
        Client.Open(2, NinePOpen.ReadWrite);
        Assert.Equal(0, Client.Must(NinePMessage.Lock, 2u, (byte)1, 0u, 0ul, 0ul, 1u, "guest").Byte());
        Assert.Equal((byte)NinePLock.None, Client.Must(NinePMessage.GetLock, 2u, (byte)1, 0ul, 0ul, 1u, "guest").Byte());
        Assert.Equal(HostErrno.EINVAL, Client.Ask(NinePMessage.Lock, 2u, (byte)3, 0u, 0ul, 0ul, 1u, "guest").Error);
    }

    /// <summary>The guest's own kernel has the ends of a pipe; the launcher never waits at one.</summary>
    [Fact]
    public void WhatIsNoOrdinaryFileIsNotOpened()
    {
        Client.Must(NinePMessage.MakeNode, 1u, "pipe", 0x11A4u, 0u, 0u, 0u);
        Client.Walk(1, 2, "pipe");
        foreach (NinePOpen flags in (NinePOpen[])[NinePOpen.Read, NinePOpen.Write, NinePOpen.ReadWrite])
            Assert.Equal(HostErrno.ENXIO, Client.Open(2, flags));
        Assert.Equal(0x1000u, Client.Attributes(2).Mode & 0xF000);
        Client.Walk(1, 3);
        Assert.Equal(HostErrno.ENXIO, Client.Create(3, "pipe", NinePOpen.Write, 0x1A4));
        foreach (uint type in (uint[])[0x2000, 0x6000, 0xC000, 0x4000, 0])
            Assert.Equal(HostErrno.EPERM, Client.Ask(NinePMessage.MakeNode, 1u, "node", type | 0x1A4, 1u, 3u, 0u).Error);
        Client.Must(NinePMessage.MakeNode, 1u, "plain", 0x81A4u, 0u, 0u, 0u);
        Assert.Equal(0, new FileInfo(_place["plain"]).Length);
    }
}
