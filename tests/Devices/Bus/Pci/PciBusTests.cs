// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Pci;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Inspect.Target;
using Lguest.Tests.Support;

namespace Lguest.Tests.Devices.Bus.Pci;

/// <summary>The bus as a kernel probes and uses it, and as it does not.</summary>
public sealed class PciBusTests : IDisposable
{
    private const uint FirstAddress = 0x0410_0000;
    private const uint Data = 0x8_0000;

    private readonly TemporaryDirectory _directory = new();
    private readonly TestGuest _guest = new();
    private readonly HostPipe _input = new();
    private readonly HostPipe _output = new();
    private readonly ConsolePort _port;
    private readonly BlockImage _image;
    private readonly PciBus _bus;
    private readonly PciDriver _console;
    private readonly PciDriver _disk;
    private readonly PciDriver _entropy;

    public PciBusTests()
    {
        _port = new ConsolePort(_input.ReadEnd, _output.WriteEnd, TimeProvider.System);
        _image = BlockImage.Open(_directory.File("disk.img", new byte[64 * 512]), readOnly: false);
        _bus = new PciBus(FirstAddress);
        _bus.Add(new VirtioConsole(new ConsoleModel(_port), _guest.Memory, VirtioFormat.Pci));
        _bus.Add(new VirtioBlock(new DiskModel(_image), _guest.Memory, VirtioFormat.Pci));
        _bus.Add(new VirtioEntropy(new EntropyModel(), _guest.Memory, VirtioFormat.Pci));
        _bus.Connect(_guest.Fake);
        _console = new PciDriver(_bus, 1);
        _disk = new PciDriver(_bus, 2);
        _entropy = new PciDriver(_bus, 3);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _image.Dispose();
        _port.Dispose();
        _input.Dispose();
        _output.Dispose();
        _guest.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void TheFirstDeviceIsTheConsole() =>
        Assert.Throws<InvalidOperationException>(() => new PciBus(0).Add(new VirtioEntropy(new EntropyModel(), _guest.Memory, VirtioFormat.Pci)));

    /// <summary>Linux's check of mechanism 1: a byte, then all of the address register, which comes back.</summary>
    [Fact]
    public void TheBusIsFound()
    {
        Assert.True(_bus.TryOut(0xCFB, 1, 1));
        Assert.True(_bus.TryIn(0xCF8, 4, out uint before));
        Assert.Equal(0x0100_0000u, before);
        _bus.TryOut(0xCF8, 4, 0x8000_0000);
        _bus.TryIn(0xCF8, 4, out uint address);
        Assert.Equal(0x8000_0000, address);
        PciDriver bridge = new(_bus, 0);
        Assert.Equal((0u, 6u, 0x0600u, 0x0600_0000u), (bridge.Configuration(0, 4), bridge.Configuration(0x0B, 1), bridge.Configuration(0x0A, 2), bridge.Configuration(8, 4)));
        Assert.All(Enumerable.Range(4, 28), slot => Assert.Equal(uint.MaxValue, new PciDriver(_bus, slot).Configuration(0, 4)));
        Assert.False(_bus.TryIn(0x64, 1, out _));
        Assert.False(_bus.TryOut(0xD00, 1, 0));
    }

    [Fact]
    public void OtherBusesAndFunctionsAreEmpty()
    {
        foreach (uint address in (uint[])[0x0000_0800, 0x8000_0900, 0x8001_0800, 0x8080_0800])
        {
            _bus.TryOut(0xCF8, 4, address);
            Assert.True(_bus.TryIn(0xCFC, 4, out uint value));
            Assert.Equal(uint.MaxValue, value);
            _bus.TryIn(0xCFD, 1, out value);
            Assert.Equal(0xFFu, value);
        }
    }

    [Theory]
    [InlineData(1, 0x1043_1AF4u, 0x0700_0001u, 12u)]
    [InlineData(2, 0x1042_1AF4u, 0x0180_0001u, 36u)]
    [InlineData(3, 0x1044_1AF4u, 0xFF00_0001u, 0u)]
    public void ADeviceSaysWhatItIs(int slot, uint id, uint kind, uint configuration)
    {
        PciDriver device = new(_bus, slot);
        Assert.Equal((id, kind, 0x0010_0000u, 0x0040_0000u), (device.Configuration(0, 4), device.Configuration(8, 4), device.Configuration(4, 4), device.Configuration(0x2C, 4)));
        Assert.Equal(((uint)slot, 0u, 0u, 0u), (device.Configuration(0x3C, 1), device.Configuration(0x3D, 1), device.Configuration(0x0E, 1), device.Configuration(0x30, 4)));
        Dictionary<uint, int> capabilities = device.Capabilities();
        (uint Type, uint Offset, uint Length)[] expected = [(1, 0, 56), (2, 56, 2), (3, 58, 1), (5, 0, 0), (4, 60, configuration)];
        Assert.Equal(configuration == 0 ? 4 : 5, capabilities.Count);
        foreach ((uint type, uint offset, uint length) in expected.SkipLast(configuration == 0 ? 1 : 0))
            Assert.Equal((0u, offset, length), (device.Configuration(capabilities[type] + 4, 1), device.Configuration(capabilities[type] + 8, 4), device.Configuration(capabilities[type] + 12, 4)));
        Assert.Equal(0u, device.Configuration(capabilities[2] + 16, 4));
        Assert.Equal(uint.MaxValue, device.Configuration(0x98, 4));
    }

    [Fact]
    public void ABarShowsItsSizeAndMoves()
    {
        Assert.Equal([FirstAddress, FirstAddress + 0x1000, FirstAddress + 0x2000], new[] { _console, _disk, _entropy }.Select(device => device.Configuration(0x10, 4)));
        _disk.Configure(0x10, 4, uint.MaxValue);
        Assert.Equal(0xFFFF_F000u, _disk.Configuration(0x10, 4));
        Assert.False(_bus.HasAddress(FirstAddress + 0x1000));
        _disk.Configure(0x10, 4, 0x0500_0123);
        Assert.Equal(0x0500_0000u, _disk.Registers);
        Assert.Equal(1u, _bus.Read(0x0500_0000 + 18, 2));
        Assert.False(_bus.HasAddress(0x0500_1000));
        Assert.Equal(0xFFFFu, _bus.Read(0x0500_1000, 2));
        foreach (int bar in (int[])[0x14, 0x18, 0x1C, 0x20, 0x24, 0x30])
        {
            _disk.Configure(bar, 4, uint.MaxValue);
            Assert.Equal(0u, _disk.Configuration(bar, 4));
        }
    }

    [Fact]
    public void WhatIsNotTheGuestsToWriteStays()
    {
        uint[] before = [.. Enumerable.Range(0, 0x98 / 4).Select(i => _disk.Configuration(4 * i, 4))];
        for (int at = 0; at < 0x84; at += 4)
        {
            if (at is not (0x0C or 0x10))
                _disk.Configure(at, 4, 0xA5A5_A5A5);
        }

        Assert.Equal(before, Enumerable.Range(0, 0x98 / 4).Select(i => _disk.Configuration(4 * i, 4)));
        _disk.Configure(0x0C, 4, uint.MaxValue);
        Assert.Equal(0x0000_FFFFu, _disk.Configuration(0x0C, 4));
    }

    [Fact]
    public void ADiskIsReadAndItsInterruptIsSeenOnce()
    {
        File.WriteAllBytes(_image.Path, [.. Enumerable.Repeat((byte)0x5A, 64 * 512)]);
        TestRing ring = new(_guest.Memory, new RingLayout(64, 0x1000, 0x2000, 0x3000));
        _disk.Start(_guest.Memory, ring);
        Assert.Equal((64u, 0u), (_disk.Read(60, 4), _disk.Read(64, 4)));
        Assert.Equal(254u, _disk.Read(72, 4));
        _guest.Memory.Write(Data, 16).Clear();
        ring.Offer(TestRing.Reads(Data, 16), TestRing.Writes(Data + 0x1000, 512), TestRing.Writes(Data + 0x2000, 1));
        Assert.Empty(_guest.Fake.Irqs);
        _disk.Write(56, 2, 0);
        Assert.Equal([2u], _guest.Fake.Irqs);
        Assert.Equal((1u, 0u), (_disk.Read(58, 1), _disk.Read(58, 1)));
        Assert.Equal((0x5A, 0x5A), (_guest.Memory.ReadValue<byte>(Data + 0x1000), _guest.Memory.ReadValue<byte>(Data + 0x11FF)));
        Assert.Equal(513u, ring.Used(0).Written);
        Assert.Equal((VirtioStatus)0x0F, _disk.Status);
    }

    /// <summary>A wide access has the register's effect once, and is not another register's.</summary>
    [Fact]
    public void TheInterruptIsForgottenByOneRead()
    {
        TestRing ring = new(_guest.Memory, new RingLayout(8, 0x1000, 0x2000, 0x3000));
        _entropy.Start(_guest.Memory, ring);
        ring.Offer(TestRing.Writes(Data, 8));
        _entropy.Write(56, 2, 0);
        Assert.Equal(0u, _entropy.Read(56, 2));
        Assert.Equal(0x0001_0000u, _entropy.Read(56, 4));
        Assert.Equal(0u, _entropy.Read(58, 1));
    }

    [Fact]
    public void AnEarlyConsoleSpeaksThroughTheWindow()
    {
        foreach (byte character in "early"u8)
            _console.WriteByWindow(68, 4, character);
        Assert.Equal("early", _output.Read());
        _console.Configure(0x84 + 8, 4, 18);
        _console.Configure(0x84 + 12, 4, 2);
        Assert.Equal(2u, _console.Configuration(0x94, 2));
    }

    [Theory]
    [InlineData(1u, 18u, 2u)]
    [InlineData(0u, 0xFFFu, 2u)]
    [InlineData(0u, 0xFFFF_FFFFu, 2u)]
    [InlineData(0u, 18u, 3u)]
    [InlineData(0u, 18u, 0u)]
    public void AWindowThatLooksAtNothingShowsNothing(uint bar, uint offset, uint length)
    {
        _console.Configure(0x84 + 4, 1, bar);
        _console.Configure(0x84 + 8, 4, offset);
        _console.Configure(0x84 + 12, 4, length);
        Assert.Equal(0u, _console.Configuration(0x94, 4));
        _console.Configure(0x94, 4, uint.MaxValue);
        Assert.Equal(VirtioStatus.None, _console.Status);
    }

    [Fact]
    public void FeaturesThatWereNotOfferedAreNotAccepted()
    {
        _disk.Status = VirtioStatus.Acknowledge | VirtioStatus.Driver;
        _disk.Write(8, 4, 1);
        _disk.Write(12, 4, 1);
        _disk.Write(8, 4, 0);
        _disk.Write(12, 4, 1u << 12);
        _disk.Status |= VirtioStatus.FeaturesFinal;
        Assert.Equal(VirtioStatus.Acknowledge | VirtioStatus.Driver, _disk.Status);
        _disk.Write(12, 4, (uint)VirtioFeatures.BlockFlush);
        _disk.Status |= VirtioStatus.FeaturesFinal;
        Assert.Equal(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesFinal, _disk.Status);

        // Final is final.
        _disk.Write(12, 4, 0);
        Assert.Equal((uint)VirtioFeatures.BlockFlush, _disk.Read(12, 4));
    }

    [Fact]
    public void WithoutVersion1ThereIsNoDevice()
    {
        _disk.Status = VirtioStatus.Acknowledge | VirtioStatus.Driver;
        _disk.Status |= VirtioStatus.FeaturesFinal;
        Assert.Equal(VirtioStatus.None, _disk.Status & VirtioStatus.FeaturesFinal);
        _disk.Status |= VirtioStatus.DriverReady;
        Assert.Equal(VirtioStatus.None, _disk.Status & VirtioStatus.DriverReady);
    }

    [Fact]
    public void NothingIsServedBeforeTheDriverIsReady()
    {
        TestRing ring = new(_guest.Memory, new RingLayout(8, 0x1000, 0x2000, 0x3000));
        ring.Offer(TestRing.Writes(Data, 8));
        _entropy.SetUp(0, ring.Layout);
        _entropy.Write(28, 2, 1);
        _entropy.Write(56, 2, 0);
        Assert.Equal(0, ring.UsedIndex);
        _entropy.Start(_guest.Memory, ring);
        _entropy.Write(56, 2, 0);
        Assert.Equal(1, ring.UsedIndex);
        _entropy.Status = VirtioStatus.None;
        ring.Offer(TestRing.Writes(Data, 8));
        _entropy.Write(56, 2, 0);
        Assert.Equal((1, 0u, 256u), (ring.UsedIndex, _entropy.Read(28, 2), _entropy.Read(24, 2)));
    }

    [Fact]
    public void ABrokenQueueNeedsAReset()
    {
        TestRing ring = new(_guest.Memory, new RingLayout(8, 0x1000, 0x2000, 0x3000));
        _entropy.Start(_guest.Memory, ring);
        ring.OfferHead(8);
        _entropy.Write(56, 2, 0);
        Assert.Equal(VirtioStatus.NeedsReset, _entropy.Status & VirtioStatus.NeedsReset);
        Assert.Equal((2u, 3u), (_entropy.Read(58, 1), Assert.Single(_guest.Fake.Irqs)));
        _entropy.Start(_guest.Memory, new TestRing(_guest.Memory, new RingLayout(8, 0x1000, 0x2000, 0x3000)));
        Assert.Equal((VirtioStatus)0x0F, _entropy.Status);
    }

    [Fact]
    public void AQueueAboveFourGibibytesIsNone()
    {
        _entropy.Start(_guest.Memory);
        _entropy.Status = VirtioStatus.None;
        _entropy.Status = VirtioStatus.Acknowledge | VirtioStatus.Driver;
        _entropy.Write(8, 4, 1);
        _entropy.Write(12, 4, 1);
        _entropy.Status |= VirtioStatus.FeaturesFinal;
        _entropy.SetUp(0, new RingLayout(8, 0x1000, 0x2000, 0x3000), high: 1);
        _entropy.Write(28, 2, 1);
        _entropy.Status |= VirtioStatus.DriverReady;
        Assert.Equal(VirtioStatus.NeedsReset, _entropy.Status & VirtioStatus.NeedsReset);
    }

    [Fact]
    public void ThereIsNoQueueBeyondTheLast()
    {
        _entropy.Write(22, 2, 1);
        Assert.Equal((0u, 1u), (_entropy.Read(24, 2), _entropy.Read(18, 2)));
        _entropy.Write(24, 2, 16);
        _entropy.Write(28, 2, 1);
        _entropy.Write(22, 2, 0);
        Assert.Equal((256u, 0u), (_entropy.Read(24, 2), _entropy.Read(28, 2)));
        _entropy.Write(24, 2, 100);
        Assert.Equal(256u, _entropy.Read(24, 2));
    }

    /// <summary>Each access is its device's; what may have had something done is followed by a look at everything else.</summary>
    [Fact]
    public void AccessesAreSeenAndWritesAreServed()
    {
        DeviceWatcher watcher = new(_bus.Devices.Select(static device => device.Model));
        List<DeviceAccess> seen = [];
        int served = 0;
        watcher.AccessDone = (_, access) => seen.Add(access);
        _bus.Observer = watcher;
        _bus.Served += () => served++;
        uint registers = _disk.Registers;
        Assert.Equal([0L, 1, 0], watcher.Traffic.Select(static device => device.Accesses));
        Assert.Equal(0, served);
        _disk.Write(20, 1, 1);
        Assert.Equal((1u, 1), (_disk.Read(20, 1), served));
        _console.WriteByWindow(60 + VirtioConsole.EmergencyWrite, 4, '!');
        Assert.Equal(("!", 2), (_output.Read(), served));
        Assert.Contains(new DeviceAccess(DeviceAccessKind.Register, true, 20, 1, 1), seen);
        Assert.Contains(new DeviceAccess(DeviceAccessKind.Configuration, false, 0x10, 4, registers), seen);
        Assert.Equal(seen.Count, watcher.Traffic.Sum(static device => device.Accesses));
        Assert.Equal(0, watcher.Traffic[2].Accesses);
    }

    /// <summary>Where each device is, and how it stands.</summary>
    [Fact]
    public void DevicesHaveTheirPlaces()
    {
        Assert.Equal([(1u, FirstAddress), (2u, FirstAddress + Page.Size), (3u, FirstAddress + (2 * Page.Size))], _bus.Devices.Select(static device => (device.Irq, device.Memory!.Value.Start)));
        _entropy.Status = VirtioStatus.Acknowledge | VirtioStatus.Driver;
        Assert.Equal("slot 3, registers at 0x04102000, features 0x0 of 0x110000000, status Acknowledge, Driver", _bus.StateOf(2));
        Assert.False(_bus.TryServe(RunExit.Dma(0, 0), out string? death));
        Assert.Null(death);
    }

    [Fact]
    public void AllButTheConsoleIsQuietAboutInput()
    {
        Assert.Single(_bus.Inputs);
        TestRing input = new(_guest.Memory, new RingLayout(8, 0x1000, 0x2000, 0x3000));
        TestRing output = new(_guest.Memory, new RingLayout(8, 0x4000, 0x5000, 0x6000));
        _console.Start(_guest.Memory, input, output);
        input.Offer(TestRing.Writes(Data, 100));
        _input.Write("typed");
        _bus.Inputs[0].ReadInput();
        Assert.True(_bus.Inputs[0].Deliver());
        Assert.Equal((0u, 5u), input.Used(0));
        Assert.Equal([1u], _guest.Fake.Irqs);
    }
}
