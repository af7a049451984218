// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.Launcher.Kernel;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Launcher;

/// <summary>Good kernels in each of their wrappings.</summary>
public sealed class KernelLoaderTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>An ELF kernel: segments by address, note ignored, entry behind the mark.</summary>
    [Fact]
    public void AnElfKernelIsUnderstood()
    {
        KernelImage kernel = Load(TestKernel.Good().Build());
        Assert.Equal("ELF", kernel.Format);
        Assert.Same(Generation.Linux2623, kernel.Generation);
        Assert.Equal("2.6.23", kernel.Release);
        Assert.Equal(TestKernel.PageOffset, kernel.PageOffset);
        Assert.Equal(0xC0100000u + TestKernel.MarkAt + 13, kernel.Entry);
        Assert.Equal(TestKernel.Physical, kernel.Start);
        Assert.Equal(0x113000ul, kernel.End);
        Assert.Equal(2, kernel.Segments.Count);
    }

    /// <summary>Segments may stand in any order in the file.</summary>
    [Fact]
    public void SegmentsAreSorted()
    {
        TestKernel kernel = TestKernel.Good();
        kernel.Segments.Reverse();
        Assert.Equal(TestKernel.Physical, Load(kernel.Build()).Segments[0].Address);
    }

    /// <summary>A copy in memory, zeros where the file has nothing, whatever was there before.</summary>
    [Fact]
    public void TheCopyInMemoryEndsInZeros()
    {
        using GuestMemory memory = Engine.Memory.MappedGuestMemory.Create([new MemoryRange(0, 2 << 20)]);
        memory.Write(0, 2 << 20).Fill(0xEE);
        Load(TestKernel.Good().Build()).CopyTo(memory);
        Assert.Equal(TestKernel.Image(), memory.Read(TestKernel.Physical, 4096).ToArray());
        Assert.Equal(0x04030201u, memory.ReadUInt32(0x110000));
        Assert.Equal(-1, memory.Read(0x110004, 0x3000 - 4).IndexOfAnyExcept((byte)0));
        Assert.Equal(0xEEEEEEEEu, memory.ReadUInt32(0x113000));
    }

    /// <summary>Without mark and with an old or no banner: the seed's generation, entered at e_entry.</summary>
    [Theory]
    [InlineData("2.6.20-rc6", "2.6.20-rc6")]
    [InlineData("", null)]
    public void AnElfKernelWithoutMarkIsTheSeeds(string release, string? found)
    {
        TestKernel kernel = TestKernel.Good(release, mark: false);
        kernel.Entry = 0x100040;
        KernelImage image = Load(kernel.Build());
        Assert.Same(Generation.Seed200702, image.Generation);
        Assert.Equal(found, image.Release);
        Assert.Equal(0xC0100040u, image.Entry);
    }

    /// <summary>A marked kernel without a banner (one of our own) and one with a distributor's suffix.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("2.6.23.17-fc8.i686")]
    [InlineData("2.6.23-rc1")]
    public void TheMarkMeansLinux2623(string release) =>
        Assert.Same(Generation.Linux2623, Load(TestKernel.Good(release).Build()).Generation);

    /// <summary>A bzImage, at each page offset that anybody configured.</summary>
    [Theory]
    [InlineData(0xC0)]
    [InlineData(0x80)]
    [InlineData(0x40)]
    [InlineData(0xB0)]
    public void ABzImageIsUnderstood(byte high)
    {
        KernelImage kernel = Load(TestKernel.BzImage(TestKernel.Gzip(TestKernel.Image(pageOffset: high))));
        Assert.Equal("bzImage", kernel.Format);
        Assert.Equal((uint)high << 24, kernel.PageOffset);
        Assert.Equal(((uint)high << 24) + 0x100000 + TestKernel.MarkAt + 13, kernel.Entry);
        Assert.Equal(TestKernel.Image(pageOffset: high), Assert.Single(kernel.Segments).Data);
    }

    /// <summary>A bzImage whose header says its release, as real ones do.</summary>
    [Fact]
    public void ABzImageThatNamesItsReleaseIsUnderstood() =>
        Assert.Equal("2.6.23", Load(TestKernel.BzImage(TestKernel.Gzip(TestKernel.Image()), "2.6.23")).Release);

    /// <summary>A bzImage without mark is entered at its start, as the seed's launcher did.</summary>
    [Fact]
    public void ABzImageWithoutMarkIsTheSeeds()
    {
        KernelImage kernel = Load(TestKernel.BzImage(TestKernel.Gzip(TestKernel.Image("2.6.20", mark: false))));
        Assert.Same(Generation.Seed200702, kernel.Generation);
        Assert.Equal(0xC0100000u, kernel.Entry);
    }

    /// <summary>Gzip marks that begin nothing, in front of the one that does: at all of them the search goes on.</summary>
    [Fact]
    public void FalseGzipMarksAreSkipped()
    {
        byte[] falseMark = [0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0, 0, 3, 0xFF, 0xFF, 0xFF];
        byte[] otherSystem = [0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0, 0, 11, 1, 2];
        byte[] reserved = [0x1F, 0x8B, 0x08, 0xE0, 0, 0, 0, 0, 0, 3, 1, 2];
        byte[] notAKernel = TestKernel.Gzip(new byte[10000]);
        byte[] badChecksum = TestKernel.Gzip(TestKernel.Image());
        badChecksum[^5] ^= 1;
        byte[] endless = [0x1F, 0x8B, 0x1F, 0x8B, 0x08, 8, 0, 0, 0, 0, 0, 3, .. "name without end"u8];
        byte[] whole = TestKernel.BzImage([.. falseMark, .. otherSystem, .. reserved, .. notAKernel, .. badChecksum, .. endless, .. TestKernel.Gzip(TestKernel.Image())]);
        Assert.Equal(TestKernel.Image(), Load(whole).Segments[0].Data);
    }

    /// <summary>All the optional fields of a gzip header.</summary>
    [Fact]
    public void OptionalGzipFieldsAreSkipped()
    {
        byte[] plain = TestKernel.Gzip(TestKernel.Image());
        byte[] decorated = [.. plain[..3], 2 | 4 | 8 | 16, .. plain[4..10], 3, 0, 7, 7, 7, .. "vmlinux.bin\0"u8, .. "a comment\0"u8, 0xAA, 0xBB, .. plain[10..]];
        Assert.Equal(TestKernel.Image(), Load(TestKernel.BzImage(decorated)).Segments[0].Data);
    }

    /// <summary>A vmlinux that somebody packed.</summary>
    [Fact]
    public void APackedVmlinuxIsUnderstood()
    {
        KernelImage kernel = Load(TestKernel.Gzip(TestKernel.Good().Build()));
        Assert.Equal("ELF, packed with gzip", kernel.Format);
        Assert.Equal(0x113000ul, kernel.End);
    }

    /// <summary>The tally believes a byte at its fourth sight, and needs all five bytes of the instruction.</summary>
    [Fact]
    public void ThePageOffsetIsBelievedAtTheFourthSight()
    {
        byte[] code = [0xA1, 0, 0, 0, 0xC0, 0xA1, 0, 0, 0, 0xC0, 0xA1, 0, 0, 0, 0xC0, 0xA1, 0, 0, 0, 0xC0];
        Assert.True(KernelLoader.TryFindPageOffset(code, out uint offset));
        Assert.Equal(0xC0000000u, offset);
        Assert.False(KernelLoader.TryFindPageOffset(code.AsSpan(0, code.Length - 1), out _));
        Assert.False(KernelLoader.TryFindPageOffset([], out _));
    }

    private KernelImage Load(byte[] file) => KernelLoader.Load(_directory.File("kernel", file), 64 << 20);
}
