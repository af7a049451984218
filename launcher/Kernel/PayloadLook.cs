// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

/// <summary>
/// A look into the compressed part of a bzImage that will unpack itself: is it a guest's kernel at all? Only gzip can be looked into;
/// with any other compression that shows when the kernel runs. The look ends when it has seen enough, and keeps nothing.
/// </summary>
internal static class PayloadLook
{
    private static ReadOnlySpan<byte> GzipMark => [0x1F, 0x8B, 0x08];

    /// <summary>Where the compressed kernel is in the file; null when it cannot be found.</summary>
    /// <param name="scanner">The file.</param>
    /// <param name="header">Its header, which says it since protocol 2.08; before, it was always gzip.</param>
    public static long? Find(FileScanner scanner, BootHeader header)
    {
        if (header.Payload is { Offset: var offset })
            return header.CodeOffset + offset;
        for (long found = scanner.Find(GzipMark, header.CodeOffset); found >= 0; found = scanner.Find(GzipMark, found + 1))
        {
            // The decompressor, which comes first, is code, in which three bytes may stand by chance.
            if (scanner.At(found + PackedKernel.MadeUnderOffset, 1) is [PackedKernel.MadeUnderUnix])
                return found;
        }

        return null;
    }

    /// <summary>Looks for signs.</summary>
    /// <param name="file">The file.</param>
    /// <param name="scanner">The same.</param>
    /// <param name="start">From <see cref="Find"/>.</param>
    /// <param name="all">Whether all is looked at, up to the checksum; else until it is known to be a guest's.</param>
    /// <returns>What was seen; null when the compression is another one.</returns>
    /// <exception cref="LaunchException">It is damaged: it could not unpack itself either.</exception>
    public static KernelSigns? At(KernelFile file, FileScanner scanner, long start, bool all)
    {
        if (!scanner.At(start, GzipMark.Length).SequenceEqual(GzipMark))
            return null;
        KernelSigns signs = new();
        bool first = true;
        GzipUnpacker unpacker = new(file, scanner, PackedKernel.LargestKernel);
        GzipOutcome outcome = unpacker.Look(start, KernelSigns.Overlap, piece =>
        {
            if (first)
                signs.LookAtBeginning(piece);
            first = false;
            signs.Look(piece);
            return all || !signs.HasGuest;
        });
        return outcome switch
        {
            GzipOutcome.Unpacked => signs,
            GzipOutcome.CutShort => throw new LaunchException($"{file.Name} is cut short: its compressed kernel ends before its end; copy it again"),
            GzipOutcome.TooLong => throw new LaunchException($"{file.Name} unpacks to more than {PackedKernel.LargestKernel >> 20} MiB, more than a kernel has; build or copy it again"),
            _ => throw new LaunchException($"{file.Name} holds a compressed kernel that is damaged (its data or checksum is wrong); copy it again"),
        };
    }
}
