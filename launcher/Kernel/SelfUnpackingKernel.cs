// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

// [L:145] A bzImage that unpacks itself
/// <summary>
/// A bzImage of Linux 2.6.24 or later. Such a guest starts without page tables, as on a PC, and so can unpack itself, whatever it is
/// compressed with: its protected-mode code is put at 1 MiB and entered where its header says. The header is a promise of the
/// kernel's; what it says of places and sizes is checked here, since a kernel that is too large for its guest dies without a word.
/// </summary>
internal static class SelfUnpackingKernel
{
    /// <summary>Bytes of RAM that every kernel can map. With no more there is no need to know whether it was built with HIGHMEM.</summary>
    private const ulong MappedByAll = 0x3000_0000;

    /// <summary>Reads it.</summary>
    /// <param name="file">The file.</param>
    /// <param name="scanner">The same.</param>
    /// <param name="header">Its header.</param>
    /// <param name="series">The series of its release.</param>
    /// <param name="release">Its release.</param>
    /// <param name="ramBytes">Bytes of the lowest memory bank.</param>
    /// <exception cref="LaunchException">It cannot be used.</exception>
    public static KernelImage Load(KernelFile file, FileScanner scanner, BootHeader header, KernelSeries series, KernelRelease release, ulong ramBytes)
    {
        string name = $"{file.Name} (Linux {release.Text})";
        if (header.Is64Bit || release.IsFor64Bit)
            throw KernelIdentity.For64Bit(file, release, "a 64-bit kernel");
        if (header.Version < SetupHeader.FirstForGuests)
            throw new LaunchException($"{name} has a boot header of version {header.Version >> 8}.{header.Version & 0xFF:d2}, in which a kernel cannot be told that it is a guest (that needs 2.07, which Linux 2.6.24 has); name its vmlinux");
        if (!header.IsLoadedHigh)
            throw new LaunchException($"{name} is a zImage, for memory below 640 KiB; build a bzImage, or name the vmlinux");

        long length = file.Length - header.CodeOffset;
        if (length <= 0 || length + 15 < header.CodeLength)
            throw new LaunchException($"{name} is cut short: the file has {file.Length} bytes, its header says {header.CodeOffset + header.CodeLength}; copy it again");
        if ((ulong)length > Math.Max(ramBytes, BootParameters.KernelLoadAddress) - BootParameters.KernelLoadAddress)
            throw new LaunchException($"{name} has {length} bytes, more than the lowest memory bank has above 1 MiB; give the guest at least {((ulong)length >> 20) + 2}m");
        if (header.Entry < BootParameters.KernelLoadAddress || header.Entry - BootParameters.KernelLoadAddress >= length)
            throw new LaunchException($"{name} wants to be entered at physical address 0x{header.Entry:x8}, which is outside of its code; copy it again");
        if (header.IsRelocatable && !uint.IsPow2(header.Alignment))
            throw new LaunchException($"{name} is damaged: its header asks for an alignment of 0x{header.Alignment:x}, which is not a power of two; build or copy it again");
        if (header.RunsUpTo > Page.AddressSpace)
            throw new LaunchException($"{name} is damaged: its header asks for memory beyond 4 GiB to unpack itself; build or copy it again");

        long? payload = PayloadLook.Find(scanner, header);
        KernelSigns? signs = payload is { } start ? PayloadLook.At(file, scanner, start, all: ramBytes > MappedByAll) : null;
        if (signs is { Is64Bit: true })
            throw KernelIdentity.For64Bit(file, release, "a 64-bit kernel");
        if (signs is { HasGuest: false })
            throw KernelIdentity.WithoutGuest(file, release);

        byte[] code = GC.AllocateUninitializedArray<byte>((int)length);
        file.Read(code, header.CodeOffset);
        string packing = (payload is { } place ? Packing.At(scanner, place) : null) ?? "unknown compression";
        return new KernelImage(
            file,
            $"bzImage, {packing}",
            [new KernelSegment(BootParameters.KernelLoadAddress, code, (ulong)length)],
            signs?.PageOffset ?? 0,
            new KernelIdentity(series, release.Text, null),
            header.Entry)
        {
            Header = header,
            HasNoHighmem = signs is { HasNoHighmem: true },
        };
    }
}
