// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Fuzz.Targets;
using Lguest.Tests.Support;

namespace Lguest.Tests.Devices.Virtio;

/// <summary>A card whose link knows the header in front of packets, as the tun driver does.</summary>
public sealed class VirtioNetHeaderTests : IDisposable
{
    private const uint Data = 0x8_0000;
    private const int Header = 12;
    private const ulong Offloads = 1 | 2 | (1 << 11) | (1 << 12) | (1 << 13);

    private readonly TestGuest _guest = new();
    private readonly ScriptedLink _link = new() { HeaderBytes = Header };
    private readonly VirtioNet _net;

    public VirtioNetHeaderTests() => _net = new VirtioNet(new NetworkModel(_link) { FinishesChecksums = true }, MacAddress.OfGuest(1), _guest.Memory, VirtioFormat.Pci);

    /// <inheritdoc/>
    public void Dispose()
    {
        _link.Dispose();
        _guest.Dispose();
    }

    /// <summary>What the header can say is offered where it means something, and the link hears what of it the driver takes.</summary>
    [Fact]
    public void OffloadsAreOfferedByTheLink()
    {
        using ScriptedLink plain = new();
        VirtioNet other = new(new NetworkModel(plain), MacAddress.OfGuest(1), _guest.Memory, VirtioFormat.Pci);
        Assert.Equal((Offloads, 0ul), (_net.OfferedFeatures & Offloads, other.OfferedFeatures & Offloads));
        Start(VirtioFeatures.Version1 | VirtioFeatures.NetGuestChecksum);
        Assert.Equal((1514, true), _link.Card);
        _net.Reset();
        Assert.Equal((0, false), _link.Card);
        Start(VirtioFeatures.Version1);
        Assert.Equal((1514, false), _link.Card);
    }

    /// <summary>The guest's header goes out as it is; the capture and the counters are of the packet alone.</summary>
    [Fact]
    public void TheGuestsHeaderGoesOut()
    {
        (_, TestRing send) = Start(_net.OfferedFeatures);
        byte[] bytes = [.. Enumerable.Range(1, Header + 60).Select(static i => (byte)i)];
        bytes.CopyTo(_guest.Memory.Write(Data, (uint)bytes.Length));
        send.Offer(TestRing.Reads(Data, (uint)bytes.Length));
        _net.Notify(1);
        Assert.Equal(bytes, _link.LastSent.ToArray());
    }

    /// <summary>
    /// A guest that routes for others finishes their checksums. But one that its header calls unfinished is left to the host, which would add
    /// to a finished one.
    /// </summary>
    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void OnlyWhatNobodyElseFinishesIsFinished(byte flags, bool finished)
    {
        (_, TestRing send) = Start(_net.OfferedFeatures);
        byte[] packet = UnfinishedUdp();
        _guest.Memory.Write(Data, Header).Clear();
        _guest.Memory.WriteValue(Data, flags);
        packet.CopyTo(_guest.Memory.Write(Data + Header, (uint)packet.Length));
        send.Offer(TestRing.Reads(Data, (uint)(Header + packet.Length)));
        _net.Notify(1);
        Assert.Equal(finished, !_link.LastSent[Header..].SequenceEqual(packet));
    }

    /// <summary>The link's header reaches the guest, with the packet after it.</summary>
    [Fact]
    public void TheLinksHeaderReachesTheGuest()
    {
        (TestRing receive, _) = Start(_net.OfferedFeatures);
        byte[] bytes = [.. Enumerable.Range(1, Header + 90).Select(static i => (byte)i)];
        _link.Packets.Enqueue(bytes);
        receive.Offer(TestRing.Writes(Data, Header), TestRing.Writes(Data + 100, 1518));
        _net.ReadInput();
        Assert.True(_net.Deliver());
        Assert.Equal((uint)bytes.Length, receive.Used(0).Written);
        Assert.Equal(bytes, (byte[])[.. _guest.Memory.Read(Data, Header), .. _guest.Memory.Read(Data + 100, 90)]);
    }

    /// <summary>UDP from 10.0.0.1 to 10.0.0.2 with the sum of its pseudo header where its checksum should be.</summary>
    internal static byte[] UnfinishedUdp()
    {
        byte[] packet = new byte[60];
        packet[12] = 8;
        byte[] ip = [0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2, 0, 10, 0x14, 0x1E, (byte)'h', (byte)'i'];
        ip.CopyTo(packet, 14);
        return packet;
    }

    private (TestRing Receive, TestRing Send) Start(ulong features)
    {
        _net.Reset();
        Assert.True(_net.Accept(features));
        TestRing[] rings = [new(_guest.Memory, new RingLayout(8, 0x1_0000, 0x1_1000, 0x1_2000)), new(_guest.Memory, new RingLayout(8, 0x2_0000, 0x2_1000, 0x2_2000))];
        for (int i = 0; i < rings.Length; i++)
            _net.StartQueue(i, rings[i].Layout);
        return (rings[0], rings[1]);
    }
}
