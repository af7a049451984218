// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.GuestAbi;

/// <summary>Where things stand in the Linux "zero page" that a 2.6.23 guest finds at physical 0 (abi.md §1.2).</summary>
public static class BootParameters
{
    /// <summary>u8: number of E820 entries.</summary>
    public const uint E820Count = 0x1e8;

    /// <summary>u8: 0xFF when there is an initrd.</summary>
    public const uint LoaderType = 0x210;

    /// <summary>u32: physical address of the initrd.</summary>
    public const uint InitrdAddress = 0x218;

    /// <summary>u32: bytes of the initrd.</summary>
    public const uint InitrdSize = 0x21c;

    /// <summary>u32: physical address of the command line.</summary>
    public const uint CommandLineAddress = 0x228;

    /// <summary>u32: what kind of guest this is.</summary>
    public const uint GuestType = 0x23c;

    /// <summary>The E820 entries.</summary>
    public const uint E820Entries = 0x2d0;

    /// <summary>E820 entries that fit in the zero page of 2.6.23 (E820MAX).</summary>
    public const int MaxE820Entries = 128;

    /// <summary>Value of <see cref="GuestType"/>: lguest.</summary>
    public const uint GuestTypeLguest = 1;

    /// <summary>Value of <see cref="LoaderType"/> when an initrd is given: an unknown boot loader, which may hand one over.</summary>
    public const byte LoaderTypeUnknown = 0xFF;

    /// <summary>Where the command line is put: the page behind the zero page.</summary>
    public const uint CommandLine = 0x1000;

    /// <summary>Where a bzImage's payload is unpacked.</summary>
    public const uint KernelLoadAddress = 0x100000;

    /// <summary>The bytes after which the entry point of a 2.6.23 kernel lies.</summary>
    public static ReadOnlySpan<byte> GenuineMark => "GenuineLguest"u8;
}

/// <summary>One E820 entry: 20 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
public struct E820Entry
{
    /// <summary>Size in bytes.</summary>
    public const int Size = 20;

    /// <summary>Value of <see cref="Type"/> for usable memory.</summary>
    public const uint Ram = 1;

    /// <summary>First guest physical address.</summary>
    public ulong Address;

    /// <summary>Bytes.</summary>
    public ulong Length;

    /// <summary>1 = RAM.</summary>
    public uint Type;
}

/// <summary>The boot information of the 2007-02 generation, at physical 0: 264 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
public unsafe struct BootInfo200702
{
    /// <summary>Bytes of the command line, its NUL included.</summary>
    public const int CommandLineSize = 256;

    /// <summary>Pages of RAM.</summary>
    public uint MaxPfn;

    /// <summary>Bytes of the initrd, which ends at the top of RAM.</summary>
    public uint InitrdSize;

    /// <summary>NUL-terminated command line.</summary>
    public fixed byte CommandLine[CommandLineSize];
}
