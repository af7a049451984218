// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Devices;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.EngineParts;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Devices;

/// <summary>
/// Requests that change while they are served, as those do that a guest puts where other processes write: each is served as it was
/// at one moment, or refused.
/// </summary>
public sealed unsafe class ChangingListsTests : IDisposable
{
    private const uint List = 0x100;
    private const uint Data = 0x1_0000;
    private const uint Nowhere = 0x4000_0000;
    private const uint DevicePage = TestGuest.Ram + Page.Size;
    private const uint Reply = 0x2000;
    private const int Sectors = 8;
    private const int Tries = 300_000;

    private readonly TestGuest _guest = new();
    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose()
    {
        _guest.Dispose();
        _directory.Dispose();
    }

    /// <summary>No section leads out of the guest, however the list changes between the check and the use.</summary>
    [Fact]
    public void AListIsTakenAsItWasChecked()
    {
        _guest.WriteDma(List, (Data, 16));
        GuestVector vector = new();
        int taken = 0;
        int refused = 0;
        using Flipper others = Flipper.Of((uint*)(_guest.Memory.Base + List + sizeof(uint)), Data, Nowhere);
        for (int i = 0; i < Tries; i++)
        {
            try
            {
                vector.Load(_guest.Memory, List, toGuest: i % 2 == 0);
                taken++;
                Assert.Equal((nint)(_guest.Memory.Base + Data), vector.Sections[0].iov_base);
            }
            catch (GuestAddressException)
            {
                refused++;
            }
        }

        Assert.True(taken > 0 && refused > 0, $"{taken} taken, {refused} refused");
    }

    /// <summary>A write that is beyond the disk's end every other moment never makes the file longer.</summary>
    [Fact]
    public void ARequestIsCarriedOutAsItWasChecked()
    {
        string path = _directory.File("disk.img", new byte[Sectors * BlockPage.SectorSize]);
        using BlockImage image = BlockImage.Open(path, readOnly: false);
        BlockDevice device = new(image);
        device.Attach(_guest.Memory, DevicePage);
        _guest.WriteDma(List, (Data, BlockPage.SectorSize));
        _guest.Memory.WriteValue(DevicePage, new BlockPage { Type = BlockRequestType.Write, Bytes = BlockPage.SectorSize });
        _guest.Fake.Bind(DevicePage, Reply, 1);
        GuestVector sent = new();
        uint sector = DevicePage + (uint)Marshal.OffsetOf<BlockPage>(nameof(BlockPage.Sector));
        HashSet<uint> results = [];
        using Flipper others = Flipper.Of((uint*)(_guest.Memory.Base + sector), 0, 1 << 20);
        for (int i = 0; i < 20_000; i++)
        {
            sent.Load(_guest.Memory, List, toGuest: false);
            _guest.Memory.WriteUInt32(Reply, 0);
            device.HandleOutput(_guest.Channel, DevicePage, sent);
            results.Add(_guest.Memory.ReadUInt32(DevicePage + (uint)Marshal.OffsetOf<BlockPage>(nameof(BlockPage.Result))));
        }

        Assert.Equal(Sectors * BlockPage.SectorSize, new FileInfo(path).Length);
        Assert.Equal(2, results.Count);
    }

    /// <summary>Where a device's page is the bus knows by itself, whatever the guest makes of the descriptor.</summary>
    [Fact]
    public void TheBusDoesNotAskTheGuestWhereADevicesPageIs()
    {
        string path = _directory.File("disk.img", new byte[Sectors * BlockPage.SectorSize]);
        using BlockImage image = BlockImage.Open(path, readOnly: false);
        DeviceBus bus = new(_guest.Memory, TestGuest.Ram);
        bus.Add(new BlockDevice(image));
        _guest.Memory.Write(TestGuest.Ram, DeviceDescriptor.Size).Fill(0xFF);
        Assert.Equal(DevicePage, bus.FirstPageOf(0));
    }
}
