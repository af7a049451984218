// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

/// <summary>From a file's name to a kernel that is understood.</summary>
public static class KernelLoader
{
    /// <summary>How often an address byte must be seen before it is believed.</summary>
    private const int Believed = 3;

    /// <summary>Bytes that loading a kernel may need besides as many as the guest has.</summary>
    private const long Besides = 48 << 20;

    // [L:120] From a file to a kernel
    // A kernel comes as a vmlinux (an ELF file that says where each piece wants to be), as a bzImage, or as a vmlinux in gzip. A
    // bzImage is a program that unpacks itself: since 2.6.24 guests can let it ([L:145]), before that it has to be unpacked here
    // ([L:140]). All of it is read and understood before anything else happens: a guest that restarts starts from what was read
    // then, even if the file has been rebuilt meanwhile.
    /// <summary>Reads a kernel.</summary>
    /// <param name="path">vmlinux, bzImage, or a vmlinux packed with gzip.</param>
    /// <param name="ramBytes">Bytes of the lowest memory bank: no kernel may be larger.</param>
    /// <exception cref="LaunchException">It cannot be used: what, why, and what helps.</exception>
    public static KernelImage Load(string path, ulong ramBytes)
    {
        using KernelFile file = KernelFile.Open("kernel", path);
        Span<byte> magic = stackalloc byte[ElfKernel.Magic.Length];
        if (file.Length >= magic.Length)
            file.Read(magic, 0);
        long room = Math.Max(1, (long)ramBytes - BootParameters.KernelLoadAddress);
        if (magic.SequenceEqual(ElfKernel.Magic))
            return LoadElf(file, "ELF", new ElfBytes(file.Length, file.Read), room);

        FileScanner scanner = new(file);
        BootHeader? header = BootHeader.Read(scanner);
        if (header?.Release is not { } release)
            return LoadPacked(file, scanner, room);
        KernelIdentity.Refuse(file, release);
        KernelSeries? series = KernelSeries.Of(release.Number);
        return KernelIdentity.StartsLinear(series)
            ? SelfUnpackingKernel.Load(file, scanner, header, series!, release, ramBytes)
            : LoadPacked(file, scanner, room);
    }

    private static KernelImage LoadElf(KernelFile file, string format, ElfBytes bytes, long room)
    {
        List<KernelSegment> segments;
        uint pageOffset;
        uint elfEntry;
        try
        {
            if (ElfKernel.Is64Bit(bytes))
                throw KernelIdentity.For64Bit(file, KernelRelease.Find(bytes), "a 64-bit ELF file");
            segments = ElfKernel.Read(file, bytes, room, out pageOffset, out elfEntry);
        }
        catch (LaunchException)
        {
            // A kernel that can never run here is not helped by a better file, by more memory, or by another build of the same release.
            KernelIdentity.Refuse(file, KernelRelease.Find(bytes));
            throw;
        }

        KernelIdentity identity = KernelIdentity.Of(file, segments, out KernelSigns signs);
        uint physicalEntry = identity.MarkEnd ?? elfEntry;
        bool inside = false;
        foreach (KernelSegment segment in segments)
            inside |= physicalEntry >= segment.Address && physicalEntry < segment.End;
        if (!inside)
            throw new LaunchException($"{file.Name} wants to be entered at physical address 0x{physicalEntry:x8}, which is outside of its segments; is it a kernel at all?");
        uint entry = identity.Series.Boot.StartsLinear ? physicalEntry : unchecked(physicalEntry + pageOffset);
        return new KernelImage(file, format, segments, pageOffset, identity, entry) { HasNoHighmem = signs.HasNoHighmem };
    }

    private static KernelImage LoadPacked(KernelFile file, FileScanner scanner, long room)
    {
        uint pageOffset = 0;
        byte[] unpacked = PackedKernel.Unpack(file, scanner, room, image =>
            image.StartsWith(ElfKernel.Magic) || TryFindPageOffset(image, out pageOffset));

        // Somebody packed a vmlinux to save space. (Kernels much later than 2.6.23 also have one in their bzImage.)
        if (unpacked.AsSpan().StartsWith(ElfKernel.Magic))
        {
            // Its segments are a second copy, which is why not all of the room is theirs.
            ElfBytes bytes = new(unpacked.Length, (target, offset) => unpacked.AsSpan((int)offset, target.Length).CopyTo(target));
            return LoadElf(file, "ELF, packed with gzip", bytes, Math.Min(room, room + Besides - unpacked.Length));
        }

        List<KernelSegment> segments = [new(BootParameters.KernelLoadAddress, unpacked, (ulong)unpacked.Length)];
        KernelIdentity identity = KernelIdentity.Of(file, segments, out KernelSigns signs);
        if (identity.Series.Boot.StartsLinear)
            throw new LaunchException($"{file.Name} is Linux {identity.Release} without a boot header that names it, as all of its kind have; was it damaged? Name the bzImage or vmlinux as it was built");
        uint physicalEntry = identity.MarkEnd ?? BootParameters.KernelLoadAddress;
        return new KernelImage(file, "bzImage", segments, pageOffset, identity, unchecked(physicalEntry + pageOffset)) { HasNoHighmem = signs.HasNoHighmem };
    }

    // [L:150+18] Where does it expect to be?
    /// <summary>
    /// Nothing in a raw image says where the kernel expects to be. But its code does: <c>mov ADDRESS,%eax</c> is the byte 0xA1
    /// and the address, of which the highest byte is nearly always that of CONFIG_PAGE_OFFSET. We do not disassemble, we count.
    /// </summary>
    internal static bool TryFindPageOffset(ReadOnlySpan<byte> image, out uint pageOffset)
    {
        const byte LoadEax = 0xA1;
        const int HighByte = 4;
        Span<int> seen = stackalloc int[256];
        seen.Clear();
        for (int i = 0; i + HighByte < image.Length; i++)
        {
            if (image[i] == LoadEax && ++seen[image[i + HighByte]] > Believed)
            {
                pageOffset = (uint)image[i + HighByte] << 24;
                return true;
            }
        }

        pageOffset = 0;
        return false;
    }
}
