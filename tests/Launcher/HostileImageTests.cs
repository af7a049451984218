// SPDX-License-Identifier: GPL-2.0-or-later
using System.IO.Compression;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Launcher;

/// <summary>
/// Packed images that were damaged, or made to keep the launcher busy: each gets a sentence, at a bounded price of memory and of
/// unpacked bytes. (Bytes are counted, not seconds: a loaded machine is slow for other reasons.)
/// </summary>
public sealed class HostileImageTests : IDisposable
{
    private const int Mebibyte = 1 << 20;

    /// <summary>What loading may allocate besides as much as the guest has.</summary>
    private const long Besides = 64 * Mebibyte;

    private static readonly byte[] s_code = Code(200_000);
    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>Each bit of the beginning of a compressed kernel, where its code tables are, and some of the rest: a sentence.</summary>
    [Fact]
    public void ASingleBitFlipIsNeverAnInternalError()
    {
        byte[] zip = TestKernel.Gzip(s_code);
        Random random = new(7);
        List<int> bits = [.. Enumerable.Range(10 * 8, 100 * 8)];
        for (int i = 0; i < 200; i++)
            bits.Add(random.Next(zip.Length * 8));
        foreach (int bit in bits)
        {
            LaunchException? error = Refusal(TestKernel.BzImage(Flipped(zip, bit)), 64 * Mebibyte);

            // Some bits of the header mean nothing, such as those of the time.
            if (error == null)
                Assert.InRange(bit, 8, (10 * 8) - 1);
            else
                Assert.DoesNotContain('\n', error.Message);
        }
    }

    /// <summary>Whatever the unpacker makes of bytes that begin like a gzip stream by chance, the kernel after them is found.</summary>
    [Fact]
    public void DamageBeforeAKernelDoesNotHideIt()
    {
        byte[] zip = TestKernel.Gzip(s_code);
        using MemoryStream file = new();
        for (int bit = 10 * 8; bit < 80 * 8; bit++)
            file.Write(Flipped(zip, bit).AsSpan(0, 400));
        file.Write(zip);
        Assert.Equal(s_code, Load(TestKernel.BzImage(file.ToArray()), 64 * Mebibyte).Segments[0].Data);
    }

    /// <summary>Zeros without end: they are counted, not kept.</summary>
    [Theory]
    [InlineData(16u)]
    [InlineData(1024u)]
    [InlineData(3000u)]
    public void ABombCostsNoMemory(uint mebibytes)
    {
        byte[] bomb = Zeros(200);
        long before = GC.GetAllocatedBytesForCurrentThread();
        LaunchException error = Refusal(TestKernel.BzImage(bomb), (ulong)mebibytes * Mebibyte)!;
        Assert.Contains("unpacks to more than", error.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Besides);
    }

    /// <summary>After a bomb nobody looks any further: the next one would cost as much again.</summary>
    [Fact]
    public void NothingIsTriedAfterABomb()
    {
        byte[] bomb = Zeros(20);
        Assert.Contains("unpacks to more than", Refusal([.. bomb, .. TestKernel.Gzip(s_code)], 16 * Mebibyte)!.Message, StringComparison.Ordinal);
    }

    /// <summary>Many streams, none of them too long by itself: they share one budget.</summary>
    [Fact]
    public void ManyStreamsShareOneBudget()
    {
        byte[] stream = Zeros(15);
        byte[] file = new byte[stream.Length * 1500];
        for (int i = 0; i < 1500; i++)
            stream.CopyTo(file, i * stream.Length);
        string path = _directory.File("kernel", file);
        using KernelFile kernel = KernelFile.Open("kernel", path);
        long looked = 0;
        LaunchException error = Assert.Throws<LaunchException>(() => PackedKernel.Unpack(kernel, new FileScanner(kernel), 64 * Mebibyte, image =>
        {
            looked += image.Length;
            return false;
        }));
        Assert.Contains("one gzip stream after another", error.Message, StringComparison.Ordinal);
        Assert.InRange(looked, 64 * Mebibyte, 160 * Mebibyte);
    }

    /// <summary>Two hundred thousand bare headers: a try costs little, and only some are made.</summary>
    [Fact]
    public void ManyHeadersAreNotAllTried()
    {
        byte[] header = [0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0, 0, 3];
        byte[] file = new byte[200_000 * header.Length];
        for (int i = 0; i < 200_000; i++)
            header.CopyTo(file, i * header.Length);
        string path = _directory.File("kernel", file);
        long before = GC.GetAllocatedBytesForCurrentThread();
        LaunchException error = Assert.Throws<LaunchException>(() => KernelLoader.Load(path, 16 * Mebibyte));
        Assert.Contains("one gzip stream after another", error.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 * Mebibyte + Besides);
    }

    /// <summary>A header that promises a name, and a file without an end for it: the search for it is bounded, again for each header.</summary>
    [Fact]
    public void ANameWithoutEndEndsTheTry()
    {
        byte[] file = new byte[8 * Mebibyte];
        Array.Fill(file, (byte)'n');
        ((ReadOnlySpan<byte>)[0x1F, 0x8B, 0x08, 8, 0, 0, 0, 0, 0, 3]).CopyTo(file);
        TestKernel.Gzip(s_code).CopyTo(file, 4 * Mebibyte);
        Assert.Equal(s_code, Load(file, 64 * Mebibyte).Segments[0].Data);
    }

    /// <summary>A kernel that is longer than the buffer of the search is unpacked all the same, and a mark may lie across two pieces of the file.</summary>
    [Fact]
    public void ALongKernelIsWhole()
    {
        byte[] kernel = Code(GzipUnpacker.BufferLength + 12345);
        byte[] zip = TestKernel.Gzip(kernel);
        foreach (int at in (int[])[1024, Mebibyte - 2, Mebibyte - 1, Mebibyte - 5])
        {
            byte[] file = [.. new byte[at], .. zip, .. new byte[100]];
            Assert.Equal(kernel, Load(file, 64 * Mebibyte).Segments[0].Data);
        }
    }

    /// <summary>An ELF kernel that claims, truly, more bytes than an array can have: a sentence.</summary>
    [Fact]
    public void AnEnormousElfIsRefused()
    {
        TestKernel kernel = TestKernel.Good();
        (kernel.Segments[1].FileSize, kernel.Segments[1].MemorySize) = (0xA000_0000, 0xA000_0000);
        string path = _directory.File("kernel", kernel.Build());
        using (FileStream file = File.OpenWrite(path))
            file.SetLength(0xA100_0000);
        foreach (ulong ram in (ulong[])[64 * Mebibyte, 4000ul * Mebibyte])
        {
            LaunchException error = Assert.Throws<LaunchException>(() => KernelLoader.Load(path, ram));
            Assert.Contains("bytes of code and data", error.Message, StringComparison.Ordinal);
        }
    }

    private LaunchException? Refusal(byte[] file, ulong ram)
    {
        try
        {
            Load(file, ram);
            return null;
        }
        catch (LaunchException error)
        {
            return error;
        }
    }

    private KernelImage Load(byte[] file, ulong ram) => KernelLoader.Load(_directory.File("kernel", file), ram);

    /// <summary>Bytes with some order in them, so that their compressed form has code tables; a kernel in the beginning.</summary>
    private static byte[] Code(int length)
    {
        byte[] code = new byte[length];
        Random random = new(11);
        for (int i = 0; i < length; i++)
            code[i] = (byte)Math.Min(random.Next(256), random.Next(256));
        TestKernel.Image().CopyTo(code, 0);
        return code;
    }

    private static byte[] Flipped(byte[] bytes, int bit)
    {
        byte[] flipped = (byte[])bytes.Clone();
        flipped[bit / 8] ^= (byte)(1 << (bit % 8));
        return flipped;
    }

    private static byte[] Zeros(int mebibytes)
    {
        using MemoryStream file = new();
        using (GZipStream zip = new(file, CompressionLevel.Fastest, leaveOpen: true))
        {
            byte[] zeros = new byte[Mebibyte];
            for (int i = 0; i < mebibytes; i++)
                zip.Write(zeros);
        }

        byte[] bytes = file.ToArray();
        bytes[9] = 3;
        return bytes;
    }
}
