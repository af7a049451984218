// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Support;
using Mono.Unix.Native;
using NSubstitute;

namespace Lguest.Tests.Devices.Virtio;

/// <summary>A disk that is asked by way of a ring.</summary>
public sealed class VirtioBlockTests : IDisposable
{
    private const uint Header = 0x8_0000;
    private const uint Data = 0x9_0000;
    private const uint Status = 0xA_0000;
    private const int Sectors = 40;
    private const byte Untouched = 0xEE;

    private readonly TemporaryDirectory _directory = new();
    private readonly TestGuest _guest = new();
    private readonly IVirtioInterrupts _interrupts = Substitute.For<IVirtioInterrupts>();
    private readonly List<string> _told = [];
    private readonly string _path;
    private BlockImage? _image;
    private VirtioBlock _disk = null!;
    private TestRing _ring = null!;

    public VirtioBlockTests()
    {
        byte[] content = new byte[(Sectors * 512) + 100];
        for (int i = 0; i < content.Length; i++)
            content[i] = (byte)(i / 512);
        _path = _directory.File("disk.img", content);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _image?.Dispose();
        _guest.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(16)]
    [InlineData(24)]
    public void ReadsAndWritesWhateverTheHeader(int header)
    {
        Make(header == 24 ? VirtioFormat.First : VirtioFormat.LguestBus);
        Assert.Equal((VirtioBlockStatus.Ok, 1025u), Ask(VirtioBlockType.Read, 7, header, TestRing.Writes(Data, 1024)));
        Assert.Equal((7, 8), (_guest.Memory.ReadValue<byte>(Data), _guest.Memory.ReadValue<byte>(Data + 1023)));
        _guest.Memory.Write(Data, 1024).Fill(0xAB);
        Assert.Equal((VirtioBlockStatus.Ok, 1u), Ask(VirtioBlockType.Write, 9, header, TestRing.Reads(Data, 512), TestRing.Reads(Data + 512, 512)));
        byte[] file = File.ReadAllBytes(_path);
        Assert.All(file[(9 * 512)..(11 * 512)], b => Assert.Equal(0xAB, b));
        Assert.Equal((8, 11), (file[(9 * 512) - 1], file[11 * 512]));
        _interrupts.Received(2).QueueUsed(0);
    }

    [Fact]
    public void AnyLayoutWillDo()
    {
        Make(VirtioFormat.Pci);
        WriteHeader(VirtioBlockType.Write, 3);
        _guest.Memory.Write(Data, 512).Fill(0xCD);

        // Header and data in pieces that have nothing to do with either.
        uint whole = 0xB_0000;
        _guest.Memory.Read(Header, 16).CopyTo(_guest.Memory.Write(whole, 16));
        _guest.Memory.Read(Data, 512).CopyTo(_guest.Memory.Write(whole + 16, 512));
        _ring.Offer(TestRing.Reads(whole, 5), TestRing.Reads(whole + 5, 300), TestRing.Reads(whole + 305, 223), TestRing.Writes(Status, 1));
        _disk.Notify(0);
        Assert.Equal((byte)VirtioBlockStatus.Ok, _guest.Memory.ReadValue<byte>(Status));
        Assert.All(File.ReadAllBytes(_path)[(3 * 512)..(4 * 512)], b => Assert.Equal(0xCD, b));

        // Answer and data in one piece: the answer is its last byte.
        WriteHeader(VirtioBlockType.Read, 5);
        _guest.Memory.Write(whole, 600).Fill(Untouched);
        _ring.Offer(TestRing.Reads(Header, 16), TestRing.Writes(whole, 513));
        _disk.Notify(0);
        Assert.Equal((5, 5, 0, Untouched), (_guest.Memory.ReadValue<byte>(whole), _guest.Memory.ReadValue<byte>(whole + 511), _guest.Memory.ReadValue<byte>(whole + 512), _guest.Memory.ReadValue<byte>(whole + 513)));
    }

    [Fact]
    public void AFlushGoesToTheMediumAndAnIdentityIsAlwaysTheSame()
    {
        Make(VirtioFormat.Pci);
        Assert.Equal((VirtioBlockStatus.Ok, 1u), Ask(VirtioBlockType.Flush, 0, 16));
        Assert.Equal((VirtioBlockStatus.Ok, 21u), Ask(VirtioBlockType.Identity, 0, 16, TestRing.Writes(Data, 20)));
        byte[] first = _guest.Memory.Read(Data, 20).ToArray();
        Assert.All(first, b => Assert.True(char.IsAsciiHexDigitLower((char)b)));
        Ask(VirtioBlockType.Identity, 0, 16, TestRing.Writes(Data, 20));
        Assert.Equal(first, _guest.Memory.Read(Data, 20).ToArray());
        Assert.Equal(VirtioBlockStatus.Error, Ask(VirtioBlockType.Identity, 0, 16, TestRing.Writes(Data, 19)).Status);
    }

    [Fact]
    public void AFlushThatFailsIsNoSuccess()
    {
        // A pipe has no medium: fdatasync says so.
        using HostPipe pipe = new();
        _image = BlockImage.OnDescriptor("pipe", Syscall.dup(pipe.WriteEnd), 4096, readOnly: false);
        MakeOn(_image, VirtioFormat.Pci);
        Assert.Equal((VirtioBlockStatus.Error, 1u), Ask(VirtioBlockType.Flush, 0, 16));
    }

    [Fact]
    public void WhatADiskDoesNotKnowIsNotSupported()
    {
        Make(VirtioFormat.Pci);
        foreach (uint type in (uint[])[2, 3, 5, 9, 0x8000_0000, uint.MaxValue])
            Assert.Equal((VirtioBlockStatus.Unsupported, 1u), Ask((VirtioBlockType)type, 0, 16));
    }

    [Theory]
    [InlineData(39, 1024)]
    [InlineData(40, 512)]
    [InlineData(0x0080_0000_0000_0000, 512)]
    [InlineData(ulong.MaxValue, 512)]
    [InlineData(0, 511)]
    public void NothingBeyondTheDiskIsReadOrWritten(ulong sector, uint bytes)
    {
        byte[] before = File.ReadAllBytes(_path);
        Make(VirtioFormat.Pci);
        Assert.Equal(VirtioBlockStatus.Error, Ask(VirtioBlockType.Read, sector, 16, TestRing.Writes(Data, bytes)).Status);
        Assert.Equal(VirtioBlockStatus.Error, Ask(VirtioBlockType.Write, sector, 16, TestRing.Reads(Data, bytes)).Status);
        Assert.Equal(before, File.ReadAllBytes(_path));
        Assert.Null(_disk.Fault);
    }

    [Fact]
    public void AReadOnlyDiskIsNotWritten()
    {
        byte[] before = File.ReadAllBytes(_path);
        Make(VirtioFormat.Pci, readOnly: true);
        Assert.NotEqual(0UL, _disk.OfferedFeatures & VirtioFeatures.BlockReadOnly);
        Assert.Equal(VirtioBlockStatus.Error, Ask(VirtioBlockType.Write, 0, 16, TestRing.Reads(Data, 512)).Status);
        Assert.Equal(before, File.ReadAllBytes(_path));
    }

    [Fact]
    public void ARequestWithoutRoomForTheAnswerComesBack()
    {
        Make(VirtioFormat.Pci);
        WriteHeader(VirtioBlockType.Write, 0);
        _ring.Offer(TestRing.Reads(Header, 16), TestRing.Reads(Data, 512));
        _ring.Offer(TestRing.Reads(Header, 7), TestRing.Writes(Status, 1));
        _disk.Notify(0);
        Assert.Equal((2, (0u, 0u), (2u, 1u)), (_ring.UsedIndex, _ring.Used(0), _ring.Used(1)));
        Assert.Equal((byte)VirtioBlockStatus.Error, _guest.Memory.ReadValue<byte>(Status));
        Assert.Equal(0, File.ReadAllBytes(_path)[0]);
    }

    [Fact]
    public void ABrokenDriversDiskIsOutOfServiceUntilItIsReset()
    {
        Make(VirtioFormat.Pci);
        _ring.Offer(new RingDescriptor { Address = 0xFFFF_FFFF, Length = 16 });
        _disk.Notify(0);
        Assert.NotNull(_disk.Fault);
        _interrupts.Received(1).DeviceChanged();
        Assert.Contains("does nothing more until it is reset", Assert.Single(_told), StringComparison.Ordinal);
        ushort used = _ring.UsedIndex;
        WriteHeader(VirtioBlockType.Read, 0);
        _ring.Offer(TestRing.Reads(Header, 16), TestRing.Writes(Data, 512), TestRing.Writes(Status, 1));
        _disk.Notify(0);
        Assert.Equal(used, _ring.UsedIndex);
        _disk.Reset();
        Start();
        Assert.Equal(VirtioBlockStatus.Ok, Ask(VirtioBlockType.Read, 0, 16, TestRing.Writes(Data, 512)).Status);
    }

    [Fact]
    public void ADriverThatWantsNoInterruptsGetsNone()
    {
        Make(VirtioFormat.Pci);
        _ring.WantInterrupts(false);
        Assert.Equal(VirtioBlockStatus.Ok, Ask(VirtioBlockType.Read, 0, 16, TestRing.Writes(Data, 512)).Status);
        _interrupts.DidNotReceive().QueueUsed(Arg.Any<int>());
    }

    [Fact]
    public void ARequestCostsNoMemory()
    {
        Make(VirtioFormat.Pci);
        Round();
        Tries.AllocatesNothing(Round);
        Assert.Equal(1, _ring.UsedIndex % 1000);

        void Round()
        {
            WriteHeader(VirtioBlockType.Read, 1);
            _ring.Offer([TestRing.Reads(Header, 16), TestRing.Writes(Data, 512), TestRing.Writes(Status, 1)]);
            _ring.WantInterrupts(false);
            _disk.Notify(0);
        }
    }

    private void Make(VirtioFormat format, bool readOnly = false)
    {
        _image = BlockImage.Open(_path, readOnly);
        MakeOn(_image, format);
    }

    private void MakeOn(BlockImage image, VirtioFormat format)
    {
        _disk = new VirtioBlock(new DiskModel(image), _guest.Memory, format, new Complaints(_told.Add)) { Interrupts = _interrupts };
        Start();
    }

    private void Start()
    {
        Assert.True(_disk.Accept(_disk.OfferedFeatures));
        _ring = new TestRing(_guest.Memory, RingLayout.Contiguous(0x1_0000, 256));
        _guest.Memory.Write(0x1_0000, 3 * Page.Size).Clear();
        _disk.StartQueue(0, _ring.Layout);
    }

    private void WriteHeader(VirtioBlockType type, ulong sector)
    {
        _guest.Memory.WriteUInt32(Header, (uint)type);
        _guest.Memory.WriteUInt32(Header + 4, 0);
        _guest.Memory.WriteValue(Header + 8, sector);
    }

    private (VirtioBlockStatus Status, uint Written) Ask(VirtioBlockType type, ulong sector, int header, params RingDescriptor[] data)
    {
        WriteHeader(type, sector);
        _guest.Memory.WriteValue(Status, Untouched);
        uint before = _ring.UsedIndex;
        ushort head = _ring.Offer([TestRing.Reads(Header, (uint)header), .. data, TestRing.Writes(Status, 1)]);
        _disk.Notify(0);
        Assert.Equal(before + 1, _ring.UsedIndex);
        (uint used, uint written) = _ring.Used(before);
        Assert.Equal(head, used);
        return ((VirtioBlockStatus)_guest.Memory.ReadValue<byte>(Status), written);
    }
}
