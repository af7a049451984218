// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Memory;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Launcher;

/// <summary>Who lives where, what the page tables say, and what the guest is told at address 0.</summary>
public sealed class GuestLayoutTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private GuestMemory? _memory;

    /// <inheritdoc/>
    public void Dispose()
    {
        _memory?.Dispose();
        _directory.Dispose();
    }

    /// <summary>The addresses that the genuine launcher would have chosen for 64 MiB.</summary>
    [Fact]
    public void SixtyFourMegabytesAreLaidOutAsIn2007()
    {
        GuestLayout layout = Plan("64m", initrd: 5000, devicePages: 2);
        Assert.Equal(0x4000000ul - 8192, layout.InitrdAddress);
        Assert.Equal(8192u, layout.InitrdLength);
        Assert.Equal(0x4000000ul - 8192 - 4096, layout.PageDirectory);
        Assert.Equal(16, layout.TableCount);
        Assert.Equal(layout.PageDirectory - (16 * 4096), layout.LinearTables);
        Assert.Equal(0x4000000ul, layout.DescriptorPage);
        Assert.Equal(0x4003000ul, layout.Top);
        Assert.Equal(["0x00000000-0x03ffffff", "0x04000000-0x04002fff"], layout.Ranges.Select(range => range.ToString()));
    }

    /// <summary>Memory that is not a multiple of 4 MiB has a last table that is not full.</summary>
    [Fact]
    public void ALinearMapCoversRamAndNothingElse()
    {
        GuestLayout layout = Plan("9m");
        Assert.Equal(3, layout.TableCount);
        Write(layout);
        ExpectMap(layout, virtualBase: 0xC0000000, (0, 9 << 20));
    }

    /// <summary>With holes between banks, the holes are not present, and a table that would be all hole is not made.</summary>
    [Fact]
    public void HolesAreNotMapped()
    {
        GuestLayout layout = Plan("6m@0,1m@7m,2m@64m");
        Assert.Equal(3, layout.TableCount);
        Assert.Equal(0x600000ul, layout.PageDirectory + 4096);
        Assert.Equal(66ul << 20, layout.DescriptorPage);
        Write(layout);
        ExpectMap(layout, 0xC0000000, (0, 6 << 20), (7 << 20, 8 << 20), (64 << 20, 66 << 20));
    }

    /// <summary>Linux 2.6.23 knows the first bank only: above it, if there is a hole, the descriptors stand once more.</summary>
    [Theory]
    [InlineData("16m", null)]
    [InlineData("16m@0,4m@32m", 16u << 20)]
    [InlineData("16m@0,4m@16m", null)]
    public void ThereIsACopyOfTheDescriptorsInAHole(string memory, uint? copy)
    {
        GuestLayout layout = Plan(memory, devicePages: 1);
        Assert.Equal(copy, layout.DescriptorCopy);
        using GuestMemory guest = MappedGuestMemory.Create(layout.Ranges);
        DmaBus bus = new(guest, (uint)layout.DescriptorPage, null, layout.DescriptorCopy);
        bus.Add(new DmaConsole(new ConsoleModel(new ConsolePort(0, 1, TimeProvider.System)), 0));
        if (copy is uint page)
            Assert.Equal(guest.Read((uint)layout.DescriptorPage, Page.Size), guest.Read(page, Page.Size));
        Assert.Equal(DeviceType.Console, guest.ReadValue<DeviceDescriptor>((uint)layout.DescriptorPage).Type);
    }

    /// <summary>At page offset 3 GiB there is room for 1 GiB: the rest of RAM is not in the map, but is RAM.</summary>
    [Fact]
    public void TheLinearMapEndsWithTheAddressSpace()
    {
        GuestLayout layout = Plan("16m@0,1g@0x3ff00000");
        Write(layout);
        ExpectMap(layout, 0xC0000000, (0, 16 << 20), (0x3ff00000, 0x40000000));
        Assert.Equal(0x7ff00000ul, layout.DescriptorPage);
    }

    /// <summary>What does not fit is told with numbers, and with what would do; and that is true.</summary>
    [Theory]
    [InlineData("1m", 0L, 0, "lowest memory bank ends at 0x00100000; give it at least 2m")]
    [InlineData("1104k", 0L, 0, "page tables (8 KiB); give it at least 2m")]
    [InlineData("2m", 1000000L, 0, "the initrd (980 KiB); give it at least 3m")]
    [InlineData("2m", 3000000L, 0, "the initrd has 3000000 bytes, more than the lowest memory bank with its 2097152")]
    [InlineData("2m@0,64m@64m", 1000000L, 0, "give it at least 3m")]
    [InlineData("4g", 0L, 0, "memory up to 0x100000000 leaves no room below 4 GiB for the devices (a page)")]
    [InlineData("16m@0,1g@0xbffff000", 0L, 1, "it may end at 0xffffe000 at most")]
    public void WhatDoesNotFitIsToldWithNumbers(string memory, long initrd, int devicePages, string words)
    {
        LaunchException error = Assert.Throws<LaunchException>(() => Plan(memory, initrd, devicePages));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        int at = words.IndexOf("at least ", StringComparison.Ordinal);
        if (at >= 0)
            Plan(words[(at + "at least ".Length)..], initrd, devicePages);
    }

    /// <summary>The last possible page for devices is one.</summary>
    [Fact]
    public void DevicesMayEndAtFourGigabytes() => Assert.Equal(1ul << 32, Plan("16m@0,1g@0xbfffe000", devicePages: 1).Top);

    /// <summary>The zero page, field for field at its offset.</summary>
    [Fact]
    public void TheZeroPageSaysIt()
    {
        GuestLayout layout = Plan("16m@0,4m@32m", initrd: 100);
        Write(layout, "root=/dev/lgba  quiet");
        GuestMemory memory = _memory!;
        Assert.Equal(2, memory.Read(0x1e8, 1)[0]);
        Assert.Equal((0ul, 16ul << 20, 1u), E820(0));
        Assert.Equal((32ul << 20, 4ul << 20, 1u), E820(1));
        Assert.Equal(0xFF, memory.Read(0x210, 1)[0]);
        Assert.Equal(0x1000000u - 4096, memory.ReadUInt32(0x218));
        Assert.Equal(4096u, memory.ReadUInt32(0x21c));
        Assert.Equal(0x1000u, memory.ReadUInt32(0x228));
        Assert.Equal(1u, memory.ReadUInt32(0x23c));
        Assert.Equal("root=/dev/lgba  quiet\0"u8.ToArray(), memory.Read(0x1000, 22).ToArray());
    }

    /// <summary>Without an initrd there is no boot loader to speak of one.</summary>
    [Fact]
    public void WithoutAnInitrdTheFieldsStayZero()
    {
        Write(Plan("16m"));
        Assert.Equal(0, _memory!.Read(0x210, 1)[0]);
        Assert.Equal(0u, _memory.ReadUInt32(0x218));
        Assert.Equal(0u, _memory.ReadUInt32(0x21c));
        Assert.Equal(1, _memory.Read(0x1e8, 1)[0]);
    }

    /// <summary>The seed's boot information: pages, exact initrd size, command line; the initrd ends at the very top.</summary>
    [Fact]
    public void TheSeedsBootInformationIsItsOwn()
    {
        KernelImage kernel = Kernel(TestKernel.Good("2.6.20", mark: false));
        GuestLayout layout = GuestLayout.Plan(MemoryBanks.Parse("16m"), kernel, 5000, 0);
        Assert.Equal(0x1000000ul - 5000, layout.InitrdAddress);
        Assert.Equal(0x1000000ul - (3 * 4096), layout.PageDirectory);
        Write(layout, "quiet");
        Assert.Equal(4096u, _memory!.ReadUInt32(0));
        Assert.Equal(5000u, _memory.ReadUInt32(4));
        Assert.Equal("quiet\0"u8.ToArray(), _memory.Read(8, 6).ToArray());
        LaunchException error = Assert.Throws<LaunchException>(() => GuestLayout.Plan(MemoryBanks.Parse("16m@0,4m@32m"), kernel, 0, 0));
        Assert.Contains("give it one bank", error.Message, StringComparison.Ordinal);
    }

    /// <summary>255 bytes, and not one more; bytes, not characters.</summary>
    [Fact]
    public void ACommandLineHasALimit()
    {
        Assert.Equal(256, BootInformation.EncodeCommandLine(new string('x', 255), 255).Length);
        Assert.Contains("has 256 bytes; its kernel accepts 255", Assert.Throws<LaunchException>(() => BootInformation.EncodeCommandLine(new string('x', 256), 255)).Message, StringComparison.Ordinal);
        Assert.Contains("has 300 bytes", Assert.Throws<LaunchException>(() => BootInformation.EncodeCommandLine(new string('ü', 150), 255)).Message, StringComparison.Ordinal);
        Assert.Equal([0], BootInformation.EncodeCommandLine(string.Empty, 255));
    }

    /// <summary>The drawing shows each inhabitant once, from the top down, and every address of the layout.</summary>
    [Fact]
    public void TheDrawingShowsEverything()
    {
        GuestLayout layout = Plan("16m@0,4m@32m", initrd: 5000);
        string drawing = MemoryMapDrawing.Draw(layout, []);
        string[] inOrder = ["0x02401000", "device descriptors", "0x02400000", "free, 4 MiB", "0x02000000", "hole", "0x01001000", "descriptors again", "0x01000000", "initrd, 8 KiB", "0x00ffe000", "page directory", "page tables", "free", "kernel", "0x00100000", "free", "0x00002000", "boot parameters", "0x00000000"];
        int at = 0;
        foreach (string word in inOrder)
        {
            int found = drawing.IndexOf(word, at, StringComparison.Ordinal);
            Assert.True(found >= 0, $"no '{word}' behind position {at} in\n{drawing}");
            at = found + word.Length;
        }
    }

    private KernelImage Kernel(TestKernel kernel) => KernelLoader.Load(_directory.File("kernel", kernel.Build()), 64 << 20);

    private GuestLayout Plan(string memory, long initrd = 0, int devicePages = 0) =>
        GuestLayout.Plan(MemoryBanks.Parse(memory), Kernel(TestKernel.Good()), initrd, devicePages);

    private void Write(GuestLayout layout, string commandLine = "")
    {
        _memory = MappedGuestMemory.Create(layout.Ranges);
        LinearMap.Write(_memory, layout);
        BootInformation.Write(_memory, layout, BootInformation.EncodeCommandLine(commandLine, 255));
    }

    private (ulong Address, ulong Length, uint Type) E820(uint index)
    {
        E820Entry entry = _memory!.ReadValue<E820Entry>(0x2d0 + (20 * index));
        return (entry.Address, entry.Length, entry.Type);
    }

    /// <summary>Walks the tables for every page of the address space, as a processor would.</summary>
    private void ExpectMap(GuestLayout layout, uint virtualBase, params (ulong Start, ulong End)[] expected)
    {
        for (ulong page = 0; page < 1 << 20; page++)
        {
            uint address = (uint)(page << 12);
            uint directoryEntry = _memory!.ReadUInt32((uint)layout.PageDirectory + ((address >> 22) * 4));
            uint entry = (directoryEntry & 1) == 0 ? 0 : _memory.ReadUInt32((directoryEntry & ~0xFFFu) + (((address >> 12) & 1023) * 4));
            uint physical = unchecked(address - virtualBase);
            bool mapped = address >= virtualBase && expected.Any(run => physical >= run.Start && physical < run.End);
            Assert.True(entry == (mapped ? physical | 7 : 0), $"0x{address:x8}: 0x{entry:x8}");
            Assert.True(directoryEntry == 0 || (directoryEntry & 0xFFF) == 7);
        }
    }
}
