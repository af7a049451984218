// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.GuestAbi;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

/// <summary>
/// The setup header of a bzImage, read once; fields that its protocol version does not have are as an older kernel would have them.
/// What it says is the kernel's word, and is checked before anybody acts on it.
/// </summary>
public sealed class BootHeader
{
    private const ushort FirstProtocol = 0x200;
    private const int LongestRelease = 64;

    private readonly byte[] _bytes;

    private BootHeader(byte[] bytes, KernelRelease? release)
    {
        _bytes = bytes;
        Release = release;
    }

    /// <summary>Version of the boot protocol, such as 0x20D.</summary>
    public ushort Version => U16(SetupHeader.Version);

    /// <summary>What the image says of its release, readable whatever it is compressed with; null when it says nothing.</summary>
    public KernelRelease? Release { get; }

    /// <summary>Where in the file the protected-mode code begins.</summary>
    public long CodeOffset => (1 + (_bytes[SetupHeader.SetupSectors] is 0 ? 4L : _bytes[SetupHeader.SetupSectors])) * SetupHeader.SectorSize;

    /// <summary>Bytes of it, as the header has it: up to 15 more than there are.</summary>
    public long CodeLength => U32(SetupHeader.SystemSize) * 16L;

    /// <summary>Physical address of the first instruction.</summary>
    public uint Entry => U32(SetupHeader.Code32Start);

    /// <summary>Whether it goes to 1 MiB, as every bzImage does; else it is a zImage.</summary>
    public bool IsLoadedHigh => (_bytes[SetupHeader.LoadFlags] & SetupHeader.LoadedHigh) != 0;

    /// <summary>Whether it says that it is for 64-bit processors.</summary>
    public bool Is64Bit => Version >= 0x20C && (U16(SetupHeader.ExtendedLoadFlags) & SetupHeader.Is64Bit) != 0;

    /// <summary>First physical address that the initrd may not reach.</summary>
    public ulong InitrdEnd => Version >= 0x203 ? U32(SetupHeader.InitrdAddressMax) + 1UL : 0x3800_0000;

    /// <summary>Whether the kernel may run anywhere that its alignment allows.</summary>
    public bool IsRelocatable => Version >= 0x205 && _bytes[SetupHeader.Relocatable] != 0;

    /// <summary>What a relocatable kernel's place is a multiple of, in bytes.</summary>
    public uint Alignment => Version >= 0x205 ? U32(SetupHeader.Alignment) : 0;

    /// <summary>Bytes of the longest command line, without its NUL; null when the header does not say.</summary>
    public uint? CommandLineBytes => Version >= 0x206 ? U32(SetupHeader.CommandLineSize) : null;

    /// <summary>Where in the protected-mode code the compressed kernel is, and its bytes; null when the header does not say.</summary>
    public (uint Offset, uint Length)? Payload => Version >= 0x208 ? (U32(SetupHeader.PayloadOffset), U32(SetupHeader.PayloadLength)) : null;

    /// <summary>
    /// First physical address that the kernel does not need, once it has unpacked itself, as a loader at 1 MiB works it out by the boot
    /// protocol; null when the header does not say.
    /// </summary>
    public ulong? RunsUpTo
    {
        get
        {
            if (Version < 0x20A)
                return null;
            ulong preferred = BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan((int)SetupHeader.PreferredAddress));
            ulong start = Math.Max(preferred, BootParameters.KernelLoadAddress);
            if (IsRelocatable && ulong.IsPow2(Alignment))
                start += unchecked((ulong)-(long)start) & (Alignment - 1UL);
            ulong size = U32(SetupHeader.InitSize);
            return start > ulong.MaxValue - size ? ulong.MaxValue : start + size;
        }
    }

    /// <summary>What a loader copies into the zero page, to <see cref="SetupHeader.SetupSectors"/>: as far as both its length and its version go.</summary>
    public ReadOnlySpan<byte> ForZeroPage
    {
        get
        {
            uint end = Math.Min(SetupHeader.EndOf(Version), SetupHeader.Mark + _bytes[SetupHeader.Length]);
            return _bytes.AsSpan((int)SetupHeader.SetupSectors, (int)(Math.Max(end, SetupHeader.SetupSectors) - SetupHeader.SetupSectors));
        }
    }

    /// <summary>Whether a file begins as a bzImage does.</summary>
    internal static bool IsThere(FileScanner scanner) => scanner.At(SetupHeader.Mark, 4).SequenceEqual(SetupHeader.MarkBytes);

    /// <summary>The header of a bzImage, or null: it is something else, or older than protocol 2.00.</summary>
    /// <exception cref="LaunchException">The host cannot read the file.</exception>
    internal static BootHeader? Read(FileScanner scanner)
    {
        if (!IsThere(scanner))
            return null;

        // What a file that is cut short does not have is zero: it will be refused by its length.
        byte[] bytes = new byte[SetupHeader.EndOf(ushort.MaxValue)];
        scanner.At(0, bytes.Length).CopyTo(bytes);
        if (BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan((int)SetupHeader.Version)) < FirstProtocol)
            return null;
        ushort pointer = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan((int)SetupHeader.ReleasePointer));
        return new BootHeader(bytes, pointer == 0 ? null : KernelRelease.At(scanner.At(pointer + SetupHeader.SectorSize, LongestRelease)));
    }

    private ushort U16(uint offset) => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan((int)offset));

    private uint U32(uint offset) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan((int)offset));
}
