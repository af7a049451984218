// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Share;
using Lguest.GuestAbi.NineP;
using Mono.Unix.Native;

namespace Lguest.Tests.Devices.NineP;

/// <summary>No name, link or race leads out of a share, and a guest that opens without end does not hurt the launcher.</summary>
public sealed class NinePContainmentTests : IDisposable
{
    private readonly SharedPlace _place = new();

    private NinePClient Client => _place.Client;

    /// <inheritdoc/>
    public void Dispose() => _place.Dispose();

    [Theory]
    [InlineData("inner/deep")]
    [InlineData("../secret")]
    [InlineData("inner/")]
    [InlineData("fi\0le")]
    [InlineData(".")]
    [InlineData("")]
    public void WhatIsNoNameIsRefused(string name)
    {
        Assert.NotEqual(0, (int)Client.Walk(1, 2, name));
        RefusedInChanges(name);
    }

    /// <summary>Of something that the test has made: the names of a host must not be at stake when a test fails.</summary>
    [Theory]
    [InlineData("secret")]
    [InlineData("share/inner")]
    public void AnAbsoluteNameIsRefused(string of)
    {
        string name = Path.Combine(_place.Outer, of);
        Assert.NotEqual(0, (int)Client.Walk(1, 2, name));
        RefusedInChanges(name);
    }

    [Fact]
    public void TheWayUpEndsAtTheShare()
    {
        ulong root = Client.Attributes(1).Inode;
        Assert.Equal(0, (int)Client.Walk(1, 2, "..", "..", ".."));
        Assert.Equal(root, Client.Attributes(2).Inode);
        Assert.Equal(0, (int)Client.Walk(1, 3, "inner", "..", "..", "inner", "..", ".."));
        Assert.Equal(root, Client.Attributes(3).Inode);
        Assert.Equal(HostErrno.ENOENT, Client.Walk(1, 4, "..", "secret"));
        RefusedInChanges("..");
        Client.Walk(1, 5);
        Client.Open(5, NinePOpen.Read);
        NinePAnswer list = Client.Must(NinePMessage.ReadFolder, 5u, 0ul, 1000u);
        list.Double();
        while (!list.AtEnd)
        {
            ulong inode = list.Qid().Path;
            list.Take(9);
            Assert.True(list.Text() is not ("." or "..") || inode == root);
        }
    }

    [Fact]
    public void LinksLeadNowhere()
    {
        File.CreateSymbolicLink(_place["up"], "..");
        File.CreateSymbolicLink(_place["away"], _place.Outer);
        File.CreateSymbolicLink(_place["round"], "inner");
        File.CreateSymbolicLink(_place["secret"], "../secret");
        foreach (string link in (string[])["up", "away", "round"])
        {
            Assert.Equal(HostErrno.ENOENT, Client.Walk(1, 2, link, "secret"));
            Assert.Equal(0, (int)Client.Walk(1, 2, link));
            Assert.Equal(HostErrno.ENOTDIR, Client.Walk(2, 3, "secret"));
            Assert.Equal(HostErrno.ENOTDIR, Client.Create(2, "new", NinePOpen.Write, 0x1A4));
            Assert.Equal(HostErrno.ENOTDIR, Client.Ask(NinePMessage.MakeFolder, 2u, "new", 0x1EDu, 0u).Error);
            Client.Clunk(2);
        }

        Client.Walk(1, 2, "secret");
        foreach (NinePOpen flags in (NinePOpen[])[NinePOpen.Read, NinePOpen.Write | NinePOpen.Truncate])
            Assert.Equal(HostErrno.ELOOP, Client.Open(2, flags));
        Assert.Equal(HostErrno.EINVAL, Client.Change(2, NinePChange.Size));
        Client.Change(2, NinePChange.Mode, 0x1FF);
        Client.Walk(1, 3);
        Assert.NotEqual(0, (int)Client.Create(3, "secret", NinePOpen.Write, 0x1A4));
        _place.AssertOuterUntouched();
        Assert.NotEqual((UnixFileMode)0x1FF, File.GetUnixFileMode(Path.Combine(_place.Outer, "secret")));
    }

    /// <summary>Somebody exchanges a folder for a link that leads out, as fast as possible, while the guest goes through it.</summary>
    [Fact]
    public async Task AFolderThatTurnsIntoALinkLeadsNowhere()
    {
        Directory.CreateDirectory(_place["door"]);
        File.WriteAllText(_place["door/secret"], "harmless");
        File.CreateSymbolicLink(_place["link"], _place.Outer);
        int read = 0;
        await WhileSwapping(_place["door"], _place["link"], round =>
        {
            if (Client.Walk(1, 2, "door", "secret") == 0)
            {
                if (Client.Open(2, NinePOpen.Read) == 0)
                {
                    Assert.Equal("harmless", Client.Read(2));
                    read++;
                }

                Client.Clunk(2);
            }

            if (Client.Walk(1, 3, "door") != 0)
                return;
            _ = Client.Create(3, $"new{round % 4}", NinePOpen.Write, 0x1A4);
            Client.Clunk(3);
            if (Client.Walk(1, 4, "door") == 0)
            {
                Client.Ask(NinePMessage.UnlinkAt, 4u, "secret2", 0u);
                Client.Ask(NinePMessage.MakeFolder, 4u, $"folder{round % 4}", 0x1EDu, 0u);
                Client.Clunk(4);
            }
        });
        Assert.True(read > 0, "the door was never open");
        _place.AssertOuterUntouched();
    }

    /// <summary>Likewise a file.</summary>
    [Fact]
    public async Task AFileThatTurnsIntoALinkOrAPipeIsNotOpened()
    {
        File.WriteAllText(_place["door"], "harmless");
        File.CreateSymbolicLink(_place["link"], "../secret");
        int read = 0;
        await WhileSwapping(_place["door"], _place["link"], _ =>
        {
            if (Client.Walk(1, 2, "door") != 0)
                return;
            if (Client.Open(2, NinePOpen.ReadWrite) == 0)
            {
                Assert.Equal("harmless", Client.Read(2));
                read++;
            }

            Client.Change(2, NinePChange.Mode, 0x180);
            Client.Change(2, NinePChange.Size, size: 8);
            Client.Clunk(2);
        });
        Assert.True(read > 0, "the file was never there");
        _place.AssertOuterUntouched();
        File.Delete(_place["link"]);
        Assert.Equal(0, Syscall.mkfifo(_place["link"], FilePermissions.S_IRWXU));
        await WhileSwapping(_place["door"], _place["link"], round =>
        {
            if (Client.Walk(1, 2, "door") != 0)
                return;
            _ = Client.Open(2, NinePOpen.Read);
            Client.Clunk(2);
        });
    }

    /// <summary>A folder that somebody moves out of the share, and in again, has no way up that leads out.</summary>
    [Fact]
    public async Task AFolderThatIsMovedAwayHasNoWayUp()
    {
        ulong outer = InodeOf(_place.Outer);
        string away = Path.Combine(_place.Outer, "away");
        Client.Walk(1, 2, "inner");
        int found = 0;
        await While(
            () =>
            {
                Directory.Move(_place["inner"], away);
                Directory.Move(away, _place["inner"]);
            },
            _ =>
            {
                if (Client.Walk(2, 3, "..") != 0)
                    return;
                found++;
                Assert.NotEqual(outer, Client.Attributes(3).Inode);
                Assert.NotEqual(0, (int)Client.Walk(3, 4, "secret"));
                Client.Clunk(3);
            });
        Assert.True(found > 0, "the folder was never there");
        _place.AssertOuterUntouched();
    }

    /// <summary>What the host does to the names is an error for the guest, or is as if it had come first.</summary>
    [Fact]
    public void AnotherFileOfTheSameNameIsNotOpenedInsteadOfIt()
    {
        Client.Walk(1, 2, "file");
        File.Move(_place["file"], _place["old"]);
        File.WriteAllText(_place["file"], "another");
        Assert.Equal(HostErrno.ESTALE, Client.Open(2, NinePOpen.Write | NinePOpen.Truncate));
        Assert.Equal(HostErrno.ENOENT, Client.Ask(NinePMessage.Remove, 2u).Error);
        Assert.Equal("another", File.ReadAllText(_place["file"]));
        Assert.Equal("content", File.ReadAllText(_place["old"]));
        Assert.Equal(0, (int)Client.Walk(1, 3, "file"));
        Assert.Equal(0, (int)Client.Open(3, NinePOpen.Read));
        Assert.Equal("another", Client.Read(3));
    }

    /// <summary>Where something is now is not known when the host has moved it; where it was is no answer.</summary>
    [Fact]
    public void TheWayUpIsToWhereItIs()
    {
        Directory.CreateDirectory(_place["inner/one"]);
        Client.Walk(1, 2, "inner", "one");
        Assert.Equal(0, (int)Client.Walk(2, 3, ".."));
        Directory.Move(_place["inner/one"], _place["one"]);
        Assert.Equal(HostErrno.ENOENT, Client.Walk(2, 4, ".."));
    }

    /// <summary>Folders that the host moves about behind the guest's back make no circle that is never released.</summary>
    [Fact]
    public void FoldersMovedInCirclesAreReleased()
    {
        Directory.CreateDirectory(_place["inner/one"]);
        Client.Walk(1, 2, "inner");
        Client.Walk(1, 3, "inner", "one");
        Directory.Move(_place["inner/one"], _place["one"]);
        Client.Must(NinePMessage.RenameAt, 1u, "inner", 3u, "inner");
        Assert.True(Directory.Exists(_place["one/inner"]));
        Client.Clunk(2);
        Client.Clunk(3);
        Assert.Equal(0, _place.Model.Descriptors);
    }

    [Fact]
    public void AGuestThatOpensWithoutEndIsRefused()
    {
        using SharedPlace small = new(descriptors: 40);
        NinePClient client = small.Client;
        uint fid = 10;
        HostErrno error = 0;
        for (; fid < 200 && error == 0; fid++)
        {
            error = client.Walk(1, fid, "file");
            if (error == 0)
                error = client.Open(fid, NinePOpen.Read);
        }

        Assert.Equal(HostErrno.ENFILE, error);
        Assert.InRange(small.Model.Descriptors, 38, 40);
        Assert.Contains("no more open for it than 40", Assert.Single(small.Told));
        Assert.Equal(HostErrno.ENFILE, client.Ask(NinePMessage.MakeFolder, 1u, "made", 0x1EDu, 0u).Error);
        client.Walk(1, 5);
        Assert.Equal(HostErrno.ENFILE, client.Create(5, "made too", NinePOpen.Write, 0x1A4));
        Assert.False(File.Exists(small["made too"]));
        client.Clunk(20);
        client.Clunk(21);
        Assert.Equal(0, (int)client.Walk(1, 20, "inner"));
        client.Mount();
        Assert.Equal((0, 1), (small.Model.Descriptors, small.Model.Fids));
    }

    [Fact]
    public void NumbersOfTheSameFileCostNoDescriptors()
    {
        Client.Walk(1, 2, "file");
        HostErrno error = 0;
        uint fid = 10;
        for (; error == 0; fid++)
            error = Client.Walk(2, fid);
        Assert.Equal(HostErrno.ENFILE, error);
        Assert.True(fid > 100_000);
        Assert.Equal(1, _place.Model.Descriptors);
        for (uint known = 10; known < fid - 1; known++)
            Assert.Equal(0, (int)Client.Clunk(known));
        Client.Clunk(2);
        Assert.Equal(0, _place.Model.Descriptors);
    }

    [Fact]
    public void FoldersInFoldersAreReleasedHoweverDeep()
    {
        using SharedPlace deep = new(descriptors: 50_000);
        NinePClient client = deep.Client;
        client.Walk(1, 2);
        const int depth = 400;
        for (int i = 0; i < depth; i++)
        {
            client.Must(NinePMessage.MakeFolder, 2u, "d", 0x1EDu, 0u);
            Assert.Equal(0, (int)client.Walk(2, 2, "d"));
        }

        Assert.Equal(depth, deep.Model.Descriptors);
        client.Clunk(2);
        Assert.Equal(0, deep.Model.Descriptors);
    }

    [Fact]
    public void WhatCannotBeSharedIsSaid()
    {
        Assert.Equal($"cannot share '{_place["none"]}': there is no such folder", Refused(_place["none"]));
        Assert.Equal($"cannot share '{_place["file"]}': it is not a folder", Refused(_place["file"]));
        Assert.Contains("Linux 5.6", SharedFolder.WhyNot(HostErrno.ENOSYS));
        Assert.Contains("forbidden", SharedFolder.WhyNot(HostErrno.EPERM));
    }

    private static string Refused(string path) => Assert.Throws<DeviceException>(() => SharedFolder.Open(path, readOnly: false, new DescriptorBudget())).Message;

    private static ulong InodeOf(string path)
    {
        Assert.Equal(0, Syscall.stat(path, out Stat status));
        return status.st_ino;
    }

    private void RefusedInChanges(string name)
    {
        Client.Walk(1, 90);
        Client.Walk(1, 91, "file");
        Assert.NotEqual(0, (int)Client.Create(90, name, NinePOpen.ReadWrite, 0x1A4));
        (NinePMessage Kind, object[] Fields)[] changes =
        [
            (NinePMessage.MakeFolder, [1u, name, 0x1EDu, 0u]),
            (NinePMessage.MakeNode, [1u, name, 0x81A4u, 0u, 0u, 0u]),
            (NinePMessage.Symlink, [1u, name, "file", 0u]),
            (NinePMessage.Link, [1u, 91u, name]),
            (NinePMessage.UnlinkAt, [1u, name, 0u]),
            (NinePMessage.UnlinkAt, [1u, name, NinePFormat.RemoveFolder]),
            (NinePMessage.RenameAt, [1u, name, 1u, "new"]),
            (NinePMessage.RenameAt, [1u, "file", 1u, name]),
            (NinePMessage.Rename, [91u, 1u, name]),
        ];
        foreach ((NinePMessage kind, object[] fields) in changes)
            Assert.NotEqual(0, (int)Client.Ask(kind, fields).Error);
        Client.Clunk(90);
        Client.Clunk(91);
        _place.AssertOuterUntouched();
        Assert.Equal(["file", "inner"], Directory.GetFileSystemEntries(_place.Share).Select(Path.GetFileName).Order());
    }

    /// <summary>Does something again and again while two names are exchanged.</summary>
    private static Task WhileSwapping(string one, string two, Action<int> action) => While(
        () =>
        {
            string aside = one + "-aside";
            Assert.Equal(0, Stdlib.rename(one, aside));
            Assert.Equal(0, Stdlib.rename(two, one));
            Assert.Equal(0, Stdlib.rename(one, two));
            Assert.Equal(0, Stdlib.rename(aside, one));
        },
        action);

    private static async Task While(Action disturb, Action<int> action)
    {
        const int rounds = 2000;
        using CancellationTokenSource end = new();
        Task disturbing = Task.Factory.StartNew(
            () =>
            {
                while (!end.IsCancellationRequested)
                    disturb();
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        try
        {
            for (int i = 0; i < rounds; i++)
                action(i);
        }
        finally
        {
            await end.CancelAsync();
            await disturbing;
        }
    }
}
