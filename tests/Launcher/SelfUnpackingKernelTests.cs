// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;
using Lguest.Tests.Support;

namespace Lguest.Tests.Launcher;

/// <summary>Kernels of the virtio generations: a bzImage that unpacks itself, and a vmlinux; which are taken, and what the others are told.</summary>
public sealed class SelfUnpackingKernelTests : IDisposable
{
    private const string Remedy = "only Linux 2.6.23 to 4.13 built with CONFIG_LGUEST_GUEST=y runs here";
    private readonly TemporaryDirectory _directory = new();

    /// <summary>Compressions, by the bytes that their results begin with.</summary>
    public static TheoryData<string, byte[]> Packings => new()
    {
        { "xz", [0xFD, .. "7zXZ"u8, 0] },
        { "bzip2", [.. "BZh9"u8, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59] },
        { "lzma", [0x5D, 0, 0, 0x80, 0] },
        { "zstd", [0x28, 0xB5, 0x2F, 0xFD] },
        { "lz4", [0x02, 0x21, 0x4C, 0x18] },
        { "lzo", [0x89, .. "LZO"u8, 0, 0x0D, 0x0A, 0x1A, 0x0A] },
        { "unknown compression", [1, 2, 3] },
    };

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>The protected-mode code as it is, at 1 MiB, entered at its physical address.</summary>
    [Fact]
    public void ABzImageIsPutToOneMebibyteAsItIs()
    {
        byte[] file = new TestBootImage { Entry = 0x100010 }.Build();
        KernelImage kernel = Load(file);
        KernelSegment segment = Assert.Single(kernel.Segments);
        Assert.Equal(0x100000u, segment.Address);
        Assert.Equal(file[TestBootImage.CodeAt..], segment.Data);
        Assert.Equal("bzImage, gzip", kernel.Format);
        Assert.Equal(("4.1", "4.9.154", 0x100010u, 0xC0000000u), (kernel.Series.Name, kernel.Release, kernel.Entry, kernel.PageOffset));
        Assert.Equal((2047, 0x1471000ul), (kernel.CommandLineBytes, kernel.NeedsUpTo));
    }

    /// <summary>What cannot be looked into is loaded all the same.</summary>
    [Theory]
    [MemberData(nameof(Packings))]
    public void AnyCompressionIsTaken(string name, byte[] mark)
    {
        KernelImage kernel = Load(new TestBootImage { Payload = [.. mark, .. new byte[5000]] }.Build());
        Assert.Equal($"bzImage, {name}", kernel.Format);
        Assert.Equal(0u, kernel.PageOffset);
    }

    /// <summary>Protocol 2.07, of 2.6.24, does not say where the compressed kernel is; that it is gzip is all there is to know.</summary>
    [Fact]
    public void AnOldHeaderIsLookedInto()
    {
        byte[] image = TestKernel.Image("2.6.24", mark: false, pageOffset: 0x80, guest: true);
        KernelImage kernel = Load(new TestBootImage { Release = "2.6.24", Version = 0x207, Payload = TestKernel.Gzip(image) }.Build());
        Assert.Equal(("2.6.24", 0x80000000u), (kernel.Series.Name, kernel.PageOffset));
        image = TestKernel.Image("2.6.24", mark: false);
        Assert.Contains("built without lguest guest support", Refusal(new TestBootImage { Release = "2.6.24", Version = 0x207, Payload = TestKernel.Gzip(image) }), StringComparison.Ordinal);
    }

    /// <summary>A vmlinux is entered at its physical entry, whatever mark is in it.</summary>
    [Fact]
    public void AVmlinuxIsEnteredAtItsPhysicalAddress()
    {
        TestKernel elf = TestKernel.Good("3.14.4", mark: true, guest: true);
        elf.Entry = 0x100040;
        KernelImage kernel = Load(elf.Build());
        Assert.Equal(("ELF", "3.1", 0x100040u), (kernel.Format, kernel.Series.Name, kernel.Entry));
        Assert.Equal(0x100040u, Load(TestKernel.Gzip(elf.Build())).Entry);
    }

    /// <summary>The word is found wherever it is: at the end of a piece and the beginning of the next, too.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(65536 - 140 - 84 - 3)]
    [InlineData(300000)]
    public void TheGuestsWordIsFoundAnywhere(int padding) =>
        Load(new TestBootImage { Payload = TestKernel.Gzip(TestBootImage.Unpacked(padding: padding)) }.Build());

    /// <summary>How far a kernel without HIGHMEM reaches, its page offset decides; one with HIGHMEM has no end.</summary>
    [Theory]
    [InlineData(0xC0000000u, 0x37B00000ul)]
    [InlineData(0x80000000u, 0x77B00000ul)]
    public void AKernelWithoutHighmemReachesOnlySoFar(uint pageOffset, ulong reach)
    {
        TestBootImage image = new() { Payload = TestKernel.Gzip(TestBootImage.Unpacked(noHighmem: true, pageOffset: pageOffset)) };
        Assert.Equal(reach, KernelLoader.Load(_directory.File("kernel", image.Build()), 1 << 30).ReachesUpTo);
        image = new() { Payload = TestKernel.Gzip(TestBootImage.Unpacked(pageOffset: pageOffset)) };
        Assert.Equal(Page.AddressSpace, KernelLoader.Load(_directory.File("kernel", image.Build()), 1 << 30).ReachesUpTo);
    }

    /// <summary>Kernels that cannot be guests, or whose header cannot be true.</summary>
    [Fact]
    public void WhatCannotRunIsToldInOneSentence()
    {
        Expect("is Linux 4.9.154, built without lguest guest support (CONFIG_LGUEST_GUEST); " + Remedy, image => image.Payload = TestKernel.Gzip(TestBootImage.Unpacked(guest: false)));
        Expect("is Linux 4.14.0, which is too new: lguest was removed from Linux in 4.14; " + Remedy, image => image.Release = "4.14.0");
        Expect("is Linux 6.1.0-10-amd64, which is too new", image => (image.Release, image.ExtendedFlags) = ("6.1.0-10-amd64", 1));
        Expect("is Linux 2.6.19, which is too old", image => image.Release = "2.6.19");
        Expect("is Linux 4.9.154, a 64-bit kernel; guests are 32-bit kernels", image => image.ExtendedFlags = 1);
        Expect("is Linux 2.6.32-5-amd64, a 64-bit kernel", image => (image.Release, image.Version) = ("2.6.32-5-amd64", 0x20A));
        Expect("is Linux 4.9.154, a 64-bit kernel", image => image.Payload = TestKernel.Gzip(TestBootImage.Unpacked(bits: 2)));
        Expect("has a boot header of version 2.06", image => image.Version = 0x206);
        Expect("is a zImage", image => image.LoadFlags = 0x80);
        Expect("is cut short: the file has", image => image.SizeError = 32);
        Expect("wants to be entered at physical address 0x000fffff", image => image.Entry = 0xFFFFF);
        Expect("wants to be entered at physical address 0x00200000", image => image.Entry = 0x200000);
        Expect("asks for an alignment of 0x300000, which is not a power of two", image => (image.Alignment, image.Relocatable) = (0x300000, true));
        Expect("asks for memory beyond 4 GiB", image => image.PreferredAddress = 0xFFFF0000);
        Expect("more than the lowest memory bank has above 1 MiB; give the guest at least 66m", image => image.Payload = [0xFD, .. "7zXZ"u8, 0, .. new byte[64 << 20]]);
        byte[] damaged = TestKernel.Gzip(TestBootImage.Unpacked(guest: false));
        damaged[^7] ^= 1;
        Expect("holds a compressed kernel that is damaged", image => image.Payload = damaged);
    }

    /// <summary>Up to fifteen bytes fewer than the header's sixteens are no cut: old kernels are not filled up.</summary>
    [Fact]
    public void ASizeIsRoundedUp()
    {
        byte[] file = new TestBootImage().Build();
        int end = TestBootImage.CodeAt + (int)(BitConverter.ToUInt32(file, (int)SetupHeader.SystemSize) * 16);
        Load(file[..(end - 15)]);
        Assert.Contains("cut short", Assert.Throws<LaunchException>(() => Load(file[..(end - 16)])).Message, StringComparison.Ordinal);
    }

    /// <summary>Cut anywhere, and with any one byte of its header changed: a kernel, or a sentence.</summary>
    [Fact]
    public void NothingInAHeaderCrashesTheLoader()
    {
        byte[] good = new TestBootImage { Relocatable = true }.Build();
        for (int length = 1; length < good.Length; length += length < 0x300 ? 7 : 61)
            Assert.DoesNotContain('\n', Assert.Throws<LaunchException>(() => Load(good[..length])).Message);
        for (int at = 0x1F1; at < 0x26C; at++)
        {
            foreach (byte value in (ReadOnlySpan<byte>)[0, 0x7F, 0xFF])
            {
                byte[] file = (byte[])good.Clone();
                file[at] = value;
                try
                {
                    Load(file);
                }
                catch (LaunchException refusal)
                {
                    Assert.DoesNotContain('\n', refusal.Message);
                }
            }
        }
    }

    private KernelImage Load(byte[] file) => KernelLoader.Load(_directory.File("kernel", file), 64 << 20);

    private string Refusal(TestBootImage image) => Assert.Throws<LaunchException>(() => Load(image.Build())).Message;

    private void Expect(string words, Action<TestBootImage> change)
    {
        TestBootImage image = new();
        change(image);
        string sentence = Refusal(image);
        Assert.Contains(words, sentence, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', sentence);
    }
}
