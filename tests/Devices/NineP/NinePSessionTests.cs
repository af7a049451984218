// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Models.NineP;
using Lguest.GuestAbi.NineP;

namespace Lguest.Tests.Devices.NineP;

/// <summary>How a session begins, what fids stand for, and messages that make no sense.</summary>
public sealed class NinePSessionTests : IDisposable
{
    private readonly SharedPlace _place = new();

    private NinePClient Client => _place.Client;

    /// <inheritdoc/>
    public void Dispose() => _place.Dispose();

    [Theory]
    [InlineData("9P2000.L", "9P2000.L")]
    [InlineData("9P2000.u", "unknown")]
    [InlineData("9P2000", "unknown")]
    [InlineData("", "unknown")]
    public void OneDialectIsSpoken(string asked, string spoken)
    {
        NinePAnswer answer = Client.Must(NinePMessage.Version, 65536u, asked);
        Assert.Equal((65536u, spoken), (answer.Double(), answer.Text()));
    }

    [Fact]
    public void MessagesAreNoLongerThanAgreed()
    {
        Assert.Equal((uint)NinePModel.LongestMessage, Client.Must(NinePMessage.Version, uint.MaxValue, NinePFormat.Version).Double());
        Assert.Equal(HostErrno.EMSGSIZE, Client.Ask(NinePMessage.Version, 4095u, NinePFormat.Version).Error);
        Client.Mount(4096);
        File.WriteAllBytes(_place["file"], new byte[10_000]);
        Client.Walk(1, 2, "file");
        Client.Open(2, NinePOpen.ReadWrite);
        Assert.Equal(4096u - 11, Client.Must(NinePMessage.Read, 2u, 0ul, 9000u).Double());
        Assert.Equal(HostErrno.EMSGSIZE, Client.Ask(NinePMessage.Write, 2u, 0ul, 5000u, new byte[5000]).Error);
    }

    [Fact]
    public void FidsAreTheGuestsToChooseAndToForget()
    {
        Assert.Equal(HostErrno.EINVAL, Client.Ask(NinePMessage.Attach, 1u, NinePFormat.NoFid, "nobody", string.Empty, 0u).Error);
        Assert.Equal(HostErrno.EINVAL, Client.Ask(NinePMessage.Attach, NinePFormat.NoFid, NinePFormat.NoFid, "nobody", string.Empty, 0u).Error);
        Assert.Equal(HostErrno.ENOENT, Client.Ask(NinePMessage.Attach, 2u, NinePFormat.NoFid, "nobody", "/inner", 0u).Error);
        Client.Must(NinePMessage.Attach, 2u, NinePFormat.NoFid, "nobody", "/", 0u);
        Assert.Equal(HostErrno.EINVAL, Client.Walk(1, 2));
        Assert.Equal(HostErrno.EINVAL, Client.Walk(1, NinePFormat.NoFid));
        Assert.Equal(HostErrno.EBADF, Client.Walk(9, 3));
        Assert.Equal(0, (int)Client.Walk(2, 2, "file"));
        Assert.Equal(HostErrno.ENOTDIR, Client.Walk(2, 3, "x"));
        Assert.Equal(0, (int)Client.Open(2, NinePOpen.Read));
        Assert.Equal(HostErrno.EINVAL, Client.Open(2, NinePOpen.Read));
        Assert.Equal(HostErrno.EINVAL, Client.Open(1, NinePOpen.Access));
        Assert.Equal(0, (int)Client.Walk(2, 3));
        Assert.Equal(0, (int)Client.Clunk(2));
        Assert.Equal(HostErrno.EBADF, Client.Clunk(2));
        Assert.Equal(HostErrno.EBADF, Client.Ask(NinePMessage.Read, 2u, 0ul, 1u).Error);
        Assert.Equal(HostErrno.EBADF, Client.Ask(NinePMessage.Read, 3u, 0ul, 1u).Error);
    }

    [Fact]
    public void AWalkThatEndsEarlyMakesNoFid()
    {
        NinePAnswer answer = Client.Must(NinePMessage.Walk, 1u, 2u, (ushort)3, "inner", "none", "x");
        Assert.Equal(1, answer.Word());
        Assert.Equal(NinePFormat.FolderKind, answer.Qid().Kind);
        Assert.True(answer.AtEnd);
        Assert.Equal(HostErrno.EBADF, Client.Clunk(2));
        Assert.Equal(HostErrno.ENOENT, Client.Ask(NinePMessage.Walk, 1u, 2u, (ushort)1, "none").Error);
        Assert.Equal(HostErrno.EINVAL, Client.Ask(NinePMessage.Walk, 1u, 2u, (ushort)17, new byte[100]).Error);
        Assert.Equal(0, _place.Model.Descriptors);
    }

    /// <summary>Every message, cut off anywhere, is refused and changes nothing.</summary>
    [Fact]
    public void AMessageThatIsCutOffIsRefused()
    {
        Client.Walk(1, 2, "file");
        Client.Open(2, NinePOpen.ReadWrite);
        Client.Walk(1, 3, "inner");
        Client.Open(3, NinePOpen.Read);
        foreach (byte[] message in NinePMessages.All)
        {
            for (int length = 0; length < message.Length; length++)
            {
                byte[] cut = message[..length];
                Assert.NotEqual(0, (int)Client.Send(cut).Error);
                if (length < NinePFormat.Header)
                    continue;
                cut[0] = (byte)length;
                bool mayBeShort = cut[4] == (byte)NinePMessage.Sync || cut[4] == (byte)NinePMessage.Flush;
                Assert.True(mayBeShort || Client.Send(cut).Error is HostErrno.EINVAL or HostErrno.EOPNOTSUPP, $"{(NinePMessage)cut[4]} of {length} bytes");
            }
        }

        Assert.Equal(["file", "inner"], Directory.GetFileSystemEntries(_place.Share).Select(Path.GetFileName).Order());
        Assert.Equal("content", File.ReadAllText(_place["file"]));
        Assert.Equal(3, _place.Model.Fids);
    }

    [Fact]
    public void AnAnswerWithoutRoomIsAnError()
    {
        Assert.Equal(0, _place.Model.Answer(NinePMessages.All[0], new byte[10]));
        Assert.Equal(HostErrno.EMSGSIZE, Client.Send(NinePClient.Message(NinePMessage.GetAttributes, 1u, 0ul), 100).Error);
    }

    [Fact]
    public void ASharePutToReadingChangesNothing()
    {
        using SharedPlace place = new(readOnly: true);
        NinePClient client = place.Client;
        Assert.EndsWith("read-only", place.Model.Description);
        client.Walk(1, 2, "file");
        foreach (NinePOpen flags in (NinePOpen[])[NinePOpen.Write, NinePOpen.ReadWrite, NinePOpen.Read | NinePOpen.Truncate])
            Assert.Equal(HostErrno.EROFS, client.Open(2, flags));
        Assert.Equal(0, (int)client.Open(2, NinePOpen.Read));
        Assert.Equal("content", client.Read(2));
        client.Walk(1, 3, "file");
        Assert.Equal(HostErrno.EROFS, client.Create(1, "new", NinePOpen.Read, 0x1A4));
        Assert.Equal(HostErrno.EROFS, client.Change(3, NinePChange.Mode, 0));
        Assert.Equal(HostErrno.EROFS, client.Change(3, NinePChange.Size));
        (NinePMessage Kind, object[] Fields)[] changes =
        [
            (NinePMessage.MakeFolder, [1u, "new", 0x1EDu, 0u]),
            (NinePMessage.MakeNode, [1u, "new", 0x81A4u, 0u, 0u, 0u]),
            (NinePMessage.Symlink, [1u, "new", "file", 0u]),
            (NinePMessage.Link, [1u, 3u, "new"]),
            (NinePMessage.UnlinkAt, [1u, "file", 0u]),
            (NinePMessage.RenameAt, [1u, "file", 1u, "new"]),
            (NinePMessage.Rename, [3u, 1u, "new"]),
            (NinePMessage.Remove, [3u]),
        ];
        foreach ((NinePMessage kind, object[] fields) in changes)
            Assert.Equal((kind, HostErrno.EROFS), (kind, client.Ask(kind, fields).Error));
        Assert.Equal(["file", "inner"], Directory.GetFileSystemEntries(place.Share).Select(Path.GetFileName).Order());
        Assert.Equal("content", File.ReadAllText(place["file"]));
    }
}
