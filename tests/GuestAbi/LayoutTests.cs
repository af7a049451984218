// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lguest.GuestAbi;
using Xunit;

namespace Lguest.Tests.GuestAbi;

/// <summary>Offsets and sizes of everything that a guest compiled in 2007 agrees on with us, as numbers.</summary>
public sealed class LayoutTests
{
    /// <summary>Field by field: abi.md §1, §3, §6.</summary>
    [Theory]
    [InlineData(typeof(LguestDma), nameof(LguestDma.UsedLen), 0)]
    [InlineData(typeof(LguestDma), nameof(LguestDma.Addr), 4)]
    [InlineData(typeof(LguestDma), nameof(LguestDma.Len), 68)]
    [InlineData(typeof(DeviceDescriptor), nameof(DeviceDescriptor.Type), 0)]
    [InlineData(typeof(DeviceDescriptor), nameof(DeviceDescriptor.Features), 2)]
    [InlineData(typeof(DeviceDescriptor), nameof(DeviceDescriptor.Status), 4)]
    [InlineData(typeof(DeviceDescriptor), nameof(DeviceDescriptor.NumPages), 6)]
    [InlineData(typeof(DeviceDescriptor), nameof(DeviceDescriptor.Pfn), 8)]
    [InlineData(typeof(BlockPage), nameof(BlockPage.Type), 0)]
    [InlineData(typeof(BlockPage), nameof(BlockPage.Sector), 4)]
    [InlineData(typeof(BlockPage), nameof(BlockPage.Bytes), 8)]
    [InlineData(typeof(BlockPage), nameof(BlockPage.Result), 12)]
    [InlineData(typeof(BlockPage), nameof(BlockPage.NumSectors), 16)]
    [InlineData(typeof(E820Entry), nameof(E820Entry.Address), 0)]
    [InlineData(typeof(E820Entry), nameof(E820Entry.Length), 8)]
    [InlineData(typeof(E820Entry), nameof(E820Entry.Type), 16)]
    [InlineData(typeof(BootInfo200702), nameof(BootInfo200702.MaxPfn), 0)]
    [InlineData(typeof(BootInfo200702), nameof(BootInfo200702.InitrdSize), 4)]
    [InlineData(typeof(BootInfo200702), nameof(BootInfo200702.CommandLine), 8)]
    public void FieldsHaveTheirOffsets(Type type, string field, int offset) => Assert.Equal(offset, (int)Marshal.OffsetOf(type, field));

    /// <summary>Whole structures.</summary>
    [Fact]
    public void StructuresHaveTheirSizes()
    {
        Assert.Equal(100, Unsafe.SizeOf<LguestDma>());
        Assert.Equal(LguestDma.Size, Unsafe.SizeOf<LguestDma>());
        Assert.Equal(12, Unsafe.SizeOf<DeviceDescriptor>());
        Assert.Equal(DeviceDescriptor.Size, Unsafe.SizeOf<DeviceDescriptor>());
        Assert.Equal(20, Unsafe.SizeOf<BlockPage>());
        Assert.Equal(20, Unsafe.SizeOf<E820Entry>());
        Assert.Equal(264, Unsafe.SizeOf<BootInfo200702>());
    }

    /// <summary>Places in the zero page.</summary>
    [Fact]
    public void BootParametersAreWhereLinuxLooks()
    {
        Assert.Equal(0x1e8u, BootParameters.E820Count);
        Assert.Equal(0x2d0u, BootParameters.E820Entries);
        Assert.Equal(0x210u, BootParameters.LoaderType);
        Assert.Equal(0x218u, BootParameters.InitrdAddress);
        Assert.Equal(0x21cu, BootParameters.InitrdSize);
        Assert.Equal(0x228u, BootParameters.CommandLineAddress);
        Assert.Equal(0x23cu, BootParameters.GuestType);
        Assert.Equal(0x1000u, BootParameters.CommandLine);
        Assert.Equal(0x100000u, BootParameters.KernelLoadAddress);
    }

    /// <summary>Segment selectors and vectors.</summary>
    [Fact]
    public void SelectorsAndVectorsAreLinuxs()
    {
        Assert.Equal(0x61, Selectors.KernelCode);
        Assert.Equal(0x69, Selectors.KernelData);
        Assert.Equal(32, Selectors.GdtEntries);
        Assert.Equal(6, Selectors.TlsFirst);
        Assert.True(Selectors.IsIgnored(16));
        Assert.True(Selectors.IsIgnored(31));
        Assert.False(Selectors.IsIgnored(12));
        Assert.Equal(0x1F, Vectors.Hypercall);
        Assert.Equal(0x80, Vectors.SystemCall);
    }
}
