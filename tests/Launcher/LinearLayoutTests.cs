// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Memory;
using Lguest.Tests.Support;

namespace Lguest.Tests.Launcher;

/// <summary>Memory of guests that start in linear mode: no page tables, the kernel's header in the zero page, the initrd where it is found.</summary>
public sealed class LinearLayoutTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private GuestMemory? _memory;

    /// <inheritdoc/>
    public void Dispose()
    {
        _memory?.Dispose();
        _directory.Dispose();
    }

    /// <summary>The lguest bus has its page above RAM; PCI has none.</summary>
    [Theory]
    [InlineData("2.6.24", new[] { "0x00000000-0x03ffffff", "0x04000000-0x04002fff" })]
    [InlineData("4.9.154", new[] { "0x00000000-0x03ffffff" })]
    public void ThereAreNoTables(string release, string[] ranges)
    {
        GuestLayout layout = Plan("64m", new TestBootImage { Release = release }, initrd: 5000, devicePages: 2);
        Assert.Equal((false, 0, 0ul, 0ul), (layout.HasTables, layout.TableCount, layout.PageDirectory, layout.LinearTables));
        Assert.Equal((0x4000000ul - 8192, 8192u), (layout.InitrdAddress, layout.InitrdLength));
        Assert.Equal(ranges, layout.Ranges.Select(range => range.ToString()));
        string drawing = MemoryMapDrawing.Draw(layout, []);
        Assert.DoesNotContain("page director", drawing, StringComparison.Ordinal);
        Assert.Contains($"(bzImage, gzip, {release}, interface {layout.Kernel.Series})", drawing, StringComparison.Ordinal);
        Assert.DoesNotContain(MemoryParts.Of(layout), part => part.Name.Contains("table", StringComparison.Ordinal));
        Assert.Equal(ranges.Length > 1, MemoryParts.Of(layout).Any(part => part.Name == "devices"));
    }

    /// <summary>An initrd is below 768 MiB, below what the header allows, and at a page.</summary>
    [Theory]
    [InlineData("512m", 0x7FFFFFFFu, 0x20000000u)]
    [InlineData("1g", 0x7FFFFFFFu, 0x30000000u)]
    [InlineData("1g", 0x1FFFFFFFu, 0x20000000u)]
    [InlineData("1g", 0x10000123u, 0x10000000u)]
    public void AnInitrdIsWhereItIsFound(string memory, uint highest, uint end)
    {
        GuestLayout layout = Plan(memory, new TestBootImage { InitrdAddressMax = highest }, initrd: 4097);
        Assert.Equal(end - 8192ul, layout.InitrdAddress);
        Write(layout);
        Assert.Equal((end - 8192u, 8192u), (_memory!.ReadUInt32(0x218), _memory.ReadUInt32(0x21c)));
    }

    /// <summary>Kernels up to 3.0 get page tables later: below the initrd and 768 MiB, and there is room for them.</summary>
    [Theory]
    [InlineData("2.6.32.28", "64m", 5000, 0x4000000u - 8192)]
    [InlineData("2.6.24", "64m", 0, 0x4000000u)]
    [InlineData("2.6.32.28", "1g", 0, 0x30000000u)]
    public void ThereIsRoomForTablesThatAreMadeLater(string release, string memory, long initrd, uint end)
    {
        GuestLayout layout = Plan(memory, new TestBootImage { Release = release }, initrd);
        Assert.Equal(end, layout.TablesEnd);
        Write(layout);
        Assert.Equal(-1, _memory!.Read(end - (uint)WholeMemoryTables.BytesFor(layout.Top), (uint)WholeMemoryTables.BytesFor(layout.Top)).IndexOfAnyExcept((byte)0));
        string sentence = Assert.Throws<LaunchException>(() => Plan("21m", new TestBootImage { Release = release }, 650_000)).Message;
        Assert.Contains("no room for the kernel (up to 0x01471000), its page tables (52 KiB) and the initrd (636 KiB); give it at least 22m", sentence, StringComparison.Ordinal);
        Plan("22m", new TestBootImage { Release = release }, 650_000);
        Plan("21m", new TestBootImage { Release = "3.14.4" }, 570_000);
        Assert.Throws<LaunchException>(() => Plan("21m", new TestBootImage { Release = release }, 570_000));
    }

    /// <summary>The header is copied as far as it goes, and what a loader has to say stands in it.</summary>
    [Fact]
    public void TheZeroPageHasTheKernelsHeader()
    {
        TestBootImage image = new() { Relocatable = true, HeaderLength = 0xFF };
        byte[] file = image.Build();
        GuestLayout layout = Plan("64m", image);
        Write(layout, "root=/dev/vda  quiet");
        byte[] page = _memory!.Read(0, 4096).ToArray();
        byte[] expected = new byte[4096];
        file.AsSpan(0x1F1, 0x268 - 0x1F1).CopyTo(expected.AsSpan(0x1F1));
        expected[0x1e8] = 1;
        expected[0x210] = 0xFF;
        expected[0x211] = 0x41;
        expected.AsSpan(0x218, 8).Clear();
        BitConverter.TryWriteBytes(expected.AsSpan(0x228), 0x1000);
        BitConverter.TryWriteBytes(expected.AsSpan(0x23c), 1);
        BitConverter.TryWriteBytes(expected.AsSpan(0x2d0 + 8), 64L << 20);
        expected[0x2d0 + 16] = 1;
        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(page));
        Assert.Equal("root=/dev/vda  quiet\0"u8.ToArray(), _memory.Read(0x1000, 21).ToArray());
    }

    /// <summary>A header that claims to go on is not followed over the memory map.</summary>
    [Fact]
    public void AHeaderEndsWhereItsVersionDoes()
    {
        Write(Plan("64m", new TestBootImage { Version = 0x207, Release = "2.6.24", HeaderLength = 0xFF, Payload = TestKernel.Gzip(TestKernel.Image("2.6.24", guest: true)) }));
        Assert.Equal(0x207, _memory!.ReadValue<ushort>(0x206));
        Assert.Equal(-1, _memory.Read(0x248, 0x2d0 - 0x248).IndexOfAnyExcept((byte)0));
        Assert.Equal(0, _memory.Read(0x1EF, 1)[0]);
    }

    /// <summary>A vmlinux has no header, and gets the genuine launcher's fields.</summary>
    [Fact]
    public void AVmlinuxGetsWhatTheGenuineLauncherWrote()
    {
        GuestLayout layout = GuestLayout.Plan(MemoryBanks.Parse("64m"), Vmlinux("3.14.4"), 0, 0);
        Write(layout);
        Assert.Equal(0x207, _memory!.ReadValue<ushort>(0x206));
        Assert.Equal((0xFF, 0x40), (_memory.Read(0x210, 1)[0], _memory.Read(0x211, 1)[0]));
        Assert.Equal((0x1000000u, 1u, 0x1000u), (_memory.ReadUInt32(0x230), _memory.ReadUInt32(0x23c), _memory.ReadUInt32(0x228)));
        Assert.Equal((0u, 0u), (_memory.ReadUInt32(0x214), _memory.ReadUInt32(0x218)));
    }

    /// <summary>What does not fit is told with numbers, and what would do does.</summary>
    [Theory]
    [InlineData("20m", 0L, "unpacks itself to where it needs memory up to 0x01471000, and the lowest memory bank ends at 0x01400000; give it at least 21m")]
    [InlineData("21m", 1000000L, "no room for the kernel (up to 0x01471000) and the initrd (980 KiB); give it at least 22m")]
    [InlineData("1g", 800L << 20, "below 0x30000000, where the initrd has to end")]
    [InlineData("4095m", 0L, "leaves no room below 4 GiB for the devices, which come above it; it may end at 0xffe00000 at most")]
    public void WhatDoesNotFitIsToldWithNumbers(string memory, long initrd, string words)
    {
        string sentence = Assert.Throws<LaunchException>(() => Plan(memory, new TestBootImage(), initrd)).Message;
        Assert.Contains(words, sentence, StringComparison.Ordinal);
        int at = words.IndexOf("at least ", StringComparison.Ordinal);
        if (at >= 0)
            Plan(words[(at + "at least ".Length)..], new TestBootImage(), initrd);
    }

    /// <summary>A kernel that says what it accepts; one that does not; and one that says more than there is a page for.</summary>
    [Theory]
    [InlineData(2047u, 2047)]
    [InlineData(255u, 255)]
    [InlineData(0xFFFFFFFFu, 4095)]
    public void ACommandLineIsAsLongAsTheKernelSays(uint says, int bytes)
    {
        KernelImage kernel = Load(new TestBootImage { CommandLineSize = says }, 64 << 20);
        Assert.Equal(bytes, kernel.CommandLineBytes);
        GuestLayout layout = GuestLayout.Plan(MemoryBanks.Parse("64m"), kernel, 0, 0);
        Write(layout, new string('x', bytes));
        Assert.Equal(0, _memory!.Read(0x1000 + (uint)bytes, 1)[0]);
        Assert.Equal(2047, Vmlinux("4.9.0").CommandLineBytes);
    }

    /// <summary>Without HIGHMEM a guest on the lguest bus would have no console; one on PCI has, and its user is told of the memory.</summary>
    [Fact]
    public void WithoutHighmemTooMuchMemoryIsSaid()
    {
        byte[] payload = TestKernel.Gzip(TestBootImage.Unpacked(noHighmem: true));
        TestBootImage bus = new() { Release = "3.14.4", Payload = payload };
        string sentence = Assert.Throws<LaunchException>(() => Plan("1g", bus)).Message;
        Assert.Contains("built without HIGHMEM: it would use 891 MiB of its memory", sentence, StringComparison.Ordinal);
        Assert.Contains("give it 891m", sentence, StringComparison.Ordinal);
        Assert.Empty(MemoryNotes.Of(Plan("891m", bus), string.Empty));
        TestBootImage pci = new() { Payload = payload };
        Assert.Contains("uses some 891 MiB of its memory only", Assert.Single(MemoryNotes.Of(Plan("1g", pci), string.Empty)), StringComparison.Ordinal);
    }

    /// <summary>Several banks: where devices are found after the first there can be only one; else the user is told the words for the others.</summary>
    [Fact]
    public void BanksAreForGuestsThatCanUseThem()
    {
        Assert.Contains("speaks the interface of 3.1, whose guests know one bank", Assert.Throws<LaunchException>(() => Plan("64m@0,32m@128m", new TestBootImage { Release = "3.14.4" })).Message, StringComparison.Ordinal);
        GuestLayout layout = Plan("64m@0,32m@128m", new TestBootImage());
        Assert.EndsWith("unless its words name the others: memmap=32768K@131072K", Assert.Single(MemoryNotes.Of(layout, "quiet")), StringComparison.Ordinal);
        Assert.Empty(MemoryNotes.Of(layout, "quiet memmap=32768K@131072K"));
        Write(layout);
        Assert.Equal(2, _memory!.Read(0x1e8, 1)[0]);
        Assert.Equal(["0x00000000-0x03ffffff", "0x08000000-0x09ffffff"], layout.Ranges.Select(range => range.ToString()));
    }

    private KernelImage Load(TestBootImage image, ulong ram) => KernelLoader.Load(_directory.File("kernel", image.Build()), ram);

    private KernelImage Vmlinux(string release) => KernelLoader.Load(_directory.File("kernel", TestKernel.Good(release, mark: false, guest: true).Build()), 64 << 20);

    private GuestLayout Plan(string memory, TestBootImage image, long initrd = 0, int devicePages = 0)
    {
        MemoryBanks banks = MemoryBanks.Parse(memory);
        return GuestLayout.Plan(banks, Load(image, banks.Lowest.Length), initrd, devicePages);
    }

    private void Write(GuestLayout layout, string commandLine = "")
    {
        _memory = MappedGuestMemory.Create(layout.Ranges);
        layout.Kernel.CopyTo(_memory);
        BootInformation.Write(_memory, layout, BootInformation.EncodeCommandLine(commandLine, layout.Kernel.CommandLineBytes));
    }
}
