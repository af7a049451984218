// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Memory;
using Lguest.Tests.Support;
using Mono.Unix.Native;
using Xunit;

namespace Lguest.Tests.Launcher;

/// <summary>Images that no guest can be made of. Each gets one sentence of its own, with the file's name, and no crash.</summary>
public sealed class BrokenImageTests : IDisposable
{
    private const uint RamBytes = 16 << 20;

    private static readonly byte[] GoodElf = TestKernel.Good().Build();
    private static readonly byte[] GoodZip = TestKernel.Gzip(TestKernel.Image());

    private static readonly Dictionary<string, (string Words, Func<byte[]> File)> Images = new()
    {
        ["empty"] = ("is empty", () => []),
        ["one byte"] = ("no kernel in it", () => [0x7F]),
        ["text"] = ("no kernel in it", () => [.. "#!/bin/sh\necho this is no kernel\n"u8]),
        ["zeros"] = ("no kernel in it", () => new byte[100000]),
        ["noise"] = ("no kernel in it", () => Noise(100000)),
        ["just the ELF mark"] = ("cut short: 4 bytes of an ELF header", () => GoodElf[..4]),
        ["half an ELF header"] = ("cut short: 30 bytes of an ELF header", () => GoodElf[..30]),
        ["cut in the program headers"] = ("cut short: its program headers", () => GoodElf[..100]),
        ["cut in the first segment"] = ("cut short: its segment at 0x00100000", () => GoodElf[..1000]),
        ["cut one byte before the end of the last loaded segment"] = ("cut short: its segment at 0x00110000", () => GoodElf[..^2]),
        ["64-bit"] = ("64-bit ELF", () => Elf(kernel => kernel.Class = 2)),
        ["64-bit and short"] = ("64-bit ELF", () => Elf(kernel => kernel.Class = 2)[..20]),
        ["big-endian"] = ("big-endian", () => Elf(kernel => kernel.Order = 2)),
        ["class 0"] = ("damaged ELF", () => Elf(kernel => kernel.Class = 0)),
        ["byte order 7"] = ("damaged ELF", () => Elf(kernel => kernel.Order = 7)),
        ["relocatable"] = ("relocatable object", () => Elf(kernel => kernel.Type = 1)),
        ["shared object"] = ("shared object", () => Elf(kernel => kernel.Type = 3)),
        ["core dump"] = ("core dump", () => Elf(kernel => kernel.Type = 4)),
        ["type 0"] = ("unknown type 0", () => Elf(kernel => kernel.Type = 0)),
        ["ARM"] = ("another processor (machine 40", () => Elf(kernel => kernel.Machine = 40)),
        ["x86-64 machine in a 32-bit file"] = ("another processor (machine 62", () => Elf(kernel => kernel.Machine = 62)),
        ["no program headers"] = ("no program headers", () => Elf(kernel => kernel.HeaderCount = 0)),
        ["too many program headers"] = ("malformed ELF header", () => Elf(kernel => kernel.HeaderCount = 0xFFFF)),
        ["program headers of another size"] = ("malformed ELF header", () => Elf(kernel => kernel.HeaderEntrySize = 56)),
        ["program headers beyond the end"] = ("cut short: its program headers", () => Elf(kernel => kernel.HeaderOffset = 0xFFFFFFF0)),
        ["nothing to load"] = ("no segment to load", () => Elf(kernel => kernel.Segments.ForEach(segment => segment.Type = 4))),
        ["only empty segments"] = ("no segment to load", () => Elf(kernel => kernel.Segments.ForEach(segment => (segment.Data, segment.MemorySize) = ([], 0)))),
        ["two page offsets"] = ("two linear mappings", () => Elf(kernel => kernel.Segments[1].Virtual += 0x1000)),
        ["more in the file than in memory"] = ("damaged: its segment at 0x00100000", () => Elf(kernel => kernel.Segments[0].MemorySize = 100)),
        ["a segment over the end of the address space"] = ("ends beyond 4 GiB", () => Elf(kernel =>
        {
            kernel.Segments[1].Physical = 0xFFFFF000;
            kernel.Segments[1].Virtual = unchecked(0xFFFFF000 + TestKernel.PageOffset);
        })),
        ["a segment longer than the file"] = ("cut short: its segment", () => Elf(kernel => (kernel.Segments[0].FileSize, kernel.Segments[0].MemorySize) = (0x7FFFFFFF, 0x7FFFFFFF))),
        ["a segment from beyond the file"] = ("cut short: its segment", () => Elf(kernel => kernel.Segments[0].Offset = 0xFFFFFFFF)),
        ["a thousand copies of one segment"] = ("damaged: its segments claim", () => Elf(kernel =>
        {
            for (int i = 0; i < 1000; i++)
                kernel.Segments.Add(new TestSegment { Physical = 0x200000, Virtual = 0x200000 + TestKernel.PageOffset, Offset = 100, FileSize = 4000, MemorySize = 4000 });
        })),
        ["overlapping segments"] = ("overlap", () => Elf(kernel => kernel.Segments[0].MemorySize = 0x10001)),
        ["the same segment twice"] = ("overlap", () => Elf(kernel => kernel.Segments.Add(kernel.Segments[1]))),
        ["entered outside of its segments"] = ("wants to be entered at physical address 0x00500000", () => Elf(kernel => kernel.Entry = 0x500000, mark: false)),
        ["entered behind its last byte"] = ("outside of its segments", NothingBehindTheMark),
        ["virtio's 2.6.24"] = ("is Linux 2.6.24, built without lguest guest support", () => TestKernel.Good("2.6.24").Build()),
        ["virtio's 4.13"] = ("is Linux 4.13.0-1-generic, built without lguest guest support", () => TestKernel.Good("4.13.0-1-generic").Build()),
        ["virtio's bzImage"] = ("Linux 2.6.31 without a boot header that names it", () => TestKernel.BzImage(TestKernel.Gzip(TestKernel.Image("2.6.31", guest: true)))),
        ["an -mm kernel"] = ("patch between two releases", () => TestKernel.Good("2.6.22-rc6-mm1").Build()),
        ["2.6.23 without guest support"] = ("CONFIG_LGUEST_GUEST", () => TestKernel.Good("2.6.23", mark: false).Build()),
        ["6.1 without guest support"] = ("is Linux 6.1.0-13, which is too new", () => TestKernel.BzImage(TestKernel.Gzip(TestKernel.Image("6.1.0-13", mark: false)))),
        ["6.1 in xz, by its header"] = ("is Linux 6.1.0-56-amd64, which is too new", () => TestKernel.BzImage([0xFD, .. "7zXZ"u8, 0, .. Noise(3000)], "6.1.0-56-amd64")),
        ["6.1, unpacked: a 64-bit ELF file"] = ("is Linux 6.1.0-56-amd64, which is too new", () => Elf(kernel => kernel.Class = 2, release: "6.1.0-56-amd64")),
        ["6.1 for ARM"] = ("is Linux 6.1.0, which is too new", () => Elf(kernel => kernel.Machine = 40, release: "6.1.0")),
        ["6.1, packed: a 64-bit ELF file"] = ("is Linux 6.1.0, which is too new", () => TestKernel.BzImage(TestKernel.Gzip(Elf(kernel => kernel.Class = 2, release: "6.1.0")))),
        ["6.1, larger than the guest"] = ("is Linux 6.1.0, which is too new", () => TestKernel.BzImage(TestKernel.Gzip([.. TestKernel.Image("6.1.0"), .. new byte[RamBytes]]))),
        ["64-bit 2.6.23"] = ("64-bit ELF file", () => Elf(kernel => kernel.Class = 2)),
        ["2.4"] = ("is Linux 2.4.37, which is too old", () => TestKernel.Good("2.4.37", mark: false).Build()),
        ["2.6.22"] = ("is Linux 2.6.22.9, which is too old: lguest is in Linux since 2.6.23", () => TestKernel.Good("2.6.22.9", mark: false).Build()),
        ["4.14"] = ("is Linux 4.14.0, which is too new: lguest was removed from Linux in 4.14", () => TestKernel.Good("4.14.0", guest: true).Build()),
        ["64-bit 4.9, unpacked"] = ("is Linux 4.9.0-8-amd64, a 64-bit ELF file", () => Elf(kernel => kernel.Class = 2, release: "4.9.0-8-amd64")),
        ["2.6.20 without the patch"] = ("without the lguest patch of February 2007", () => TestKernel.Good("2.6.20", mark: false, word: false).Build()),
        ["some ELF file"] = ("no kernel for lguest", () => TestKernel.Good("", mark: false, word: false).Build()),
        ["xz"] = ("compressed with xz, as no kernel before 2.6.30 is", () => TestKernel.BzImage([0xFD, .. "7zXZ"u8, 0, .. Noise(3000)])),
        ["an xz file"] = ("compressed with xz; only gzip is understood", () => [0xFD, .. "7zXZ"u8, 0, .. Noise(3000)]),
        ["bzip2"] = ("compressed with bzip2", () => TestKernel.BzImage([.. "BZh9"u8, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, .. Noise(3000)])),
        ["lzma"] = ("compressed with lzma", () => TestKernel.BzImage([0x5D, 0, 0, 0x80, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, .. new byte[3000]])),
        ["zstd"] = ("compressed with zstd", () => TestKernel.BzImage([0x28, 0xB5, 0x2F, 0xFD, .. Noise(3000)])),
        ["lz4"] = ("compressed with lz4", () => TestKernel.BzImage([0x02, 0x21, 0x4C, 0x18, .. Noise(3000)])),
        ["lzo"] = ("compressed with lzo", () => TestKernel.BzImage([0x89, .. "LZO"u8, 0, 0x0D, 0x0A, 0x1A, 0x0A, .. new byte[3000]])),
        ["a bzImage of nothing"] = ("without a compressed kernel", () => TestKernel.BzImage([])),
        ["a bzImage cut in the middle"] = ("cut short: its compressed kernel", () => TestKernel.BzImage(GoodZip)[..(1024 + (GoodZip.Length / 2))]),
        ["a bzImage cut in the checksum"] = ("cut short: its compressed kernel", () => TestKernel.BzImage(GoodZip)[..(1024 + GoodZip.Length - 5)]),
        ["a bzImage cut in the gzip header"] = ("cut short", () => TestKernel.BzImage(GoodZip)[..(1024 + 5)]),
        ["a wrong checksum"] = ("damaged", () => Changed(GoodZip.Length - 8)),
        ["a wrong length"] = ("damaged", () => Changed(GoodZip.Length - 4)),
        ["a changed byte of data"] = ("damaged", () => Changed(GoodZip.Length / 2)),
        ["gzip of nothing much"] = ("page offset cannot be made out", () => TestKernel.BzImage(TestKernel.Gzip(new byte[5000]))),
        ["gzip of text"] = ("page offset cannot be made out", () => TestKernel.Gzip([.. "just a text"u8])),
        ["a gzip bomb"] = ("unpacks to more than", () => TestKernel.BzImage(TestKernel.Gzip(new byte[RamBytes]))),
        ["a packed 64-bit vmlinux"] = ("64-bit ELF", () => TestKernel.Gzip(Elf(kernel => kernel.Class = 2))),
        ["a packed short vmlinux"] = ("cut short", () => TestKernel.Gzip(GoodElf[..200])),
    };

    private static readonly Dictionary<string, (string Words, Action<TestKernel> Change)> Misplaced = new()
    {
        ["beyond the end of RAM"] = ("lowest memory bank ends at 0x01000000", kernel => Move(kernel.Segments[1], 0x4000000)),
        ["its zeros reach beyond the end of RAM"] = ("lowest memory bank ends at 0x01000000", kernel => kernel.Segments[1].MemorySize = 0x1000000),
        ["where the boot parameters live"] = ("boot parameters", kernel => Move(kernel.Segments[1], 0x800)),
        ["where the command line lives"] = ("boot parameters", kernel => Move(kernel.Segments[1], 0x1FFF)),
        ["where the page tables must go"] = ("no room for the kernel", kernel => Move(kernel.Segments[1], 0xFF9000)),
        ["at an address and not an offset"] = ("lowest memory bank ends at", kernel => kernel.Segments.ForEach(segment => segment.Physical = segment.Virtual)),
        ["at a page offset that no table can hold"] = ("not a multiple of 4 MiB", kernel => kernel.Segments.ForEach(segment => segment.Virtual = segment.Physical + 0xC0001000)),
    };

    private readonly TemporaryDirectory _directory = new();

    /// <summary>Names for the theory.</summary>
    public static TheoryData<string> ImageNames => new(Images.Keys);

    /// <summary>Names for the other theory.</summary>
    public static TheoryData<string> MisplacedNames => new(Misplaced.Keys);

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>Every broken image is refused with its own words.</summary>
    [Theory]
    [MemberData(nameof(ImageNames))]
    public void ABrokenImageIsRefusedWithASentence(string name)
    {
        (string words, Func<byte[]> file) = Images[name];
        ExpectRefusal(_directory.File("kernel", file()), words);
    }

    /// <summary>Images that are whole, and fit nowhere.</summary>
    [Theory]
    [MemberData(nameof(MisplacedNames))]
    public void AMisplacedKernelIsRefusedWithNumbers(string name)
    {
        (string words, Action<TestKernel> change) = Misplaced[name];
        TestKernel kernel = TestKernel.Good();
        change(kernel);
        KernelImage image = KernelLoader.Load(_directory.File("kernel", kernel.Build()), RamBytes);
        LaunchException error = Assert.Throws<LaunchException>(() => GuestLayout.Plan(MemoryBanks.Parse("16m"), image, 0, 0));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    /// <summary>Cut at every byte, a kernel is refused, and never with anything but a sentence.</summary>
    [Fact]
    public void AKernelCutAnywhereIsRefused()
    {
        byte[] elf = GoodElf[..^1];
        for (int length = 0; length < elf.Length; length += length < 200 ? 1 : 37)
            ExpectRefusal(_directory.File("kernel", elf[..length]), "kernel '");
        byte[] packed = TestKernel.BzImage(GoodZip)[..(1024 + GoodZip.Length)];
        for (int length = 0; length < packed.Length; length += length < 1024 ? 101 : 1)
            ExpectRefusal(_directory.File("kernel", packed[..length]), "kernel '");
    }

    /// <summary>Noise in an ELF header: a kernel, or a sentence; never an exception of another kind. 2000 cases.</summary>
    [Fact]
    public void ChangedHeadersNeverCrashTheLoader()
    {
        Random random = new(23);
        for (int i = 0; i < 2000; i++)
        {
            byte[] file = (byte[])GoodElf.Clone();
            for (int change = random.Next(1, 6); change > 0; change--)
                file[random.Next(4, 148)] = (byte)(random.Next(3) == 0 ? 0xFF : random.Next(256));
            string path = _directory.File("kernel", file);
            try
            {
                KernelImage image = KernelLoader.Load(path, RamBytes);
                GuestLayout.Plan(MemoryBanks.Parse("16m"), image, 0, 0);
            }
            catch (LaunchException error)
            {
                Assert.Contains("kernel", error.Message, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>A file that is not there.</summary>
    [Fact]
    public void AMissingFileIsRefused() => ExpectRefusal(Path.Combine(_directory.Path, "none"), "does not exist");

    /// <summary>A path through a file.</summary>
    [Fact]
    public void APathThroughAFileIsRefused() =>
        ExpectRefusal(Path.Combine(_directory.File("file", [1]), "kernel"), "not a directory");

    /// <summary>A directory.</summary>
    [Fact]
    public void ADirectoryIsRefused() => ExpectRefusal(_directory.Path, "is a directory");

    /// <summary>Devices are not read, and pipes do not hang us.</summary>
    [Fact]
    public void DevicesAndPipesAreRefused()
    {
        ExpectRefusal("/dev/zero", "not a regular file");
        string fifo = Path.Combine(_directory.Path, "fifo");
        Assert.Equal(0, Syscall.mkfifo(fifo, FilePermissions.DEFFILEMODE));
        ExpectRefusal(fifo, "not a regular file");
    }

    /// <summary>A file that may not be read.</summary>
    [FactNeeding(Need.OrdinaryUser)]
    public void AnUnreadableFileIsRefused()
    {
        string path = _directory.File("kernel", GoodElf);
        File.SetUnixFileMode(path, UnixFileMode.None);
        ExpectRefusal(path, "permission denied");
    }

    /// <summary>Two sentences for two images would be the same only by mistake.</summary>
    [Fact]
    public void EnoughImagesAndEnoughSentences()
    {
        HashSet<string> sentences = [];
        foreach ((_, Func<byte[]> file) in Images.Values)
            sentences.Add(Assert.Throws<LaunchException>(() => KernelLoader.Load(_directory.File("kernel", file()), RamBytes)).Message);
        Assert.True(Images.Count >= 40);
        Assert.True(sentences.Count >= 40, $"{sentences.Count} sentences");
    }

    private static void ExpectRefusal(string path, string words)
    {
        LaunchException error = Assert.Throws<LaunchException>(() => KernelLoader.Load(path, RamBytes));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.StartsWith($"kernel '{path}'", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    private static byte[] Elf(Action<TestKernel> change, bool mark = true, string? release = null)
    {
        TestKernel kernel = TestKernel.Good(release ?? (mark ? "2.6.23" : string.Empty), mark);
        change(kernel);
        return kernel.Build();
    }

    private static byte[] NothingBehindTheMark()
    {
        TestKernel kernel = new();
        kernel.Segments.Add(new TestSegment { Physical = 0x100000, Virtual = 0xC0100000, Data = [.. "GenuineLguest"u8] });
        return kernel.Build();
    }

    private static byte[] Changed(int at)
    {
        byte[] zip = (byte[])GoodZip.Clone();
        zip[at] ^= 0x55;
        return TestKernel.BzImage(zip);
    }

    private static void Move(TestSegment segment, uint physical)
    {
        segment.Physical = physical;
        segment.Virtual = physical + TestKernel.PageOffset;
    }

    private static byte[] Noise(int length)
    {
        byte[] noise = new byte[length];
        new Random(42).NextBytes(noise);
        return noise;
    }
}
