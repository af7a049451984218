// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.Launcher.Kernel;
using Lguest.Tests.Support;

namespace Lguest.Tests.Launcher;

/// <summary>The setup header of a bzImage: which fields a version of the boot protocol has, and what follows from them.</summary>
public sealed class BootHeaderTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>The release is readable whatever the rest is.</summary>
    [Theory]
    [InlineData("2.6.32-5-686")]
    [InlineData("4.13.4")]
    public void AHeaderNamesTheRelease(string release) => Assert.Equal(release, Read(new TestBootImage { Release = release }).Release?.Text);

    /// <summary>A header without a release, and one whose pointer leads out of the file.</summary>
    [Fact]
    public void AReleaseMayBeMissing()
    {
        Assert.Null(Read(new TestBootImage { Release = string.Empty }).Release);
        byte[] file = new TestBootImage().Build();
        file[SetupHeader.ReleasePointer] = file[SetupHeader.ReleasePointer + 1] = 0xFF;
        Assert.Null(Read(file).Release);
    }

    /// <summary>What a version does not have is not believed, though the bytes are there.</summary>
    [Theory]
    [InlineData(0x207, 0x248 - 0x1F1, false, false)]
    [InlineData(0x208, 0x250 - 0x1F1, true, false)]
    [InlineData(0x209, 0x258 - 0x1F1, true, false)]
    [InlineData(0x20A, 0x264 - 0x1F1, true, true)]
    [InlineData(0x20C, 0x268 - 0x1F1, true, true)]
    [InlineData(0x20D, 0x268 - 0x1F1, true, true)]
    [InlineData(0x20F, 0x26C - 0x1F1, true, true)]
    public void AVersionHasItsFields(int version, int copied, bool payload, bool size)
    {
        BootHeader header = Read(new TestBootImage { Version = (ushort)version, HeaderLength = 0xFF });
        Assert.Equal(copied, header.ForZeroPage.Length);
        Assert.Equal(payload, header.Payload != null);
        Assert.Equal(size, header.RunsUpTo != null);
    }

    /// <summary>The header's own length counts, too, and neither reaches beyond what the version has.</summary>
    [Theory]
    [InlineData(0x66, 0x268)]
    [InlineData(0x40, 0x242)]
    [InlineData(0, 0x202)]
    public void ACopyEndsWhereTheHeaderSays(byte length, int end) =>
        Assert.Equal(end - 0x1F1, Read(new TestBootImage { HeaderLength = length }).ForZeroPage.Length);

    /// <summary>A set-up code of no sectors has four.</summary>
    [Fact]
    public void NoSectorsAreFour()
    {
        byte[] file = new TestBootImage().Build();
        Assert.Equal(4 * 512, Read(file).CodeOffset);
        file[SetupHeader.SetupSectors] = 0;
        Assert.Equal(5 * 512, Read(file).CodeOffset);
    }

    /// <summary>Where it will need memory: as the boot protocol works it out for a kernel at 1 MiB.</summary>
    [Theory]
    [InlineData(false, 0x400000, 0x1000000, 0x471000, 0x1471000)]
    [InlineData(true, 0x400000, 0x1000000, 0x471000, 0x1471000)]
    [InlineData(true, 0x1000000, 0x100000, 0x471000, 0x1471000)]
    [InlineData(true, 0x200000, 0x100000, 0x1000, 0x201000)]
    [InlineData(false, 0x1000000, 0x100000, 0x471000, 0x571000)]
    public void MemoryIsNeededFromItsPlaceOn(bool relocatable, uint alignment, uint preferred, uint size, uint end) =>
        Assert.Equal(end, Read(new TestBootImage { Relocatable = relocatable, Alignment = alignment, PreferredAddress = preferred, InitSize = size }).RunsUpTo);

    /// <summary>Numbers that lie cannot overflow.</summary>
    [Theory]
    [InlineData(ulong.MaxValue, 0xFFFFFFFFu)]
    [InlineData(ulong.MaxValue - 5, 1u)]
    public void AnAddressThatLiesIsFarAway(ulong preferred, uint size) =>
        Assert.True(Read(new TestBootImage { PreferredAddress = preferred, InitSize = size }).RunsUpTo > Page.AddressSpace);

    /// <summary>A file that ends in its header has zeros for the rest.</summary>
    [Fact]
    public void AShortFileHasZeros()
    {
        byte[] file = new TestBootImage().Build();
        Assert.Equal(0u, Read(file[..0x210]).Entry);
        Assert.Null(BootHeader.Read(Scanner(file[..0x205])));
        Assert.Null(BootHeader.Read(Scanner(file[..0x100])));
    }

    private BootHeader Read(TestBootImage image) => Read(image.Build());

    private BootHeader Read(byte[] file) => Assert.IsType<BootHeader>(BootHeader.Read(Scanner(file)));

    private FileScanner Scanner(byte[] file) => new(KernelFile.Open("kernel", _directory.File("kernel", file)));
}
