// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.Tests.Fuzz.Targets;
using Lguest.Tests.Support;
using NSubstitute;

namespace Lguest.Tests.Devices.Bus.Dma;

/// <summary>A network card on the DMA bus, with a link that the test makes.</summary>
public sealed class DmaNetTests : IDisposable
{
    private const uint DevicePage = TestGuest.Ram + Page.Size;
    private const uint Sent = 0x1000;
    private const uint Buffer = 0x1100;
    private const uint Data = 0x4000;
    private const uint Irq = 3;

    private static readonly MacAddress s_host = new(0x0211_2233_4455);

    private readonly TestGuest _guest = new();
    private readonly ScriptedLink _link = new();
    private readonly List<string> _told = [];
    private readonly DmaNet _net;
    private readonly DmaBus _bus;

    public DmaNetTests()
    {
        _net = DmaNet.OnWire(new NetworkModel(_link, complaints: new Complaints(_told.Add)), s_host);
        _bus = new DmaBus(_guest.Memory, TestGuest.Ram);
        _bus.Add(_net);
        _bus.Connect(_guest.Fake);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _link.Dispose();
        _guest.Dispose();
    }

    [Fact]
    public void TheHostIsInSlotZeroAndWantsEverything()
    {
        Assert.Equal([0x03, 0x11, 0x22, 0x33, 0x44, 0x55], _guest.Memory.Read(DevicePage, 6).ToArray());
        Assert.Equal((DeviceType.Net, (DeviceFeatures)1 | DeviceFeatures.Randomness, 1), (_net.Type, _net.Features, _net.PageCount));
        Assert.Equal([true, false, false, false], new uint[] { 0, 4, 1, Page.Size }.Select(offset => _net.Watches(DevicePage + offset)));
    }

    [Fact]
    public void APacketGoesOut()
    {
        _guest.WriteDma(Sent, (Data, 14), (Data + 0x1000, 46));
        _bus.HandleOutput(_guest.Fake, Sent, DevicePage);
        Assert.Equal((60u, 60), (_guest.UsedLen(Sent), Assert.Single(_link.SentLengths)));
    }

    [Fact]
    public void ABurstGetsOneInterrupt()
    {
        for (byte i = 1; i <= 2; i++)
            _link.Packets.Enqueue([.. Enumerable.Repeat(i, 60)]);
        _guest.WriteDma(Buffer, (Data, 1514));
        _guest.Fake.Bind(DevicePage + 4, Buffer, Irq);
        _net.ReadInput();
        Assert.True(_net.Deliver());
        Assert.Equal((60u, 1), (_guest.UsedLen(Buffer), _guest.Memory.ReadValue<byte>(Data + 59)));

        // The buffer is full: the second one waits where it is.
        Assert.Equal([Irq], _guest.Fake.Irqs);
        Assert.True(_net.HoldsInput);
        Assert.Single(_link.Packets);
        _guest.Memory.WriteUInt32(Buffer, 0);
        Assert.True(_net.Deliver());
        Assert.Equal(2, _guest.Memory.ReadValue<byte>(Data));
        _guest.Memory.WriteUInt32(Buffer, 0);
        Assert.False(_net.Deliver());
        Assert.Equal((0u, false), (_guest.UsedLen(Buffer), _net.HoldsInput));
    }

    [Fact]
    public void WithoutAnInterfacePacketsAreDropped()
    {
        _link.Packets.Enqueue(new byte[60]);
        _net.ReadInput();
        Assert.False(_net.Deliver());
        Assert.Equal((0, false), (_link.Packets.Count, _net.HoldsInput));
    }

    [Fact]
    public void ABufferThatIsNotTheGuestsLosesAPacket()
    {
        _link.Packets.Enqueue(new byte[60]);
        _guest.WriteDma(Buffer, (uint.MaxValue, 100));
        _guest.Fake.Bind(DevicePage + 4, Buffer, Irq);
        _net.ReadInput();
        Assert.False(_net.Deliver());
        Assert.Equal((0u, 0), (_guest.UsedLen(Buffer), _link.Packets.Count));
        Assert.Contains("network: receive buffer: guest physical address 0xffffffff", Assert.Single(_told), StringComparison.Ordinal);
    }

    [Fact]
    public void TroubleIsToldOnce()
    {
        IPacketLink link = Substitute.For<IPacketLink>();
        link.Trouble.Returns("it is gone");
        List<string> said = [];
        DmaNet net = DmaNet.OnWire(new NetworkModel(link, say: said.Add), s_host);
        DmaBus bus = new(_guest.Memory, TestGuest.Ram);
        bus.Add(net);
        bus.Connect(_guest.Fake);
        net.Deliver();
        net.Deliver();
        Assert.Equal(["it is gone"], said);
    }

    /// <summary>What sending has brought about is delivered at once.</summary>
    [Fact]
    public void WhatALinkHoldsIsInput()
    {
        IPacketLink link = Substitute.For<IPacketLink>();
        link.IsAlive.Returns(true);
        DmaNet net = DmaNet.OnWire(new NetworkModel(link), s_host);
        new DmaBus(_guest.Memory, TestGuest.Ram).Add(net);
        GuestVector packet = new();
        net.HandleOutput(_guest.Fake, DevicePage, packet);
        Assert.Equal((false, true), (net.HoldsInput, net.WantsInput));
        link.HoldsPackets.Returns(true);
        net.HandleOutput(_guest.Fake, DevicePage, packet);
        Assert.Equal((true, false), (net.HoldsInput, net.WantsInput));
    }

    /// <summary>Packets come by the hundred thousand a second.</summary>
    [Fact]
    public void APacketCostsNoMemory()
    {
        byte[] packet = new byte[1514];
        _guest.WriteDma(Sent, (Data, 1514));
        _guest.WriteDma(Buffer, (Data, 1514));
        Round();
        Tries.AllocatesNothing(Round);

        void Round()
        {
            _bus.HandleOutput(_guest.Fake, Sent, DevicePage);
            _link.SentLengths.Clear();
            _link.Packets.Enqueue(packet);
            _guest.Memory.WriteUInt32(Buffer, 0);
            _guest.Fake.Bind(DevicePage + 4, Buffer, Irq);
            _net.ReadInput();
            Assert.True(_net.Deliver());
            _guest.Fake.Irqs.Clear();
        }
    }
}
