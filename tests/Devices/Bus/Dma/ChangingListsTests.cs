// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Runtime.InteropServices;
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.EngineParts;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Devices.Bus.Dma;

/// <summary>
/// Requests that change while they are served, as those do that a guest puts where other processes write: each is served as it was
/// at one moment, or refused.
/// </summary>
public sealed unsafe class ChangingListsTests : IDisposable
{
    private const uint List = 0x100;
    private const uint Data = 0x1_0000;
    private const uint DevicePage = TestGuest.Ram + Page.Size;
    private const uint Reply = 0x2000;
    private const int Sectors = 8;

    private readonly TestGuest _guest = new();
    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose()
    {
        _guest.Dispose();
        _directory.Dispose();
    }

    /// <summary>A list that changes when the first section has been announced to the engine is taken as it was checked.</summary>
    [Fact]
    public void AListIsTakenAsItWasChecked()
    {
        _guest.WriteDma(List, (TestGuest.Ram - 16, 16));
        uint length = List + sizeof(uint) + (LguestDma.MaxSections * sizeof(uint));
        _guest.Memory.AddObserver(new Meanwhile(() => *(ushort*)(_guest.Memory.Base + length) = ushort.MaxValue));
        GuestVector vector = new();
        vector.Load(_guest.Memory, List, toGuest: true);
        Assert.Equal(16, vector.Length);
        Assert.Equal(16ul, vector.Sections[0].iov_len);

        // That the list is another now is seen the next time.
        Assert.Throws<GuestAddressException>(() => vector.Load(_guest.Memory, List, toGuest: true));
    }

    /// <summary>A request whose length changes when its data is about to be written is answered as it was made.</summary>
    [Fact]
    public void ARequestIsAnsweredAsItWasMade()
    {
        string path = _directory.File("disk.img", new byte[Sectors * BlockPage.SectorSize]);
        using BlockImage image = BlockImage.Open(path, readOnly: true);
        DmaDisk device = new(new DiskModel(image));
        device.Attach(_guest.Memory, DevicePage);
        _guest.WriteDma(Reply, (Data, BlockPage.SectorSize));
        _guest.Memory.WriteValue(DevicePage, new BlockPage { Type = BlockRequestType.Read, Bytes = BlockPage.SectorSize });
        _guest.Fake.Bind(DevicePage, Reply, 1);
        Meanwhile change = new(() => *(uint*)(_guest.Memory.Base + DevicePage + (uint)Marshal.OffsetOf<BlockPage>(nameof(BlockPage.Bytes))) = 7);
        _guest.Memory.AddObserver(change);
        device.HandleOutput(_guest.Fake, DevicePage, new GuestVector());
        _guest.Memory.RemoveObserver(change);
        Assert.Equal(BlockResult.Ok, _guest.Memory.ReadValue<BlockPage>(DevicePage).Result);
    }

    /// <summary>A write that is beyond the disk's end every other moment never makes the file longer.</summary>
    [Fact]
    public void ARequestIsCarriedOutAsItWasChecked()
    {
        string path = _directory.File("disk.img", new byte[Sectors * BlockPage.SectorSize]);
        using BlockImage image = BlockImage.Open(path, readOnly: false);
        DmaDisk device = new(new DiskModel(image));
        device.Attach(_guest.Memory, DevicePage);
        _guest.WriteDma(List, (Data, BlockPage.SectorSize));
        _guest.Memory.WriteValue(DevicePage, new BlockPage { Type = BlockRequestType.Write, Bytes = BlockPage.SectorSize });
        _guest.Fake.Bind(DevicePage, Reply, 1);
        GuestVector sent = new();
        uint sector = DevicePage + (uint)Marshal.OffsetOf<BlockPage>(nameof(BlockPage.Sector));
        HashSet<uint> results = [];
        using Flipper others = Flipper.Of((uint*)(_guest.Memory.Base + sector), 0, 1 << 20);

        // On a busy machine the other thread may have no turn for long.
        Stopwatch clock = Stopwatch.StartNew();
        for (int i = 0; i < 20_000 || (results.Count < 2 && clock.Elapsed < Deadline.Patience); i++)
        {
            sent.Load(_guest.Memory, List, toGuest: false);
            _guest.Memory.WriteUInt32(Reply, 0);
            device.HandleOutput(_guest.Fake, DevicePage, sent);
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
        DmaBus bus = new(_guest.Memory, TestGuest.Ram);
        bus.Add(new DmaDisk(new DiskModel(image)));
        _guest.Memory.Write(TestGuest.Ram, DeviceDescriptor.Size).Fill(0xFF);
        Assert.Equal(DevicePage, bus.Devices[0].Memory!.Value.Start);
    }

    /// <summary>Does something whenever the host is about to write: in the middle of what it is doing.</summary>
    private sealed class Meanwhile(Action work) : IHostWriteObserver
    {
        public void HostWrites(uint address, uint length) => work();
    }
}
