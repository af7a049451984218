// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Launcher.Kernel;

/// <summary>
/// Finds the kernel in a bzImage. A bzImage is meant to unpack itself, which a paravirtual guest cannot do; so its gzip stream
/// is looked for and unpacked here. The image around it is code, in which the two bytes that begin a gzip stream may stand by
/// chance: what does not unpack, checksum and all, was no kernel, and the search goes on.
/// </summary>
internal static class PackedKernel
{
    /// <summary>A packed file larger than this is no kernel, and reading it all would only hurt.</summary>
    private const long LargestFile = 512L << 20;

    /// <summary>The file system mark in the gzip header: Unix, which is where kernels are built.</summary>
    private const byte MadeUnderUnix = 3;
    private const int MadeUnderOffset = 9;

    /// <summary>Sector count, boot flag and the words HdrS: the Linux boot protocol's header.</summary>
    private const int BootHeaderOffset = 0x202;

    private static ReadOnlySpan<byte> GzipMark => [0x1F, 0x8B, 0x08];

    /// <summary>Reads the whole file and unpacks the kernel in it.</summary>
    /// <param name="file">The file.</param>
    /// <param name="limit">Bytes of RAM that the kernel could have at most.</param>
    /// <param name="isKernel">Says whether something that did unpack is a kernel.</param>
    /// <returns>The unpacked bytes.</returns>
    /// <exception cref="LaunchException">There is none; the message says what there is instead.</exception>
    public static byte[] Unpack(KernelFile file, long limit, Func<byte[], bool> isKernel)
    {
        if (file.Length > LargestFile)
            throw new LaunchException($"{file.Name} is neither an ELF file nor, with {file.Length >> 20} MiB, a bzImage; name a vmlinux or bzImage");
        byte[] bytes = new byte[file.Length];
        file.Read(bytes, 0);

        GzipOutcome? worst = null;
        bool unpackedSomething = false;
        for (int from = 0; ;)
        {
            int found = bytes.AsSpan(from).IndexOf(GzipMark);
            if (found < 0)
                break;
            int start = from + found;
            from = start + 1;
            if (start + MadeUnderOffset < bytes.Length && bytes[start + MadeUnderOffset] != MadeUnderUnix)
                continue;

            GzipOutcome outcome = GzipStream.TryUnpack(bytes, start, (int)Math.Min(limit, Array.MaxLength), out byte[] unpacked);
            if (outcome == GzipOutcome.Unpacked)
            {
                if (isKernel(unpacked))
                    return unpacked;
                unpackedSomething = true;
            }
            else if (worst == null || outcome < worst)
            {
                worst = outcome;
            }
        }

        throw WhyNot(file, bytes, limit, unpackedSomething, worst);
    }

    private static LaunchException WhyNot(KernelFile file, byte[] bytes, long limit, bool unpackedSomething, GzipOutcome? worst)
    {
        if (unpackedSomething)
            return new LaunchException($"{file.Name} holds a gzip stream, but what unpacks from it is no i386 kernel (its page offset cannot be made out); name a vmlinux or bzImage");
        if (OtherPacking(bytes) is string packing && worst is null or GzipOutcome.Damaged)
            return new LaunchException($"{file.Name} is compressed with {OtherPacking(bytes)}; only gzip is understood: unpack it, use its vmlinux, or build it with CONFIG_KERNEL_GZIP=y");
        switch (worst)
        {
            case GzipOutcome.CutShort:
                return new LaunchException($"{file.Name} is cut short: its compressed kernel ends before its end; copy it again");
            case GzipOutcome.TooLong:
                return new LaunchException($"{file.Name} unpacks to more than {limit} bytes, all that the lowest memory bank has for it; give the guest more memory");
            case GzipOutcome.Damaged:
                return new LaunchException($"{file.Name} holds a gzip stream that is damaged (its data or checksum is wrong); copy it again");
        }

        bool isBzImage = bytes.AsSpan().Length > BootHeaderOffset + 4 && bytes.AsSpan(BootHeaderOffset).StartsWith("HdrS"u8);
        return new LaunchException(isBzImage
            ? $"{file.Name} is a bzImage without a compressed kernel in it; was it cut short? Copy it again"
            : $"{file.Name} is neither an ELF file nor a bzImage: there is no kernel in it; name a vmlinux or bzImage");
    }

    /// <summary>The packing that is used in place of gzip, by the marks of later kernels; null when there is none.</summary>
    private static string? OtherPacking(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> bzip2Block = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
        if (bytes.IndexOf((ReadOnlySpan<byte>)[0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0]) >= 0)
            return "xz";
        if (bytes.IndexOf(bzip2Block) is >= 4 and int block && bytes[(block - 4)..].StartsWith("BZh"u8))
            return "bzip2";
        if (bytes.IndexOf((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]) >= 0)
            return "zstd";
        if (bytes.IndexOf((ReadOnlySpan<byte>)[0x89, (byte)'L', (byte)'Z', (byte)'O', 0, 0x0D, 0x0A, 0x1A, 0x0A]) >= 0)
            return "lzo";
        if (bytes.IndexOf((ReadOnlySpan<byte>)[0x02, 0x21, 0x4C, 0x18]) >= 0)
            return "lz4";

        // lzma has no real mark: its usual properties byte, a dictionary that is a power of two, and an unknown length.
        return bytes.IndexOf((ReadOnlySpan<byte>)[0x5D, 0x00, 0x00]) is >= 0 and int lzma
            && bytes.Length >= lzma + 13 && bytes.Slice(lzma + 5, 8).IndexOfAnyExcept((byte)0xFF) < 0
                ? "lzma"
                : null;
    }
}
