// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Network;
using Lguest.Tests.Devices.Virtio;
using Lguest.Tests.Support;

namespace Lguest.Tests.Network;

/// <summary>Cards on a network of guests: who gets which packet, and what of it.</summary>
public sealed class SegmentSwitchTests : IDisposable
{
    private const int Cards = 3;

    private readonly TemporaryDirectory _directory = new();
    private readonly TestGuest _guest = new();
    private readonly SharedSegment[] _places = new SharedSegment[Cards];
    private readonly SegmentSwitch[] _cards = new SegmentSwitch[Cards];

    public SegmentSwitchTests()
    {
        for (int i = 0; i < Cards; i++)
        {
            _places[i] = SharedSegment.Join(Path.Combine(_directory.Path, "lan"), freeSlot: 0);
            _cards[i] = new SegmentSwitch(_places[i], Address(i));
            _cards[i].Listen(1514, takesUnfinished: false);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SharedSegment place in _places)
            place.Dispose();
        _guest.Dispose();
        _directory.Dispose();
    }

    /// <summary>A card that is up is on the page, as any guest's.</summary>
    [Fact]
    public void ACardIsOnThePageWhileItIsUp()
    {
        Assert.Equal([Address(0), Address(1), Address(2)], Enumerable.Range(0, Cards).Select(_places[0].Page.ReadAddress));
        _cards[1].Listen(0, takesUnfinished: false);
        Assert.Equal(default, _places[0].Page.ReadAddress(1));
        Assert.Equal(0, Send(0, Packet(Address(1))));
        _cards[1].Listen(1514, takesUnfinished: false);
        Assert.Equal(60, Send(0, Packet(Address(1))));
    }

    /// <summary>One for a guest goes to it; one for all to all others; one for somebody who listens to everything to him too; the sender gets none.</summary>
    [Theory]
    [InlineData(1, false, new[] { 1 })]
    [InlineData(2, false, new[] { 2 })]
    [InlineData(-1, false, new[] { 1, 2 })]
    [InlineData(1, true, new[] { 1, 2 })]
    [InlineData(9, false, new int[0])]
    public void APacketReachesWhomItIsFor(int to, bool lastIsPromiscuous, int[] reached)
    {
        if (lastIsPromiscuous)
            _places[2].Page.WriteAddress(2, new MacAddress(Address(2).Value | (0x01UL << 40)));
        byte[] packet = Packet(to < 0 ? new MacAddress(0xFFFF_FFFF_FFFF) : Address(to));
        Assert.Equal(reached.Length > 0 ? packet.Length : 0, Send(0, packet));
        for (int i = 0; i < Cards; i++)
            Assert.Equal(reached.Contains(i) ? packet : [], Received(i));
    }

    /// <summary>A guest of 2.6.23 leaves checksums unfinished; a driver that does not know that would drop the packet.</summary>
    [Fact]
    public void ChecksumsAreFinishedOnArrival()
    {
        byte[] packet = VirtioNetHeaderTests.UnfinishedUdp();
        Write(Address(1), packet);
        GuestVector vector = Vector(packet);
        Assert.Equal(packet.Length, _places[0].Send(vector, 1));
        byte[] arrived = Received(1);
        Assert.Equal(packet[..40], arrived[..40]);
        Assert.NotEqual(packet[40..42], arrived[40..42]);
        Assert.Equal(0xFFFF, Sum(arrived));
    }

    /// <summary>What is too short for an address, or too long for the network, is lost.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(65537)]
    public void NonsenseIsLost(int length)
    {
        GuestVector vector = new();
        vector.Add(_guest.Memory, 0x1_0000, (uint)length, toGuest: false);
        Assert.Equal(0, _cards[0].Send(vector));
    }

    private static MacAddress Address(int card) => MacAddress.OfGuest((ushort)(card + 1));

    private static byte[] Packet(MacAddress to)
    {
        byte[] packet = [.. Enumerable.Range(0, 60).Select(static i => (byte)i)];
        Write(to, packet);
        return packet;
    }

    private static void Write(MacAddress to, byte[] packet) => to.CopyTo(packet.AsSpan(0, MacAddress.Size));

    /// <summary>The sum of a UDP packet and its pseudo header, which is all ones when its checksum is right.</summary>
    private static int Sum(byte[] packet)
    {
        int udp = (packet[38] << 8) | packet[39];
        int sum = 17 + udp;
        for (int i = 26; i < 34 + udp; i += 2)
            sum += (packet[i] << 8) | packet[i + 1];
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return sum;
    }

    private GuestVector Vector(byte[] packet)
    {
        packet.CopyTo(_guest.Memory.Write(0x1000, (uint)packet.Length));
        GuestVector vector = new();
        vector.Add(_guest.Memory, 0x1000, (uint)packet.Length, toGuest: false);
        return vector;
    }

    private int Send(int card, byte[] packet) => _cards[card].Send(Vector(packet));

    private byte[] Received(int card)
    {
        GuestVector target = new();
        target.Add(_guest.Memory, 0x4000, 2000, toGuest: true);
        int length = _cards[card].Receive(target);
        return _guest.Memory.Read(0x4000, (uint)length).ToArray();
    }
}
