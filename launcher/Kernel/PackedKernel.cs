// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

// [L:140] A bzImage
/// <summary>
/// Finds the kernel in a bzImage of 2.6.23 or before. It is meant to unpack itself, which these guests cannot do, since they start
/// at a virtual address; so its gzip stream is looked for and unpacked here. The image around it is code, in which the bytes that
/// begin a gzip stream may stand by chance: what does not unpack, checksum and all, was no kernel, and the search goes on. It ends
/// when it has unpacked or tried more than the search for any real kernel would: a file that was made to keep us busy is refused in
/// about a second.
/// </summary>
internal static class PackedKernel
{
    /// <summary>A packed file larger than this is no kernel, and reading it all would only hurt.</summary>
    private const long LargestFile = 512L << 20;

    /// <summary>Bytes that a packed kernel may have when it is unpacked: a vmlinux with debugging information has 50 MiB and more.</summary>
    public const long LargestKernel = 160L << 20;

    /// <summary>Bytes that what is no kernel may cost, besides one kernel.</summary>
    private const long WorkForNothing = 48L << 20;

    /// <summary>Beginnings of gzip streams that are tried. By chance there is hardly one in any file.</summary>
    private const int MostTries = 1000;

    /// <summary>The file system mark in the gzip header: Unix, which is where kernels are built.</summary>
    public const byte MadeUnderUnix = 3;

    /// <summary>Where it is in a gzip header.</summary>
    public const int MadeUnderOffset = 9;

    private static ReadOnlySpan<byte> GzipMark => [0x1F, 0x8B, 0x08];

    /// <summary>Looks through the file and unpacks the kernel in it.</summary>
    /// <param name="file">The file.</param>
    /// <param name="scanner">The same.</param>
    /// <param name="room">Bytes of RAM that the kernel could have at most.</param>
    /// <param name="isKernel">Says, by its first megabytes, whether something that did unpack is a kernel.</param>
    /// <returns>The unpacked bytes.</returns>
    /// <exception cref="LaunchException">There is none; the message says what there is instead.</exception>
    public static byte[] Unpack(KernelFile file, FileScanner scanner, long room, Func<ReadOnlySpan<byte>, bool> isKernel)
    {
        if (file.Length > LargestFile)
            throw new LaunchException($"{file.Name} is neither an ELF file nor, with {file.Length >> 20} MiB, a bzImage; name a vmlinux or bzImage");

        long limit = Math.Min(room, LargestKernel);
        GzipUnpacker unpacker = new(file, scanner, limit);
        GzipOutcome? worst = null;
        bool unpackedSomething = false;
        int tries = 0;
        for (long start = scanner.Find(GzipMark, 0); start >= 0; start = scanner.Find(GzipMark, start + 1))
        {
            ReadOnlySpan<byte> madeUnder = scanner.At(start + MadeUnderOffset, 1);
            if (!madeUnder.IsEmpty && madeUnder[0] != MadeUnderUnix)
                continue;
            if (tries++ == MostTries || unpacker.Work > limit + WorkForNothing)
                throw new LaunchException($"{file.Name} holds one gzip stream after another, and none of the first {tries - 1} is an i386 kernel; name a vmlinux or bzImage");

            GzipOutcome outcome = unpacker.Try(start);
            if (outcome is GzipOutcome.Unpacked or GzipOutcome.TooLong)
                KernelIdentity.Refuse(file, KernelRelease.Find(unpacker.Beginning));
            if (outcome == GzipOutcome.Unpacked)
            {
                if (isKernel(unpacker.Beginning))
                    return unpacker.TakeWhole();
                unpackedSomething = true;
            }
            else if (worst == null || outcome < worst)
            {
                worst = outcome;
            }

            // So much is no chance: this was the kernel, or a bomb.
            if (outcome == GzipOutcome.TooLong)
                throw TooLong(file, limit, room);
        }

        throw WhyNot(file, scanner, unpackedSomething, worst);
    }

    private static LaunchException TooLong(KernelFile file, long limit, long room) => new(limit == room
        ? $"{file.Name} unpacks to more than {room} bytes, all that the lowest memory bank has for it; give the guest more memory"
        : $"{file.Name} unpacks to more than {limit >> 20} MiB, more than a kernel has; if it is one nevertheless, unpack it (gunzip) and name the vmlinux");

    private static LaunchException WhyNot(KernelFile file, FileScanner scanner, bool unpackedSomething, GzipOutcome? worst)
    {
        if (unpackedSomething)
            return new LaunchException($"{file.Name} holds a gzip stream, but what unpacks from it is no i386 kernel (its page offset cannot be made out); name a vmlinux or bzImage");
        if (worst is null or GzipOutcome.Damaged && Packing.FindOther(scanner) is string packing)
        {
            return new LaunchException(BootHeader.IsThere(scanner)
                ? $"{file.Name} is compressed with {packing}, as no kernel before 2.6.30 is, and its boot header does not name its release; {RunnableKernels.Remedy}"
                : $"{file.Name} is compressed with {packing}; only gzip is understood: unpack it, and name the vmlinux");
        }

        switch (worst)
        {
            case GzipOutcome.CutShort:
                return new LaunchException($"{file.Name} is cut short: its compressed kernel ends before its end; copy it again");
            case GzipOutcome.Damaged:
                return new LaunchException($"{file.Name} holds a gzip stream that is damaged (its data or checksum is wrong); copy it again");
        }

        return new LaunchException(BootHeader.IsThere(scanner)
            ? $"{file.Name} is a bzImage without a compressed kernel in it; was it cut short? Copy it again"
            : $"{file.Name} is neither an ELF file nor a bzImage: there is no kernel in it; name a vmlinux or bzImage");
    }
}
