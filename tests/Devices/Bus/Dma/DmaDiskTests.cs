// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.Tests.Support;
using Mono.Unix.Native;
using Xunit;

namespace Lguest.Tests.Devices.Bus.Dma;

/// <summary>One disk request after the other, as the guest's driver makes them.</summary>
public sealed class DmaDiskTests : IDisposable
{
    private const uint DevicePage = TestGuest.Ram + Page.Size;
    private const uint Sent = 0x1000;
    private const uint Reply = 0x2000;
    private const uint Data = 0x10000;
    private const uint Irq = 1;
    private const int Sectors = 20;
    private const int OddBytes = 100;

    private readonly TestGuest _guest = new();
    private readonly TemporaryDirectory _directory = new();
    private readonly List<string> _told = [];
    private readonly byte[] _content;
    private readonly string _path;
    private BlockImage? _image;

    /// <summary>A disk of 20 sectors, and 100 bytes that are no sector.</summary>
    public DmaDiskTests()
    {
        _content = new byte[(Sectors * BlockPage.SectorSize) + OddBytes];
        new Random(1).NextBytes(_content);
        _path = _directory.File("disk.img", _content);
    }

    /// <summary>Requests that must fail, and leave the file alone.</summary>
    public static TheoryData<string, int, uint, uint, uint, uint> BadRequests => new()
    {
        // what, type, sector, bytes, address and length of the one section
        { "ends one sector beyond the end", 1, Sectors - 1, 1024, Data, 1024 },
        { "starts at the end", 1, Sectors, 512, Data, 512 },
        { "starts far beyond the end", 1, uint.MaxValue, 512, Data, 512 },
        { "starts where a 32-bit product would wrap", 1, 0x00800000, 512, Data, 512 },
        { "odd length", 1, 0, 100, Data, 100 },
        { "promises more than it sends", 1, 0, 1024, Data, 512 },
        { "sends more than it promises", 1, 0, 512, Data, 1024 },
        { "negative length", 1, 0, 0xFFFFFE00, Data, 512 },
        { "unknown type", 2, 0, 512, Data, 512 },
        { "negative type", -1, 0, 512, Data, 512 },
        { "read at the end", 0, Sectors, 512, Data, 512 },
        { "read of odd length", 0, 0, 100, Data, 100 },
        { "read to nowhere", 0, 0, 512, 0x40000000, 512 },
        { "read to the address space's end", 0, 0, 512, 0xFFFFFF00, 512 },
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _image?.Dispose();
        _guest.Dispose();
        _directory.Dispose();
    }

    /// <summary>The page says how many whole sectors there are.</summary>
    [Fact]
    public void ThePageHoldsTheNumberOfWholeSectors()
    {
        MakeBus();
        Assert.Equal((uint)Sectors, _guest.Memory.ReadValue<BlockPage>(DevicePage).NumSectors);
        Assert.Equal(DeviceType.Block, _guest.Memory.ReadValue<DeviceDescriptor>(TestGuest.Ram).Type);
        Assert.Equal(DeviceFeatures.Randomness, _guest.Memory.ReadValue<DeviceDescriptor>(TestGuest.Ram).Features);
    }

    /// <summary>A read fills the reply buffer's sections in order.</summary>
    [Fact]
    public void AReadGoesToTheReplyBuffer()
    {
        DmaBus bus = MakeBus();
        _guest.WriteDma(Sent);
        _guest.WriteDma(Reply, (Data, 512), (Data + 0x5000, 1024));
        _guest.Fake.Bind(DevicePage, Reply, Irq);
        Assert.Equal(BlockResult.Ok, Request(bus, 0, 3, 1536));
        Assert.Equal(1536u, _guest.UsedLen(Reply));
        Assert.Equal(0u, _guest.UsedLen(Sent));
        Assert.Equal([Irq], _guest.Fake.Irqs);
        Assert.Equal(_content.AsSpan(3 * 512, 512), _guest.Memory.Read(Data, 512));
        Assert.Equal(_content.AsSpan(4 * 512, 1024), _guest.Memory.Read(Data + 0x5000, 1024));
    }

    /// <summary>Disks are asked thousands of times a second.</summary>
    [Fact]
    public void ARequestCostsNoMemory()
    {
        DmaBus bus = MakeBus();
        _guest.WriteDma(Sent, (Data, 512), (Data + 0x1000, 512));
        Round();
        Tries.AllocatesNothing(Round);

        void Round()
        {
            for (int type = 0; type < 2; type++)
            {
                _guest.Memory.WriteValue(Reply, _guest.Memory.ReadValue<LguestDma>(Sent));
                _guest.Memory.WriteUInt32(Reply, 0);
                _guest.Fake.Bind(DevicePage, Reply, Irq);
                Assert.True(Request(bus, type, 3, 1024) == BlockResult.Ok);
                _guest.Fake.Irqs.Clear();
            }
        }
    }

    /// <summary>A write takes the sections that were sent, up to the last sector; the reply says 0.</summary>
    [Fact]
    public void AWriteTakesWhatWasSent()
    {
        DmaBus bus = MakeBus();
        _guest.Memory.Write(Data, 1024).Fill(0xAB);
        _guest.Memory.Write(Data + 0x8000, 512).Fill(0xCD);
        _guest.WriteDma(Sent, (Data + 0x8000, 512), (Data, 1024));
        _guest.WriteDma(Reply);
        _guest.Fake.Bind(DevicePage, Reply, Irq);
        Assert.Equal(BlockResult.Ok, Request(bus, 1, Sectors - 3, 1536));
        Assert.Equal(0u, _guest.UsedLen(Reply));
        Assert.Equal([Irq], _guest.Fake.Irqs);

        byte[] now = File.ReadAllBytes(_path);
        Assert.Equal(_content.Length, now.Length);
        int at = (Sectors - 3) * 512;
        Assert.Equal(_content.AsSpan(0, at), now.AsSpan(0, at));
        Assert.Equal(512, now.AsSpan(at, 512).Count((byte)0xCD));
        Assert.Equal(1024, now.AsSpan(at + 512, 1024).Count((byte)0xAB));
        Assert.Equal(_content.AsSpan(at + 1536), now.AsSpan(at + 1536));
    }

    /// <summary>All sixteen sections of a full request.</summary>
    [Fact]
    public void SixteenSectionsAreOneRequest()
    {
        DmaBus bus = MakeBus();
        (uint Address, ushort Length)[] sections = new (uint, ushort)[LguestDma.MaxSections];
        for (uint i = 0; i < sections.Length; i++)
            sections[i] = (Data + (i * Page.Size), 512);
        _guest.WriteDma(Sent);
        _guest.WriteDma(Reply, sections);
        _guest.Fake.Bind(DevicePage, Reply, Irq);
        Assert.Equal(BlockResult.Ok, Request(bus, 0, 2, 16 * 512));
        for (int i = 0; i < sections.Length; i++)
            Assert.Equal(_content.AsSpan((2 + i) * 512, 512), _guest.Memory.Read(sections[i].Address, 512));
    }

    /// <summary>A read that cannot be all that was asked for: what there is, and an error.</summary>
    [Theory]
    [InlineData("over the end", Sectors - 1, 1024u, 1024, 512)]
    [InlineData("into less than it asks for", 4, 1024u, 512, 512)]
    [InlineData("into more than it asks for", 4, 512u, 1024, 1024)]
    public void AShortReadGivesWhatThereIs(string what, uint sector, uint bytes, ushort room, int given)
    {
        DmaBus bus = MakeBus();
        _guest.Memory.Write(Data, 2048).Fill(0xEE);
        _guest.WriteDma(Sent);
        _guest.WriteDma(Reply, (Data, 100), (Data + 100, (ushort)(room - 100)));
        _guest.Fake.Bind(DevicePage, Reply, Irq);
        BlockResult result = Request(bus, 0, sector, bytes);
        Assert.True(result == BlockResult.Error, what);
        Assert.Equal([Irq], _guest.Fake.Irqs);
        Assert.Equal((uint)given, _guest.UsedLen(Reply));
        Assert.Equal(_content.AsSpan((int)sector * 512, given), _guest.Memory.Read(Data, (uint)given));
        Assert.Equal(-1, _guest.Memory.Read(Data + (uint)given, 2048 - (uint)given).IndexOfAnyExcept((byte)0xEE));
    }

    /// <summary>Whatever is wrong with a request: result 2, the irq, and an untouched file.</summary>
    [Theory]
    [MemberData(nameof(BadRequests))]
    public void ABadRequestBecomesAnErrorForTheGuest(string what, int type, uint sector, uint bytes, uint address, uint length)
    {
        DmaBus bus = MakeBus();
        _guest.WriteDma(type == 0 ? Sent : Reply);
        _guest.WriteDma(type == 0 ? Reply : Sent, (address, (ushort)length));
        _guest.Fake.Bind(DevicePage, Reply, Irq);
        BlockResult result = Request(bus, type, sector, bytes);
        Assert.True(result == BlockResult.Error, what);
        Assert.Equal([Irq], _guest.Fake.Irqs);
        Assert.Equal(0u, _guest.UsedLen(Reply));
        Assert.Equal(_content, File.ReadAllBytes(_path));
        Assert.Single(_told);
    }

    /// <summary>Without a reply buffer the page says error, and there is no irq to raise.</summary>
    [Fact]
    public void WithoutAReplyBufferThePageSaysError()
    {
        DmaBus bus = MakeBus();
        _guest.WriteDma(Sent, (Data, 512));
        Assert.Equal(BlockResult.Error, Request(bus, 1, 0, 512));
        Assert.Empty(_guest.Fake.Irqs);
        Assert.Equal(_content, File.ReadAllBytes(_path));
    }

    /// <summary>A reply buffer outside of memory (no engine would bind it) does no harm either.</summary>
    [Fact]
    public void AReplyBufferOutsideOfMemoryIsAnError()
    {
        DmaBus bus = MakeBus();
        _guest.Fake.Bind(DevicePage, 0x70000000, Irq);
        _guest.WriteDma(Sent, (Data, 512));
        Assert.Equal(BlockResult.Error, Request(bus, 1, 0, 512));
        Assert.Empty(_guest.Fake.Irqs);
    }

    /// <summary>A read-only disk can be read and not be written.</summary>
    [Fact]
    public void AReadOnlyDiskIsNotWritten()
    {
        DmaBus bus = MakeBus(readOnly: true);
        _guest.WriteDma(Sent, (Data, 512));
        _guest.WriteDma(Reply);
        _guest.Fake.Bind(DevicePage, Reply, Irq);
        Assert.Equal(BlockResult.Error, Request(bus, 1, 0, 512));
        _guest.WriteDma(Reply, (Data, 512));
        Assert.Equal(BlockResult.Ok, Request(bus, 0, 0, 512));
        Assert.Equal(_content, File.ReadAllBytes(_path));
    }

    /// <summary>A file that somebody cuts while the guest runs.</summary>
    [Fact]
    public void AFileCutShortMeanwhileIsAReadError()
    {
        DmaBus bus = MakeBus();
        using (FileStream file = new(_path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(700);
        _guest.WriteDma(Sent);
        _guest.WriteDma(Reply, (Data, 1024));
        _guest.Fake.Bind(DevicePage, Reply, Irq);
        Assert.Equal(BlockResult.Error, Request(bus, 0, 0, 1024));
        Assert.Equal([Irq], _guest.Fake.Irqs);
    }

    /// <summary>No space left: /dev/full says so to everybody.</summary>
    [Fact]
    public void AFullHostIsAWriteError() => ExpectHostError("/dev/full", OpenFlags.O_RDWR, 1, "no space left");

    /// <summary>An I/O error: what /proc/self/mem gives for address 0.</summary>
    [Fact]
    public void AHostReadErrorIsAReadError() => ExpectHostError("/proc/self/mem", OpenFlags.O_RDONLY, 0, "input/output error");

    /// <summary>Whatever bytes stand in page, DMA and reply: no other exception, no longer file. 3000 cases from a fixed seed.</summary>
    [Fact]
    public void RandomNonsenseNeverThrowsAndNeverGrowsTheFile()
    {
        DmaBus bus = MakeBus();
        Random random = new(20070209);
        byte[] junk = new byte[LguestDma.Size];
        for (int i = 0; i < 3000; i++)
        {
            foreach (uint at in (uint[])[Sent, Reply])
            {
                random.NextBytes(junk);

                // Half of the time addresses that could be right, so that some requests get through the checks.
                if (random.Next(2) == 0)
                    _guest.WriteDma(at, ((uint)random.Next(0, 0x110000), (ushort)(512 * random.Next(0, 4))));
                else
                    _guest.Memory.Write(at, (uint)junk.Length).Clear();
                if (random.Next(4) == 0)
                    junk.CopyTo(_guest.Memory.Write(at, (uint)junk.Length));
            }

            _guest.Memory.WriteUInt32(Reply, 0);
            _guest.Fake.Bind(DevicePage, random.Next(8) == 0 ? (uint)random.NextInt64(uint.MaxValue) : Reply, (uint)random.Next(1, 32));
            Prepare(random.Next(-1, 3), random.Next(2) == 0 ? (uint)random.Next(30) : (uint)random.NextInt64(uint.MaxValue), (uint)(512 * random.Next(0, 4)));
            try
            {
                bus.HandleOutput(_guest.Fake, random.Next(8) == 0 ? (uint)random.NextInt64(uint.MaxValue) : Sent, DevicePage);
            }
            catch (GuestAddressException)
            {
                // The end of the guest, in a launcher.
            }
        }

        Assert.Equal(_content.Length, new FileInfo(_path).Length);
        Assert.Equal(_content.AsSpan(^OddBytes..), File.ReadAllBytes(_path).AsSpan(^OddBytes..));
    }

    private void ExpectHostError(string path, OpenFlags flags, int type, string words)
    {
        int fd = Syscall.open(path, flags);
        Assert.True(fd >= 0);
        _image = BlockImage.OnDescriptor(path, fd, 1 << 20, readOnly: false);
        DmaBus bus = new(_guest.Memory, TestGuest.Ram);
        bus.Add(new DmaDisk(new DiskModel(_image, new Complaints(_told.Add)), new Complaints(_told.Add)));
        _guest.WriteDma(type == 0 ? Sent : Reply);
        _guest.WriteDma(type == 0 ? Reply : Sent, (Data, 512));
        _guest.Fake.Bind(DevicePage, Reply, Irq);
        Assert.Equal(BlockResult.Error, Request(bus, type, 0, 512));
        Assert.Equal([Irq], _guest.Fake.Irqs);
        Assert.Contains(words, Assert.Single(_told), StringComparison.Ordinal);
    }

    private DmaBus MakeBus(bool readOnly = false)
    {
        _image = BlockImage.Open(_path, readOnly);
        DmaBus bus = new(_guest.Memory, TestGuest.Ram);
        bus.Add(new DmaDisk(new DiskModel(_image, new Complaints(_told.Add)), new Complaints(_told.Add)));
        return bus;
    }

    private BlockResult Result => _guest.Memory.ReadValue<BlockPage>(DevicePage).Result;

    private void Prepare(int type, uint sector, uint bytes)
    {
        BlockPage page = _guest.Memory.ReadValue<BlockPage>(DevicePage);
        page.Type = (BlockRequestType)type;
        page.Sector = sector;
        page.Bytes = bytes;
        page.Result = BlockResult.Pending;
        _guest.Memory.WriteValue(DevicePage, page);
    }

    private BlockResult Request(DmaBus bus, int type, uint sector, uint bytes)
    {
        Prepare(type, sector, bytes);
        bus.HandleOutput(_guest.Fake, Sent, DevicePage);
        return Result;
    }
}
