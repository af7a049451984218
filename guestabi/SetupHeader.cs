// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>
/// Where things stand in the setup header (abi.md §1.2): in the first sectors of a bzImage, and in the zero page at the same offsets,
/// since a boot loader copies it. Which fields there are depends on the version of the boot protocol.
/// </summary>
public static class SetupHeader
{
    /// <summary>The first byte that is copied. u8: 512-byte sectors of real-mode code after the first; 0 means 4.</summary>
    public const uint SetupSectors = 0x1F1;

    /// <summary>u32: protected-mode code in the file, in units of 16 bytes, rounded up.</summary>
    public const uint SystemSize = 0x1F4;

    /// <summary>u8: where the header ends, counted from <see cref="Mark"/>: it is the second byte of a jump over it.</summary>
    public const uint Length = 0x201;

    /// <summary>Four bytes: <see cref="MarkBytes"/>.</summary>
    public const uint Mark = 0x202;

    /// <summary>u16: version of the boot protocol.</summary>
    public const uint Version = 0x206;

    /// <summary>u16: less <see cref="SectorSize"/>, where in the file a text is that begins with the kernel's release.</summary>
    public const uint ReleasePointer = 0x20E;

    /// <summary>u8: <see cref="LoadedHigh"/> and <see cref="KeepSegments"/>.</summary>
    public const uint LoadFlags = 0x211;

    /// <summary>u32: physical address of the entry in protected mode.</summary>
    public const uint Code32Start = 0x214;

    /// <summary>u32: the highest address that a byte of the initrd may have. Version 2.03.</summary>
    public const uint InitrdAddressMax = 0x22C;

    /// <summary>u32: what a relocatable kernel's place is a multiple of. Version 2.05.</summary>
    public const uint Alignment = 0x230;

    /// <summary>u8: 1 when the kernel may be anywhere. Version 2.05.</summary>
    public const uint Relocatable = 0x234;

    /// <summary>u16: <see cref="Is64Bit"/>. Version 2.12.</summary>
    public const uint ExtendedLoadFlags = 0x236;

    /// <summary>u32: bytes of the longest command line, without its NUL. Version 2.06.</summary>
    public const uint CommandLineSize = 0x238;

    /// <summary>u32: where the compressed kernel is, from the start of the protected-mode code. Version 2.08.</summary>
    public const uint PayloadOffset = 0x248;

    /// <summary>u32: its bytes. Version 2.08.</summary>
    public const uint PayloadLength = 0x24C;

    /// <summary>u64: the physical address at which the kernel runs, or likes to. Version 2.10.</summary>
    public const uint PreferredAddress = 0x258;

    /// <summary>u32: bytes from there on that it needs before it has looked at its memory map. Version 2.10.</summary>
    public const uint InitSize = 0x260;

    /// <summary>Bytes of a sector, which is also what <see cref="ReleasePointer"/> leaves out.</summary>
    public const uint SectorSize = 512;

    /// <summary>In <see cref="LoadFlags"/>: the protected-mode code belongs at 1 MiB. Without it the image is a zImage.</summary>
    public const byte LoadedHigh = 0x01;

    /// <summary>In <see cref="LoadFlags"/>, by the loader: the segments are flat, leave them alone.</summary>
    public const byte KeepSegments = 0x40;

    /// <summary>In <see cref="ExtendedLoadFlags"/>: the kernel has a 64-bit entry point.</summary>
    public const ushort Is64Bit = 0x0001;

    /// <summary>The first version with a guest type, so that a kernel can be told that it runs under lguest: 2.07, of Linux 2.6.24.</summary>
    public const ushort FirstForGuests = 0x207;

    /// <summary>What is written as <see cref="Alignment"/> for a kernel that has no header: 16 MiB.</summary>
    public const uint DefaultAlignment = 0x100_0000;

    /// <summary>What is at <see cref="Mark"/>.</summary>
    public static ReadOnlySpan<byte> MarkBytes => "HdrS"u8;

    /// <summary>Where the fields of a version end: what lies beyond is the kernel's code, whatever <see cref="Length"/> says.</summary>
    /// <param name="version">2.07 or later.</param>
    public static uint EndOf(ushort version) => version switch
    {
        >= 0x20F => 0x26C,
        >= 0x20B => 0x268,
        >= 0x20A => 0x264,
        >= 0x209 => 0x258,
        >= 0x208 => 0x250,
        _ => 0x248,
    };
}
