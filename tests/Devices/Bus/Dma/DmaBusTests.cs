// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Bus.Dma;
using Lguest.GuestAbi;
using Lguest.Tests.Support;
using NSubstitute;
using Xunit;

namespace Lguest.Tests.Devices.Bus.Dma;

/// <summary>Descriptors, places, keys.</summary>
public sealed class DmaBusTests : IDisposable
{
    private readonly TestGuest _guest = new();

    /// <inheritdoc/>
    public void Dispose() => _guest.Dispose();

    /// <summary>Descriptors stand one after the other, pages likewise; a device without pages has page frame 0.</summary>
    [Fact]
    public void DescriptorsAndPagesAreGivenInOrder()
    {
        // What was there before must not be taken for a device.
        _guest.Memory.Write(TestGuest.Ram, Page.Size).Fill(0xEE);
        _guest.Memory.Write(TestGuest.Ram + Page.Size, Page.Size).Fill(0xEE);
        DmaBus bus = new(_guest.Memory, TestGuest.Ram);
        IDmaDevice[] devices = [Device(DeviceType.Block, pages: 1, DeviceFeatures.Randomness), Device(DeviceType.Console, pages: 0), Device(DeviceType.Net, pages: 2)];
        foreach (IDmaDevice device in devices)
            bus.Add(device);

        Assert.Equal((DeviceType.Block, DeviceFeatures.Randomness, DeviceStatus.None, 1, 0x101u), Descriptor(0));
        Assert.Equal((DeviceType.Console, DeviceFeatures.None, DeviceStatus.None, 0, 0u), Descriptor(1));
        Assert.Equal((DeviceType.Net, DeviceFeatures.None, DeviceStatus.None, 2, 0x102u), Descriptor(2));
        Assert.Equal(DeviceType.None, Descriptor(3).Type);
        Assert.Equal(0, _guest.Memory.Read(TestGuest.Ram + Page.Size, Page.Size).IndexOfAnyExcept((byte)0) + 1);
        devices[0].Received().Attach(_guest.Memory, TestGuest.Ram + Page.Size);
        devices[2].Received().Attach(_guest.Memory, TestGuest.Ram + (2 * Page.Size));
        Assert.Equal([new(TestGuest.Ram + Page.Size, Page.Size), null, new MemoryRange(TestGuest.Ram + (2 * Page.Size), 2 * Page.Size)], bus.Devices.Select(static device => device.Memory));
        Assert.Equal([1u, 2, 3], bus.Devices.Select(static device => device.Irq));
    }

    /// <summary>Sixteen fit; the seventeenth is an error.</summary>
    [Fact]
    public void TheSeventeenthDeviceIsRefused()
    {
        DmaBus bus = new(_guest.Memory, TestGuest.Ram);
        for (int i = 0; i < DeviceDescriptor.MaxDevices; i++)
            bus.Add(Device(DeviceType.Block, pages: 1));
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => bus.Add(Device(DeviceType.Block, pages: 1)));
        Assert.Contains("16", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A DMA goes to the device whose key it is, and used_len says what the device took.</summary>
    [Fact]
    public void OutputGoesToItsDeviceAndUsedLenComesBack()
    {
        DmaBus bus = new(_guest.Memory, TestGuest.Ram);
        IDmaDevice one = Device(DeviceType.Block, pages: 1);
        IDmaDevice two = Device(DeviceType.Block, pages: 1);
        two.Watches(0x1234).Returns(true);
        two.HandleOutput(_guest.Fake, 0x1234, Arg.Any<GuestVector>()).Returns(77u);
        bus.Add(one);
        bus.Add(two);
        bus.HandleOutput(_guest.Fake, 0x2000, 0x1234);
        Assert.Equal(77u, _guest.UsedLen(0x2000));
        one.DidNotReceive().HandleOutput(Arg.Any<IDmaGuest>(), Arg.Any<uint>(), Arg.Any<GuestVector>());
    }

    /// <summary>Keys of nobody are told of once, and nothing else happens.</summary>
    [Fact]
    public void KeysOfNobodyAreToldOfOnce()
    {
        List<string> told = [];
        DmaBus bus = new(_guest.Memory, TestGuest.Ram, new Complaints(told.Add));
        for (int i = 0; i < 3; i++)
            bus.HandleOutput(_guest.Fake, 0x2000, 0xDEAD);
        Assert.Contains("0x0000dead", Assert.Single(told), StringComparison.Ordinal);
    }

    /// <summary>DMA from memory that is not the guest's never reaches a device.</summary>
    [Theory]
    [InlineData(0xFFFFFFFCu, 0x1000u)]
    [InlineData(0x40000000u, 0x1000u)]
    [InlineData(0x2000u, 0x40000000u)]
    [InlineData(0x2000u, 0xFFFFFFF0u)]
    [InlineData(0x2000u, TestGuest.Ram - 50)]
    public void MemoryThatIsNotTheGuestsIsRefused(uint dma, uint section)
    {
        DmaBus bus = new(_guest.Memory, TestGuest.Ram);
        IDmaDevice device = Device(DeviceType.Block, pages: 1);
        device.Watches(8).Returns(true);
        bus.Add(device);
        _guest.WriteDma(0x2000, (section, 100));
        Assert.Throws<GuestAddressException>(() => bus.HandleOutput(_guest.Fake, dma, 8));
        device.DidNotReceive().HandleOutput(Arg.Any<IDmaGuest>(), Arg.Any<uint>(), Arg.Any<GuestVector>());
    }

    private static IDmaDevice Device(DeviceType type, int pages, DeviceFeatures features = DeviceFeatures.None)
    {
        IDmaDevice device = Substitute.For<IDmaDevice>();
        device.Type.Returns(type);
        device.PageCount.Returns(pages);
        device.Features.Returns(features);
        return device;
    }

    private (DeviceType Type, DeviceFeatures Features, DeviceStatus Status, int Pages, uint Pfn) Descriptor(int index)
    {
        DeviceDescriptor descriptor = _guest.Memory.ReadValue<DeviceDescriptor>(TestGuest.Ram + (uint)(index * DeviceDescriptor.Size));
        return (descriptor.Type, descriptor.Features, descriptor.Status, descriptor.NumPages, descriptor.Pfn);
    }
}
