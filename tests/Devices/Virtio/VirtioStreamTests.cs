// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Fuzz.Targets;
using Lguest.Tests.Support;
using NSubstitute;

namespace Lguest.Tests.Devices.Virtio;

/// <summary>Console, entropy and network by way of rings.</summary>
public sealed class VirtioStreamTests : IDisposable
{
    private const uint Data = 0x8_0000;

    private readonly TestGuest _guest = new();
    private readonly IVirtioInterrupts _interrupts = Substitute.For<IVirtioInterrupts>();
    private readonly HostPipe _input = new();
    private readonly HostPipe _output = new();
    private readonly ScriptedLink _link = new();
    private readonly ConsolePort _port;

    public VirtioStreamTests() => _port = new ConsolePort(_input.ReadEnd, _output.WriteEnd, TimeProvider.System);

    /// <inheritdoc/>
    public void Dispose()
    {
        _port.Dispose();
        _link.Dispose();
        _input.Dispose();
        _output.Dispose();
        _guest.Dispose();
    }

    [Fact]
    public void WhatAGuestSaysIsWrittenBeforeItRunsOn()
    {
        (_, TestRing output, VirtioConsole console) = Console();
        "Hello, "u8.CopyTo(_guest.Memory.Write(Data, 7));
        "ring"u8.CopyTo(_guest.Memory.Write(Data + 100, 4));
        output.Offer(TestRing.Reads(Data, 7), TestRing.Reads(Data + 100, 4));
        console.Notify(1);
        Assert.Equal((1, (0u, 0u)), (output.UsedIndex, output.Used(0)));
        Assert.Equal("Hello, ring", _output.Read());
        _interrupts.Received(1).QueueUsed(1);
    }

    [Fact]
    public void AnEarlyConsoleHasNoQueue()
    {
        VirtioConsole console = new(new ConsoleModel(_port), _guest.Memory, VirtioFormat.Pci);
        foreach (byte character in "early"u8)
            console.WriteConfiguration(VirtioConsole.EmergencyWrite, 0xFFFF_FF00u | character, 4);
        console.WriteConfiguration(0, 'x', 2);
        Assert.Equal("early", _output.Read());
    }

    [Fact]
    public void WhatIsTypedWaitsForABuffer()
    {
        (TestRing input, _, VirtioConsole console) = Console();
        _input.Write("typed");
        console.ReadInput();
        Assert.True(console.HoldsInput);
        Assert.False(console.Deliver());
        input.Offer(TestRing.Writes(Data, 3));
        console.Notify(0);
        Assert.Equal((1, (0u, 3u)), (input.UsedIndex, input.Used(0)));
        Assert.Equal("typ", Text(Data, 3));
        Assert.True(console.HoldsInput);
        input.Offer(TestRing.Writes(Data, 100));
        Assert.True(console.Deliver());
        Assert.Equal((1u, 2u), input.Used(1));
        Assert.Equal("ed", Text(Data, 2));
        Assert.False(console.HoldsInput);
        Assert.False(console.Deliver());
        _interrupts.Received(2).QueueUsed(0);
    }

    [Fact]
    public void RandomBytesAreRandom()
    {
        VirtioEntropy entropy = new(new EntropyModel(), _guest.Memory, VirtioFormat.Pci) { Interrupts = _interrupts };
        TestRing ring = Start(entropy, 0, 0x1_0000);
        ring.Offer(TestRing.Writes(Data, 64));
        ring.Offer(TestRing.Writes(Data + 0x1000, 2 * EntropyModel.MostAtOnce));
        entropy.Notify(0);
        Assert.Equal(((0u, 64u), (1u, (uint)EntropyModel.MostAtOnce)), (ring.Used(0), ring.Used(1)));
        Assert.NotEqual(_guest.Memory.Read(Data, 64).ToArray(), _guest.Memory.Read(Data + 0x1000, 64).ToArray());
        Assert.True(_guest.Memory.Read(Data + 0x1000 + EntropyModel.MostAtOnce, EntropyModel.MostAtOnce).IndexOfAnyExcept((byte)0) < 0);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(10)]
    [InlineData(12)]
    public void PacketsHaveAHeader(int header)
    {
        VirtioFormat format = header switch { 8 => VirtioFormat.First, 10 => VirtioFormat.LguestBus, _ => VirtioFormat.Pci };
        (TestRing receive, TestRing send, VirtioNet net) = Net(format);
        _guest.Memory.Write(Data, 100).Fill(7);
        send.Offer(TestRing.Reads(Data, (uint)header), TestRing.Reads(Data, 60));
        send.Offer(TestRing.Reads(Data, (uint)header + 61));
        net.Notify(1);
        Assert.Equal([60, 61], _link.SentLengths);
        Assert.Equal((2, (0u, 0u)), (send.UsedIndex, send.Used(0)));

        _link.Packets.Enqueue([.. Enumerable.Range(0, 90).Select(static i => (byte)i)]);
        _guest.Memory.Write(Data, 200).Fill(0xEE);
        receive.Offer(TestRing.Writes(Data, (uint)header), TestRing.Writes(Data + 100, 1518));
        receive.Offer(TestRing.Writes(Data + 0x1000, 1518));
        net.ReadInput();
        Assert.True(net.Deliver());
        Assert.Equal((1, (0u, 90u + (uint)header)), (receive.UsedIndex, receive.Used(0)));
        byte[] expected = new byte[header];
        if (header == 12)
            expected[10] = 1;
        Assert.Equal(expected, _guest.Memory.Read(Data, (uint)header).ToArray());
        Assert.Equal((0, 89), (_guest.Memory.ReadValue<byte>(Data + 100), _guest.Memory.ReadValue<byte>(Data + 189)));

        // The second buffer was looked at, and is still there.
        _link.Packets.Enqueue(new byte[20]);
        net.ReadInput();
        Assert.True(net.Deliver());
        Assert.Equal((2, 20u + (uint)header), (receive.UsedIndex, receive.Used(1).Written));
    }

    [Fact]
    public void PacketsWaitForABufferAndAreDroppedWithoutAnInterface()
    {
        (TestRing receive, _, VirtioNet net) = Net(VirtioFormat.Pci);
        _link.Packets.Enqueue(new byte[60]);
        net.ReadInput();
        Assert.False(net.Deliver());
        Assert.True(net.HoldsInput);
        Assert.Single(_link.Packets);
        receive.Offer(TestRing.Writes(Data, 2000));
        net.Notify(0);
        Assert.Equal(72u, receive.Used(0).Written);
        net.Reset();
        _link.Packets.Enqueue(new byte[60]);
        net.ReadInput();
        Assert.False(net.Deliver());
        Assert.Empty(_link.Packets);
    }

    [Fact]
    public void BuffersWithoutRoomComeBack()
    {
        (TestRing receive, TestRing send, VirtioNet net) = Net(VirtioFormat.Pci);
        send.Offer(TestRing.Reads(Data, 12));
        send.Offer(TestRing.Reads(Data, 3));
        net.Notify(1);
        Assert.Equal((2, 0), (send.UsedIndex, _link.SentLengths.Count));
        _link.Packets.Enqueue(new byte[60]);
        _link.Packets.Enqueue(new byte[61]);
        receive.Offer(TestRing.Writes(Data, 12));
        receive.Offer(TestRing.Writes(Data, 2000));
        net.ReadInput();
        Assert.True(net.Deliver());
        Assert.Equal((2, 0u, 73u), (receive.UsedIndex, receive.Used(0).Written, receive.Used(1).Written));
        Assert.Null(net.Fault);
    }

    private (TestRing Input, TestRing Output, VirtioConsole Console) Console()
    {
        VirtioConsole console = new(new ConsoleModel(_port), _guest.Memory, VirtioFormat.Pci) { Interrupts = _interrupts };
        return (Start(console, 0, 0x1_0000), Start(console, 1, 0x2_0000), console);
    }

    private (TestRing Receive, TestRing Send, VirtioNet Net) Net(VirtioFormat format)
    {
        VirtioNet net = new(new NetworkModel(_link), MacAddress.OfGuest(5), _guest.Memory, format, Complaints.Silent) { Interrupts = _interrupts };
        return (Start(net, 0, 0x1_0000), Start(net, 1, 0x2_0000), net);
    }

    private TestRing Start(VirtioDevice device, int queue, uint at)
    {
        TestRing ring = new(_guest.Memory, RingLayout.Contiguous(at, 256));
        device.StartQueue(queue, ring.Layout);
        return ring;
    }

    private string Text(uint address, uint length) => Encoding.ASCII.GetString(_guest.Memory.Read(address, length));
}
