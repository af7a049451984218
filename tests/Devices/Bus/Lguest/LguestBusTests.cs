// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Bus.Lguest;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Fuzz.Targets;
using Lguest.Tests.Support;

namespace Lguest.Tests.Devices.Bus.Lguest;

/// <summary>The bus as the drivers of its releases use it, in both forms of its descriptors.</summary>
public sealed class LguestBusTests : IDisposable
{
    private const uint Page0 = TestGuest.Ram;
    private const uint Data = 0x8_0000;
    private const int Sectors = 64;

    private readonly TemporaryDirectory _directory = new();
    private readonly TestGuest _guest = new(devicePages: LguestBus.PagesFor(LguestBus.MostQueues));
    private readonly HostPipe _input = new();
    private readonly HostPipe _output = new();
    private readonly ScriptedLink _link = new();
    private readonly List<string> _told = [];
    private readonly ConsolePort _port;
    private readonly BlockImage _image;
    private LguestBus _bus = null!;
    private BusDriver _disk = null!;
    private BusDriver _entropy = null!;
    private BusDriver _net = null!;
    private BusDriver _console = null!;

    public LguestBusTests()
    {
        _port = new ConsolePort(_input.ReadEnd, _output.WriteEnd, TimeProvider.System);
        byte[] content = new byte[Sectors * 512];
        for (int i = 0; i < content.Length; i++)
            content[i] = (byte)(i / 512);
        _image = BlockImage.Open(_directory.File("disk.img", content), readOnly: false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _image.Dispose();
        _port.Dispose();
        _link.Dispose();
        _input.Dispose();
        _output.Dispose();
        _guest.Dispose();
        _directory.Dispose();
    }

    /// <summary>Written out by hand from abi.md §7.1, §10.</summary>
    [Fact]
    public void ADescriptorOfLaterReleasesIsAHeadQueuesFeaturesAndAConfiguration()
    {
        Make(isTyped: false);
        byte[] block =
        [
            2, 1, 4, 36, 0,
            0, 1, 1, 0, 0x01, 0x01, 0, 0,
            0x04, 0x02, 0, 0x10, 0, 0, 0, 0,
            Sectors, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 254, 0, 0, 0, .. new byte[20],
        ];
        byte[] entropy = [4, 1, 4, 0, 0, 0, 1, 2, 0, 0x04, 0x01, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0];
        byte[] net = [1, 2, 4, 8, 0, 0, 1, 3, 0, 0x07, 0x01, 0, 0, 0, 1, 4, 0, 0x0A, 0x01, 0, 0, 0x20, 0, 0, 0x10, 0, 0, 0, 0];
        byte[] all = [.. block, .. entropy, .. net];
        Assert.Equal(all, _guest.Memory.Read(Page0, (uint)all.Length).ToArray());
        Assert.Equal([VirtioId.Block, VirtioId.Entropy, VirtioId.Net, VirtioId.Console], Find(isTyped: false).Select(static device => device.Id));
        Assert.Equal([5, 6], _console.Queues.Select(static queue => (int)queue.Irq));
    }

    [Fact]
    public void ADescriptorOf2624IsAListOfFields()
    {
        Make(isTyped: true);
        byte[] block =
        [
            2, 26, 0,
            2, 8, 0, 1, 1, 0, 0x01, 0x01, 0, 0,
            0x41, 8, Sectors, 0, 0, 0, 0, 0, 0, 0,
            0x43, 4, 254, 0, 0, 0,
        ];
        Assert.Equal(block, _guest.Memory.Read(Page0, (uint)block.Length).ToArray());
        Assert.Equal([VirtioId.Block, VirtioId.Entropy, VirtioId.Net, VirtioId.Console], Find(isTyped: true).Select(static device => device.Id));
        (byte type, byte[] address) = Assert.Single(_net.Fields);
        Assert.Equal((0x41, MacAddress.OfGuest(5).ToString()), (type, string.Join(":", address.Select(static b => b.ToString("x2")))));
        Assert.Empty(_console.Fields);
        Assert.Equal(2, _console.Queues.Count);
    }

    /// <summary>Rings of 256 entries have 12288 bytes, one after another from the page after the descriptors.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RingsFollowTheDescriptors(bool isTyped)
    {
        Make(isTyped);
        IEnumerable<(ushort, ushort, uint)> queues = Find(isTyped).SelectMany(static device => device.Queues);
        Assert.Equal(Enumerable.Range(0, 6).Select(static i => ((ushort)256, (ushort)(i + 1), Page0 + 0x1000 + ((uint)i * 0x3000))), queues);
        Assert.Equal(18, LguestBus.PagesFor(6));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ADiskIsReadBeforeItsDriverIsReady(bool isTyped)
    {
        Make(isTyped);
        _disk.SetStatus(VirtioStatus.Acknowledge | VirtioStatus.Driver, tell: !isTyped);
        TestRing ring = _disk.Ring(0);
        int header = isTyped ? 24 : 16;
        AskDisk(ring, header, sector: 3);
        Assert.Equal([1u], Irqs);
        Assert.Equal((1, (0u, 513u)), (ring.UsedIndex, ring.Used(0)));
        Assert.Equal((3, 3, 0), (_guest.Memory.ReadValue<byte>(Data + 0x1000), _guest.Memory.ReadValue<byte>(Data + 0x11FF), _guest.Memory.ReadValue<byte>(Data + 0x2000)));
    }

    [Fact]
    public void EachQueueHasItsIrq()
    {
        Make(isTyped: false);
        TestRing output = _console.Ring(1);
        "hello"u8.CopyTo(_guest.Memory.Write(Data, 5));
        output.Offer(TestRing.Reads(Data, 5));
        _console.Kick(1);
        Assert.Equal("hello", _output.Read());
        TestRing send = _net.Ring(1);
        send.Offer(TestRing.Reads(Data, 10), TestRing.Reads(Data, 60));
        _net.Kick(1);
        Assert.Equal([60], _link.SentLengths);
        TestRing receive = _net.Ring(0);
        receive.Offer(TestRing.Writes(Data, 10), TestRing.Writes(Data + 0x1000, 1518));
        _net.Kick(0);
        _link.Packets.Enqueue(new byte[60]);
        _bus.Inputs[0].ReadInput();
        Assert.True(_bus.Inputs[0].Deliver());
        Assert.Equal(70u, receive.Used(0).Written);
        Assert.Equal([6u, 4u, 3u], Irqs);
    }

    [Fact]
    public void ADriverThatWantsNoInterruptGetsNone()
    {
        Make(isTyped: false);
        TestRing output = _console.Ring(1);
        output.WantInterrupts(false);
        output.Offer(TestRing.Reads(Data, 5));
        _console.Kick(1);
        Assert.Equal((1, 0), (output.UsedIndex, Irqs.Count));
    }

    [Fact]
    public void WhatIsTypedWaitsForTheFirstBuffer()
    {
        Make(isTyped: true);
        _input.Write("typed");
        _bus.Inputs[1].ReadInput();
        Assert.False(_bus.Inputs[1].Deliver());
        TestRing input = _console.Ring(0);
        input.Offer(TestRing.Writes(Data, 100));
        _console.Kick(0);
        Assert.Equal((0u, 5u), input.Used(0));
        Assert.Equal([5u], Irqs);
    }

    [Fact]
    public void AResetMakesEverythingNew()
    {
        Make(isTyped: false);
        _entropy.Accepted = (uint)VirtioFeatures.Indirect;
        TestRing ring = _entropy.Ring(0);
        ring.Offer(TestRing.Writes(Data, 8));
        _entropy.Kick(0);
        Assert.Equal(1, ring.UsedIndex);
        _entropy.SetStatus(VirtioStatus.None);
        Assert.Equal(0u, _entropy.Accepted);
        Assert.Equal(-1, _guest.Memory.Read(_entropy.Queues[0].Address, 3 * Page.Size).IndexOfAnyExcept((byte)0));

        // The driver begins at the ring's first place again, and so does the device.
        ring = _entropy.Ring(0);
        ring.Offer(TestRing.Writes(Data, 8));
        _entropy.Kick(0);
        Assert.Equal((1, (0u, 8u)), (ring.UsedIndex, ring.Used(0)));
    }

    [Fact]
    public void FeaturesAreThoseThatWereAcceptedAtTheFirstBuffer()
    {
        Make(isTyped: false);
        _entropy.SetStatus(VirtioStatus.None);
        _entropy.SetStatus(VirtioStatus.Acknowledge);
        _entropy.SetStatus(VirtioStatus.Acknowledge | VirtioStatus.Driver);
        _entropy.Accepted = (uint)VirtioFeatures.Indirect;
        TestRing ring = _entropy.Ring(0);
        _guest.Memory.WriteValue(Data, TestRing.Writes(Data + 0x1000, 8));
        ring.Offer(new RingDescriptor { Address = Data, Length = RingDescriptor.Size, Flags = RingDescriptorFlags.Indirect });
        _entropy.Kick(0);
        Assert.Equal((0u, 8u), ring.Used(0));

        // Without having been accepted, a table is a broken rule.
        _entropy.SetStatus(VirtioStatus.None);
        _entropy.SetStatus(VirtioStatus.Acknowledge | VirtioStatus.Driver);
        _entropy.SetStatus(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.DriverReady);
        _entropy.Accepted = (uint)VirtioFeatures.Indirect;
        ring = _entropy.Ring(0);
        ring.Offer(new RingDescriptor { Address = Data, Length = RingDescriptor.Size, Flags = RingDescriptorFlags.Indirect });
        _entropy.Kick(0);
        Assert.Equal(0, ring.UsedIndex);
        Assert.Contains("where none may be", Assert.Single(_told), StringComparison.Ordinal);
    }

    /// <summary>2.6.25 makes NOTIFY of a descriptor for a reset only, whatever the status, and its driver goes wrong if that stays.</summary>
    [Fact]
    public void ADriverThatNeverSaysWhatItDoesHasItsStatusSetBack()
    {
        Make(isTyped: false);
        _entropy.SetStatus(VirtioStatus.None);
        TestRing ring = _entropy.Ring(0);
        _entropy.SetStatus(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.DriverReady, tell: false);
        ring.Offer(TestRing.Writes(Data, 8));
        _entropy.Kick(0);
        Assert.Equal(1, ring.UsedIndex);
        _entropy.SetStatus(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.DriverReady);
        Assert.Equal(VirtioStatus.None, _entropy.Status);
        Assert.Equal(0, ring.UsedIndex);
    }

    [Fact]
    public void FeaturesThatWereNotOfferedPutADeviceOutOfServiceUntilItIsReset()
    {
        Make(isTyped: false);
        _entropy.Accepted = 1u << 29;
        TestRing ring = _entropy.Ring(0);
        ring.Offer(TestRing.Writes(Data, 8));
        _entropy.Kick(0);
        _entropy.Kick(0);
        Assert.Equal((0, 0), (ring.UsedIndex, Irqs.Count));
        Assert.Contains("accepts features 0x20000000, and 0x10000000 are offered", Assert.Single(_told), StringComparison.Ordinal);
        _entropy.SetStatus(VirtioStatus.None);
        ring = _entropy.Ring(0);
        ring.Offer(TestRing.Writes(Data, 8));
        _entropy.Kick(0);
        Assert.Equal(1, ring.UsedIndex);
    }

    /// <summary>What the guest makes of its descriptor concerns nobody: where rings are is not looked up there.</summary>
    [Fact]
    public void AScribbledDescriptorChangesNothing()
    {
        Make(isTyped: false);
        (ushort entries, ushort _, uint address) = _entropy.Queues[0];
        _guest.Memory.Write(_entropy.Address, 13).Fill(0xFF);
        TestRing ring = new(_guest.Memory, RingLayout.Contiguous(address, entries));
        ring.Offer(TestRing.Writes(Data, 8));
        Notify(address);
        Assert.Equal([2u], Irqs);
        Assert.Equal((1, (0u, 8u)), (ring.UsedIndex, ring.Used(0)));
    }

    [Fact]
    public void AnEarlyConsoleNamesItsText()
    {
        Make(isTyped: true);
        "Linux version\n\0not this"u8.CopyTo(_guest.Memory.Write(Data, 23));
        Notify(Data);
        Notify(Data + 13);
        Assert.Equal("Linux version\n\n", _output.Read());
        Notify(Data + 14);
        Notify(Data + 12);
        Assert.Equal("n\n", _output.Read());
    }

    [Fact]
    public void ATextEndsWhereMemoryEndsAndAfterAPageAtTheLatest()
    {
        Make(isTyped: false);
        uint end = Page0 + Page.Size + ((uint)LguestBus.PagesFor(LguestBus.MostQueues) * Page.Size);
        _guest.Memory.Write(end - 3, 3).Fill((byte)'z');
        Notify(end - 3);
        Assert.Equal("zzz", _output.Read());
        _guest.Memory.Write(Data, 0x2000).Fill((byte)'y');
        Notify(Data);
        Assert.Equal(new string('y', 4096), _output.Read());
    }

    [Theory]
    [InlineData(uint.MaxValue)]
    [InlineData(0xF000_0000)]
    [InlineData(Page0 + 0x2E000)]
    public void ACallForNothingIsDeadly(uint address)
    {
        Make(isTyped: false);
        Assert.True(_bus.TryServe(RunExit.Notify(address), out string? death));
        Assert.Equal($"Bad NOTIFY 0x{address:x}", death);
        Assert.False(_bus.TryServe(RunExit.Dma(Data, 4), out death));
        Assert.Null(death);
    }

    [Fact]
    public void ADebuggerSeesHowADeviceStands()
    {
        Make(isTyped: false);
        _entropy.SetStatus(VirtioStatus.Acknowledge | VirtioStatus.Driver);
        Assert.Equal("descriptor at 0x00100039, 1 rings from 0x00104000 on, features 0x0 of 0x10000000, status Acknowledge, Driver", _bus.StateOf(1));
        _entropy.Accepted = 1;
        _entropy.Kick(0);
        Assert.EndsWith("in use, out of service: its driver accepts features 0x00000001, and 0x10000000 are offered", _bus.StateOf(1), StringComparison.Ordinal);
        Assert.Equal(
            [(1u, Page0 + 0x1000, 0x3000u), (2u, Page0 + 0x4000, 0x3000u), (3u, Page0 + 0x7000, 0x6000u), (5u, Page0 + 0xD000, 0x6000u)],
            _bus.Devices.Select(static device => (device.Irq, device.Memory!.Value.Start, (uint)device.Memory.Value.Length)));
    }

    [Fact]
    public void ThereAreFifteenQueues()
    {
        _bus = new LguestBus(_guest.Memory, Page0, isTyped: false);
        for (int i = 0; i < LguestBus.MostQueues; i++)
            _bus.Add(new VirtioEntropy(new EntropyModel(), _guest.Memory, VirtioFormat.LguestBus));
        Assert.Throws<InvalidOperationException>(() => _bus.Add(new VirtioEntropy(new EntropyModel(), _guest.Memory, VirtioFormat.LguestBus)));
        Assert.Equal(15, BusDriver.Find(_bus, _guest.Memory, Page0, isTyped: false)[^1].Queues[0].Irq);
    }

    private List<uint> Irqs => _guest.Fake.Irqs;

    private void Notify(uint address)
    {
        Assert.True(_bus.TryServe(RunExit.Notify(address), out string? death));
        Assert.Null(death);
    }

    private void Make(bool isTyped)
    {
        VirtioFormat format = isTyped ? VirtioFormat.First : VirtioFormat.LguestBus;
        Complaints complaints = new(_told.Add);
        _bus = new LguestBus(_guest.Memory, Page0, isTyped);
        _bus.Add(new VirtioBlock(new DiskModel(_image), _guest.Memory, format, complaints));
        _bus.Add(new VirtioEntropy(new EntropyModel(), _guest.Memory, format, complaints));
        _bus.Add(new VirtioNet(new NetworkModel(_link), MacAddress.OfGuest(5), _guest.Memory, format, complaints));
        _bus.Add(new VirtioConsole(new ConsoleModel(_port), _guest.Memory, format, complaints));
        _bus.Connect(_guest.Fake);
        List<BusDriver> found = Find(isTyped);
        (_disk, _entropy, _net, _console) = (found[0], found[1], found[2], found[3]);
    }

    private List<BusDriver> Find(bool isTyped) => BusDriver.Find(_bus, _guest.Memory, Page0, isTyped);

    private void AskDisk(TestRing ring, int header, ulong sector)
    {
        Span<byte> bytes = _guest.Memory.Write(Data, (uint)header);
        bytes.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], sector);
        _guest.Memory.WriteValue(Data + 0x2000, (byte)0xEE);
        ring.Offer(TestRing.Reads(Data, (uint)header), TestRing.Writes(Data + 0x1000, 512), TestRing.Writes(Data + 0x2000, 1));
        _disk.Kick(0);
    }
}
