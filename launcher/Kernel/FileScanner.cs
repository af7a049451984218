// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

/// <summary>Looks for byte sequences in a file of which, however long it is, only a piece is in memory.</summary>
/// <param name="file">The file.</param>
internal sealed class FileScanner(KernelFile file)
{
    private const int PieceLength = 1 << 20;

    private readonly byte[] _piece = new byte[(int)Math.Min(PieceLength, file.Length)];
    private long _start;
    private int _length;

    /// <summary>The first place of a byte sequence, or -1.</summary>
    /// <param name="mark">What to look for: at least a byte, and short.</param>
    /// <param name="from">Where to begin, in bytes.</param>
    /// <exception cref="LaunchException">The host cannot read the file.</exception>
    public long Find(ReadOnlySpan<byte> mark, long from)
    {
        while (file.Length - from >= mark.Length)
        {
            ReadOnlySpan<byte> piece = From(from, mark.Length);
            int found = piece.IndexOf(mark);
            if (found >= 0)
                return from + found;

            // The end of this piece may be the beginning of a mark.
            from += piece.Length - mark.Length + 1;
        }

        return -1;
    }

    /// <summary>Bytes of the file: fewer than asked for only at its end.</summary>
    /// <param name="offset">The first one's place.</param>
    /// <param name="count">How many, at most a piece.</param>
    /// <exception cref="LaunchException">The host cannot read the file.</exception>
    public ReadOnlySpan<byte> At(long offset, int count)
    {
        ReadOnlySpan<byte> bytes = From(offset, count);
        return bytes[..Math.Min(count, bytes.Length)];
    }

    /// <summary>What is in memory from an offset on: as much as is wanted, or all up to the file's end.</summary>
    private ReadOnlySpan<byte> From(long offset, int wanted)
    {
        if (offset >= file.Length)
            return [];
        long end = Math.Min(file.Length, offset + wanted);
        if (offset < _start || end > _start + _length)
        {
            int length = (int)Math.Min(_piece.Length, file.Length - offset);

            // Nothing is known of the piece while it is being read.
            _length = 0;
            file.Read(_piece.AsSpan(0, length), offset);
            _start = offset;
            _length = length;
        }

        return _piece.AsSpan((int)(offset - _start), (int)(_start + _length - offset));
    }
}
