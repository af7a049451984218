// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Bus.Dma;
using Lguest.GuestAbi;
using Lguest.Tests.Support;
using Mono.Unix.Native;
using Xunit;

namespace Lguest.Tests.Network;

/// <summary>The network file, its slots, and packets between places on it, without any guest.</summary>
public sealed class SegmentTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly TestGuest _guest = new();
    private readonly List<SharedSegment> _places = [];

    private string Lan => Path.Combine(_directory.Path, "lan");

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SharedSegment place in _places)
            place.Dispose();
        _guest.Dispose();
        _directory.Dispose();
    }

    /// <summary>Slots go in order, are given back, and the lowest free one comes next.</summary>
    [Fact]
    public void SlotsAreGivenBack()
    {
        SharedSegment[] three = [Join(), Join(), Join()];
        Assert.Equal([0, 1, 2], three.Select(p => p.Page.Slot));
        three[1].Dispose();
        Assert.Equal(1, Join().Page.Slot);
        Assert.Equal(3, Join().Page.Slot);
        Assert.Equal(4096, new FileInfo(Lan).Length);
    }

    /// <summary>A slot locked in the genuine launcher's way (a lock of the process) is taken.</summary>
    [Fact]
    public void TheGenuineLaunchersLocksCount()
    {
        File.WriteAllBytes(Lan, new byte[4096]);
        int fd = Syscall.open(Lan, OpenFlags.O_RDWR);
        Flock theirs = new() { l_type = LockType.F_WRLCK, l_whence = SeekFlags.SEEK_SET, l_start = 0, l_len = 1 };
        Assert.Equal(0, Syscall.fcntl(fd, FcntlCommand.F_SETLK, ref theirs));
        Assert.Equal(1, Join().Page.Slot);
        SegmentSlot slot = Assert.Single(SegmentSurvey.Take(Lan), s => s.Slot == 0);
        Assert.True(slot.Taken);
        Assert.Equal(Environment.ProcessId, slot.ProcessId);
        Assert.Null(slot.Report);
        _ = Syscall.close(fd);
    }

    /// <summary>
    /// A file as the launcher of 2.6.23 leaves it, byte for byte (two guests were on it, one was killed): good, and empty when we
    /// are alone.
    /// </summary>
    [Fact]
    public void AFileOfTheGenuineLauncherIsGood()
    {
        File.WriteAllBytes(Lan, GenuinePage());
        Assert.Equal([(0, false, true, "02:00:00:00:00:00"), (1, false, true, "02:00:01:00:00:00")], SegmentSurvey.Take(Lan).Select(s => (s.Slot, s.Taken, s.Promiscuous, s.Address.ToString()!)));
        Assert.Equal(0, Join().Page.Slot);
        Assert.Equal(new byte[4096], File.ReadAllBytes(Lan));
    }

    /// <summary>The same while one of its guests lives: the dead one's address goes, the other's stays and is nobody else's.</summary>
    [Fact]
    public void AGenuineGuestIsLeftInPeace()
    {
        File.WriteAllBytes(Lan, GenuinePage());
        int fd = Syscall.open(Lan, OpenFlags.O_RDWR);
        Flock theirs = new() { l_type = LockType.F_WRLCK, l_whence = SeekFlags.SEEK_SET, l_start = 1, l_len = 1 };
        Assert.Equal(0, Syscall.fcntl(fd, FcntlCommand.F_SETLK, ref theirs));
        Assert.Equal(0, Join().Page.Slot);
        SharedSegment third = Join();
        Assert.Equal(2, third.Page.Slot);
        Assert.False(third.Page.TryTakeNumber(1));
        Assert.True(third.Page.TryTakeNumber(0));

        // Last: a lock of the process goes when the process closes the file, whichever opening of it.
        byte[] expected = GenuinePage();
        expected[0] = 0;
        Assert.Equal(expected, File.ReadAllBytes(Lan));
        _ = Syscall.close(fd);
    }

    /// <summary>Addresses of launchers that died go with the next one to join, who need not be alone.</summary>
    [Fact]
    public void LeftoversGoWithTheNext()
    {
        Join();
        byte[] page = File.ReadAllBytes(Lan);
        page[6 * 7] = 2;
        page[6 * 7 + 2] = 9;
        File.WriteAllBytes(Lan, page);
        Assert.Equal(1, Join().Page.Slot);
        Assert.Equal(new byte[4096], File.ReadAllBytes(Lan));
    }

    /// <summary>A number belongs to one place on the network, until that leaves.</summary>
    [Fact]
    public void NumbersAreNotSharedOut()
    {
        SharedSegment one = Join();
        SharedSegment two = Join();
        Assert.Equal(one.Page.Identity, two.Page.Identity);
        Assert.True(one.Page.TryTakeNumber(0x1234));
        Assert.False(two.Page.TryTakeNumber(0x1234));
        Assert.True(two.Page.TryTakeNumber(0x1235));
        one.Page.GiveBackNumber(0x1234);
        Assert.True(two.Page.TryTakeNumber(0x1234));
        two.Dispose();
        Assert.True(one.Page.TryTakeNumber(0x1235));
        Assert.Equal(4096, new FileInfo(Lan).Length);
    }

    /// <summary>Somebody cuts the file short: who is on it notices when he next looks, and writes nothing into the rest.</summary>
    [Fact]
    public void ACutFileIsNoticed()
    {
        SharedSegment place = Join();
        Assert.True(place.IsAlive);
        using (FileStream file = File.OpenWrite(Lan))
            file.SetLength(4095);
        Assert.True(Readable(place));
        Assert.False(place.Discard());
        Assert.True(place.IsCut);
        Assert.False(place.IsAlive);
        Assert.Equal(0, place.Send(Packet(100, 1), 1));
        place.Dispose();
        Assert.Equal(4095, new FileInfo(Lan).Length);
    }

    /// <summary>A guest's page whose file was cut short is memory of its own from then on, empty, wherever it is mapped next.</summary>
    [Fact]
    public void ThePageOfACutFileIsReplaced()
    {
        SharedSegment place = Join();
        const uint page = TestGuest.Ram + Page.Size;
        _guest.Memory.MapFile(page, place.Page.Descriptor, 0);
        _guest.Memory.WriteUInt32(page, 5);
        using (FileStream file = File.OpenWrite(Lan))
            file.SetLength(0);
        Assert.Equal(0u, _guest.Memory.ReadUInt32(page));
        _guest.Memory.WriteUInt32(page + 8, 7);
        Assert.Equal(7u, _guest.Memory.ReadUInt32(page + 8));
        Assert.Equal((_guest.Memory.FileDescriptor, (ulong)page), _guest.Memory.Backing(page + 8));
        _guest.Memory.WriteUInt32(page + 8, 9);
        Assert.Equal(9u, _guest.Memory.ReadUInt32(page + 8));
        Assert.Equal(0, new FileInfo(Lan).Length);
    }

    /// <summary>682 are the most; the 683rd is told so.</summary>
    [Fact]
    public void AFullFileSaysSo()
    {
        File.WriteAllBytes(Lan, new byte[4096]);
        int fd = Syscall.open(Lan, OpenFlags.O_RDWR);
        Flock all = new() { l_type = LockType.F_WRLCK, l_whence = SeekFlags.SEEK_SET, l_start = 0, l_len = NetPage.Slots };
        Assert.Equal(0, Syscall.fcntl(fd, FcntlCommand.F_SETLK, ref all));
        Assert.Contains("all of its 682 slots are taken", Refusal(), StringComparison.Ordinal);
        _ = Syscall.close(fd);
    }

    /// <summary>Whatever is no network file is left alone, and the sentence says why.</summary>
    [Fact]
    public void WhatIsNotOursIsRefused()
    {
        File.WriteAllBytes(Lan, new byte[100]);
        Assert.Contains("has 100 bytes: a network file has 4096", Refusal(), StringComparison.Ordinal);
        File.WriteAllBytes(Lan, new byte[8192]);
        Assert.Contains("has 8192 bytes", Refusal(), StringComparison.Ordinal);
        byte[] text = [.. Enumerable.Repeat((byte)'a', 4096)];
        text[0] = (byte)'#';
        text[6] = (byte)'!';
        text[12] = (byte)'1';
        File.WriteAllBytes(Lan, text);
        Assert.Contains("does not look like a network file", Refusal(), StringComparison.Ordinal);
        Assert.Equal(text, File.ReadAllBytes(Lan));
        Assert.Contains("is a directory", Assert.Throws<DeviceException>(() => SharedSegment.Join(_directory.Path, 0)).Message, StringComparison.Ordinal);
        Assert.Contains("no such file", Assert.Throws<DeviceException>(() => SharedSegment.Join(Lan + "/x/y", 0)).Message + Assert.Throws<DeviceException>(() => SegmentSurvey.Take(Lan + "2")).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Lan + "2"));
    }

    /// <summary>What a dead guest left behind goes when the next is alone; and a page of the other generation is its own.</summary>
    [Fact]
    public void TheFirstOneCleansUp()
    {
        byte[] page = new byte[4096];
        page[6 * 5] = 2;
        File.WriteAllBytes(Lan, page);
        Assert.Single(SegmentSurvey.Take(Lan));
        SharedSegment first = SharedSegment.Join(Lan, 0xFF);
        Assert.All(File.ReadAllBytes(Lan).AsSpan(0, NetPage.Slots * 6).ToArray(), b => Assert.Equal(0xFF, b));
        Assert.Contains("another generation", Refusal(), StringComparison.Ordinal);
        first.Dispose();
        Join();
        Assert.All(File.ReadAllBytes(Lan).AsSpan(0, NetPage.Slots * 6).ToArray(), b => Assert.Equal(0, b));
    }

    /// <summary>A guest's page is the file's page, at both ends.</summary>
    [Fact]
    public void ThePageIsMapped()
    {
        SharedSegment place = Join();
        _guest.Memory.MapFile(TestGuest.Ram + Page.Size, place.Page.Descriptor, 0);
        _guest.Memory.WriteUInt32(TestGuest.Ram + Page.Size + 8, 0x01020304);
        Assert.Equal(0x01020304u, BitConverter.ToUInt32(File.ReadAllBytes(Lan), 8));
        Assert.Equal((place.Page.Descriptor, 0UL), _guest.Memory.Backing(TestGuest.Ram + Page.Size + 100));
        Assert.Equal((_guest.Memory.FileDescriptor, (ulong)TestGuest.Ram), _guest.Memory.Backing(TestGuest.Ram + 100));
    }

    /// <summary>used_len: 0 for nobody and for nothing bound, what fits otherwise.</summary>
    [Fact]
    public void WhatArrivesIsCounted()
    {
        SharedSegment sender = Join();
        Assert.Equal(0, sender.Send(Packet(100, 1), 1));
        SharedSegment receiver = Join();
        Assert.Equal(0, sender.Send(Packet(100, 1), 1));
        receiver.SetCapacity(1514);
        Assert.Equal(100, sender.Send(Packet(100, 2), 1));
        Assert.Equal(2, Receive(receiver, 2000)[0]);
        receiver.SetCapacity(60);
        Assert.Equal(60, sender.Send(Packet(100, 3), 1));
        Assert.Equal(60, Receive(receiver, 60).Length);
        receiver.SetCapacity(0);
        Assert.Equal(0, sender.Send(Packet(100, 4), 1));
        Assert.Equal(0, sender.Send(Packet(100, 5), 0));
        Assert.Equal(0, sender.Send(Packet(0, 0), 1));
        Assert.Equal((2UL, 5UL), (sender.Counters.Sent, sender.Counters.SendDrops));
    }

    /// <summary>A receiver that takes nothing fills its sender's queue, costs it one short wait, and no other peer anything.</summary>
    [Fact]
    public void AFullReceiverStopsNobodyElse()
    {
        SharedSegment sender = Join();
        SharedSegment full = Join();
        SharedSegment other = Join();
        full.SetCapacity(1514);
        other.SetCapacity(1514);
        int queued = 0;
        while (sender.Send(Packet(1514, 1), 1) > 0)
            queued++;
        Assert.InRange(queued, 8, 10_000);
        Tries.Below(1000, "milliseconds for 1000 packets to a full receiver", () =>
        {
            long start = Environment.TickCount64;
            for (int i = 0; i < 1000; i++)
                Assert.Equal(0, sender.Send(Packet(1514, 1), 1));
            return Environment.TickCount64 - start;
        });
        Assert.Equal(1514, sender.Send(Packet(1514, 9), 2));
        Assert.Equal(9, Receive(other, 2000)[0]);

        // It wakes up: all that was queued is there, in order, and there is room again.
        for (int i = 0; i < queued; i++)
            Assert.Equal(1514, Receive(full, 2000).Length);
        Assert.Empty(Receive(full, 2000));
        Assert.Equal(1514, sender.Send(Packet(1514, 1), 1));
    }

    /// <summary>Two senders are served in turn: a flood of one does not keep the other waiting.</summary>
    [Fact]
    public void SendersTakeTurns()
    {
        SharedSegment flooder = Join();
        SharedSegment modest = Join();
        SharedSegment receiver = Join();
        receiver.SetCapacity(1514);
        for (int i = 0; i < 50; i++)
            Assert.Equal(1000, flooder.Send(Packet(1000, 1), 2));
        Assert.Equal(100, modest.Send(Packet(100, 2), 2));
        int before = 0;
        while (Receive(receiver, 2000)[0] != 2)
            before++;
        Assert.InRange(before, 0, 3);
    }

    /// <summary>A peer that is gone is noticed, and one that came back is found.</summary>
    [Fact]
    public void APeerMayComeBack()
    {
        SharedSegment sender = Join();
        SharedSegment first = Join();
        first.SetCapacity(1514);
        Assert.Equal(100, sender.Send(Packet(100, 1), 1));
        first.Dispose();
        Assert.Equal(0, sender.Send(Packet(100, 1), 1));
        SharedSegment second = Join();
        Assert.Equal(1, second.Page.Slot);
        second.SetCapacity(1514);
        Assert.Equal(100, sender.Send(Packet(100, 7), 1));
        Assert.Equal(7, Receive(second, 2000)[0]);
    }

    /// <summary>Somebody who listens in hundreds of slots and never says or takes anything: what is waited for him is bounded, all slots together.</summary>
    [Fact]
    public void TheSilentCostOneWaitAltogether()
    {
        const int silent = 500;
        SharedSegment sender = Join();
        List<System.Net.Sockets.Socket> owner = [];
        for (int slot = 1; slot <= silent; slot++)
        {
            owner.Add(new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Seqpacket, System.Net.Sockets.ProtocolType.Unspecified));
            owner[^1].Bind(new System.Net.Sockets.UnixDomainSocketEndPoint($"{Lan}.ports/{slot}"));
            owner[^1].Listen(1);
        }

        // Their queues fill up on the way: then a second chance would be waited for, in each slot.
        System.Diagnostics.Stopwatch watch = System.Diagnostics.Stopwatch.StartNew();
        for (int broadcast = 0; broadcast < 150; broadcast++)
        {
            for (int slot = 1; slot <= silent; slot++)
                sender.Send(Packet(1514, 1), slot);
            Assert.InRange(sender.Waited, TimeSpan.Zero, TimeSpan.FromMilliseconds(5) + (watch.Elapsed / 20));
        }

        Assert.True(sender.Counters.SendDrops > 0, "no queue was full: no test");
        owner.ForEach(static socket => socket.Dispose());
    }

    /// <summary>Who does not speak gets nothing after a while, until he does: then he was only slow.</summary>
    [Fact]
    public void ASlowPeerIsHeardLater()
    {
        SharedSegment sender = Join();
        using System.Net.Sockets.Socket slow = new(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Seqpacket, System.Net.Sockets.ProtocolType.Unspecified);
        slow.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(Lan + ".ports/1"));
        slow.Listen(1);
        sender.Send(Packet(100, 1), 1);
        Thread.Sleep(60);
        Assert.Equal(0, sender.Send(Packet(100, 2), 1));
        using System.Net.Sockets.Socket connection = slow.Accept();
        byte[] hello = new byte[8];
        BitConverter.TryWriteBytes(hello, SegmentMessage.State);
        BitConverter.TryWriteBytes(hello.AsSpan(4), 1514);
        connection.Send(hello);
        Thread.Sleep(30);
        Assert.Equal(100, sender.Send(Packet(100, 3), 1));
    }

    /// <summary>A directory that a stranger made, or that lets strangers in, is not a place to meet.</summary>
    [Fact]
    public void ADirectoryOfStrangersIsRefused()
    {
        string ports = Lan + ".ports";
        File.WriteAllBytes(Lan, new byte[4096]);
        Assert.Equal(0, Syscall.chmod(Lan, NativeConvert.FromOctalPermissionString("0600")));
        foreach (string mode in (string[])["0777", "1770", "0701", "0710"])
        {
            Directory.CreateDirectory(ports);
            Assert.Equal(0, Syscall.chmod(ports, NativeConvert.FromOctalPermissionString(mode)));
            Assert.Contains("lets in users who may not write that file", Refusal(), StringComparison.Ordinal);
            Assert.Empty(Directory.GetFileSystemEntries(ports));
            Directory.Delete(ports);
        }

        // A link to one of ours, even: whoever made it can lead it elsewhere.
        string own = Directory.CreateDirectory(Path.Combine(_directory.Path, "own")).FullName;
        Assert.Equal(0, Syscall.chmod(own, NativeConvert.FromOctalPermissionString("0700")));
        File.CreateSymbolicLink(ports, own);
        Assert.Contains("is not a directory; somebody else has made it", Refusal(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(own));
        File.Delete(ports);
        File.WriteAllText(ports, "precious");
        Assert.Contains("is not a directory; somebody else has made it", Refusal(), StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(ports));
        File.Delete(ports);
        Join();
        Assert.Equal("1700", Convert.ToString((int)File.GetUnixFileMode(ports), 8));
    }

    /// <summary>The same of somebody else's, with modest rights: looked at by its owner.</summary>
    [NetFact(NetNeed.OtherUser)]
    public void ADirectoryOfAnotherUserIsRefused()
    {
        string ports = Lan + ".ports";
        Directory.CreateDirectory(ports);
        Assert.Equal(0, Syscall.chmod(ports, NativeConvert.FromOctalPermissionString("0700")));
        Assert.Equal(0, Syscall.chown(ports, 65534, 0));
        Assert.Contains("belongs to user 65534, who could read and forge their packets", Refusal(), StringComparison.Ordinal);

        // Unless the file is his: root may join him.
        Assert.Equal(0, Syscall.chown(Lan, 65534, 0));
        Join();
    }

    /// <summary>Where the directory's folder lets strangers rename things, another may come in its place while guests run.</summary>
    [Fact]
    public void ADirectoryThatTookItsPlaceIsNotConnectedTo()
    {
        SharedSegment sender = Join();
        SharedSegment receiver = Join();
        receiver.SetCapacity(1514);
        Directory.Move(Lan + ".ports", Lan + ".moved");
        Directory.CreateDirectory(Lan + ".ports");
        using System.Net.Sockets.Socket stranger = new(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Seqpacket, System.Net.Sockets.ProtocolType.Unspecified);
        stranger.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(Lan + ".ports/1"));
        stranger.Listen(10);
        Assert.Equal(100, sender.Send(Packet(100, 1), 1));
        Assert.False(stranger.Poll(0, System.Net.Sockets.SelectMode.SelectRead));
        Directory.Delete(Lan + ".ports", recursive: true);
        Directory.Move(Lan + ".moved", Lan + ".ports");
        Assert.Equal(100, sender.Send(Packet(100, 1), 1));
    }

    /// <summary>The rights of the file are the rights of the directory; and it goes, with what the killed left there, when the last leaves.</summary>
    [Theory]
    [InlineData("0600", "1700")]
    [InlineData("0660", "1770")]
    [InlineData("0666", "1777")]
    public void TheDirectoryComesAndGoes(string file, string expected)
    {
        File.WriteAllBytes(Lan, new byte[4096]);
        Assert.Equal(0, Syscall.chmod(Lan, NativeConvert.FromOctalPermissionString(file)));
        SharedSegment one = Join();
        SharedSegment two = Join();
        Assert.Equal(expected, Convert.ToString((int)File.GetUnixFileMode(Lan + ".ports"), 8));
        File.WriteAllText(Lan + ".ports/17", "left behind");
        File.WriteAllText(Lan + ".ports/681", "left behind");
        one.Dispose();
        Assert.Equal(3, Directory.GetFileSystemEntries(Lan + ".ports").Length);
        two.Dispose();
        Assert.False(Directory.Exists(Lan + ".ports"));
    }

    /// <summary>A process that connects again and again gets a few connections, and the others keep theirs.</summary>
    [Fact]
    public void ConnectionsAreBounded()
    {
        SharedSegment receiver = Join();
        receiver.SetCapacity(1514);
        SharedSegment sender = Join();
        Assert.Equal(100, sender.Send(Packet(100, 1), 0));
        List<System.Net.Sockets.Socket> crowd = [];
        for (int i = 0; i < 100; i++)
        {
            crowd.Add(new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Seqpacket, System.Net.Sockets.ProtocolType.Unspecified));
            crowd[^1].Connect(new System.Net.Sockets.UnixDomainSocketEndPoint(Lan + ".ports/0"));
        }

        Assert.Equal(1, Receive(receiver, 2000)[0]);
        Assert.Empty(Receive(receiver, 2000));
        int alive = 0;
        foreach (System.Net.Sockets.Socket one in crowd)
        {
            one.ReceiveTimeout = 1000;
            byte[] hello = new byte[64];
            alive += one.Receive(hello) > 0 ? 1 : 0;
            one.Dispose();
        }

        Assert.InRange(alive, 1, 16);
        Assert.Equal(100, sender.Send(Packet(100, 2), 0));
    }

    private SharedSegment Join()
    {
        SharedSegment place = SharedSegment.Join(Lan, 0);
        _places.Add(place);
        return place;
    }

    private string Refusal() => Assert.Throws<DeviceException>(() => SharedSegment.Join(Lan, 0)).Message;

    private GuestVector Packet(int length, byte mark)
    {
        const uint Data = 0x4000;
        const uint Dma = 0x1000;
        _guest.Memory.Write(Data, 2048).Fill(mark);
        _guest.WriteDma(Dma, (Data, (ushort)length));
        GuestVector vector = new();
        vector.Load(_guest.Memory, Dma, toGuest: false);
        return vector;
    }

    private byte[] Receive(SharedSegment place, int room)
    {
        const uint Data = 0x8000;
        const uint Dma = 0x2000;
        _guest.WriteDma(Dma, (Data, (ushort)room));
        GuestVector vector = new();
        vector.Load(_guest.Memory, Dma, toGuest: true);
        int length = place.Receive(vector);
        return _guest.Memory.Read(Data, (uint)length).ToArray();
    }

    private static byte[] GenuinePage()
    {
        byte[] page = new byte[4096];
        byte[] addresses = [3, 0, 0, 0, 0, 0, 3, 0, 1];
        addresses.CopyTo(page, 0);
        return page;
    }

    private static bool Readable(SharedSegment place)
    {
        Pollfd[] fds = [new Pollfd { fd = place.Descriptor, events = PollEvents.POLLIN }];
        return Syscall.poll(fds, 1, 1000) > 0;
    }
}
