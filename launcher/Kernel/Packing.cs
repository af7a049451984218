// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Kernel;

/// <summary>What a kernel was compressed with, by the marks at the beginning of what compressors make.</summary>
internal static class Packing
{
    private const int BlockAt = 4;

    private static ReadOnlySpan<byte> Xz => [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    private static ReadOnlySpan<byte> BzipBlock => [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];

    private static ReadOnlySpan<byte> Zstd => [0x28, 0xB5, 0x2F, 0xFD];

    private static ReadOnlySpan<byte> Lzo => [0x89, (byte)'L', (byte)'Z', (byte)'O', 0, 0x0D, 0x0A, 0x1A, 0x0A];

    private static ReadOnlySpan<byte> Lz4 => [0x02, 0x21, 0x4C, 0x18];

    private static ReadOnlySpan<byte> Lzma => [0x5D, 0, 0];

    /// <summary>The packing that begins at a place of a file, gzip too; null when it is none that is known.</summary>
    public static string? At(FileScanner scanner, long place)
    {
        ReadOnlySpan<byte> bytes = scanner.At(place, 16);
        return bytes.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 0x08]) ? "gzip"
            : bytes.StartsWith(Xz) ? "xz"
            : bytes.StartsWith("BZh"u8) && bytes[BlockAt..].StartsWith(BzipBlock) ? "bzip2"
            : bytes.StartsWith(Zstd) ? "zstd"
            : bytes.StartsWith(Lzo) ? "lzo"
            : bytes.StartsWith(Lz4) ? "lz4"
            : bytes.StartsWith(Lzma) ? "lzma"
            : null;
    }

    /// <summary>The packing other than gzip that is found somewhere in a file; null when there is none.</summary>
    public static string? FindOther(FileScanner scanner)
    {
        if (scanner.Find(Xz, 0) >= 0)
            return "xz";

        // "BZh", a digit, and the first block.
        if (scanner.Find(BzipBlock, 0) is >= BlockAt and long block && scanner.At(block - BlockAt, 3).SequenceEqual("BZh"u8))
            return "bzip2";
        if (scanner.Find(Zstd, 0) >= 0)
            return "zstd";
        if (scanner.Find(Lzo, 0) >= 0)
            return "lzo";
        if (scanner.Find(Lz4, 0) >= 0)
            return "lz4";

        // lzma has no real mark: its usual properties byte, a dictionary that is a power of two, and an unknown length.
        return scanner.Find(Lzma, 0) is >= 0 and long lzma
            && scanner.At(lzma + 5, 8) is { Length: 8 } length && length.IndexOfAnyExcept((byte)0xFF) < 0
                ? "lzma"
                : null;
    }
}
