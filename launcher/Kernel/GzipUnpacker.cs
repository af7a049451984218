// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using ICSharpCode.SharpZipLib.Checksum;
using ICSharpCode.SharpZipLib.Zip.Compression;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

/// <summary>How an attempt to unpack ended.</summary>
internal enum GzipOutcome
{
    /// <summary>It is whole, and its checksum is right.</summary>
    Unpacked,

    /// <summary>What began well is cut short.</summary>
    CutShort,

    /// <summary>It is longer, unpacked, than was allowed.</summary>
    TooLong,

    /// <summary>It is no gzip stream, or a damaged one.</summary>
    Damaged,
}

/// <summary>
/// Unpacks gzip streams (RFC 1952) that lie somewhere in the middle of a file. The library's own stream class would read on after
/// the end and take what follows for another member, so the header is read here, and the library does the inflating.
/// <para>A stream is unpacked into one buffer that all attempts share, and only counted when it is longer: what is no kernel
/// costs no memory, however long it is. A kernel that is longer is unpacked once more, now that its length is known.</para>
/// </summary>
/// <param name="file">The file.</param>
/// <param name="scanner">Reads the headers.</param>
/// <param name="limit">Bytes that a stream may have unpacked.</param>
internal sealed class GzipUnpacker(KernelFile file, FileScanner scanner, long limit)
{
    /// <summary>Looks at a piece of what is unpacked.</summary>
    /// <returns>Whether to go on.</returns>
    public delegate bool PieceLook(ReadOnlySpan<byte> piece);

    /// <summary>Bytes that the shared buffer has, at most: more than nearly every kernel.</summary>
    public const int BufferLength = 24 << 20;

    private const int FixedHeader = 10;
    private const int Trailer = 8;
    private const int FlagsOffset = 3;
    private const byte HeaderChecksum = 2;
    private const byte Extra = 4;
    private const byte FileName = 8;
    private const byte Comment = 16;
    private const byte Reserved = 0xE0;

    /// <summary>Longer than any file name or comment that anybody wrote into a header; it bounds the time that a header costs.</summary>
    private const int LongestText = 4096;

    private readonly byte[] _input = new byte[1 << 16];
    private readonly byte[] _uncounted = new byte[1 << 16];
    private byte[] _buffer = [];
    private long _body;
    private long _length;

    /// <summary>Bytes that all attempts together have unpacked.</summary>
    public long Work { get; private set; }

    /// <summary>The beginning of what was unpacked last: all of it, or the first <see cref="BufferLength"/> bytes.</summary>
    public ReadOnlySpan<byte> Beginning => _buffer.AsSpan(0, (int)Math.Min(_length, _buffer.Length));

    /// <summary>Unpacks a stream, for a look at its <see cref="Beginning"/>.</summary>
    /// <param name="start">Where its 1F 8B 08 is.</param>
    /// <exception cref="LaunchException">The host cannot read the file.</exception>
    public GzipOutcome Try(long start)
    {
        _length = 0;
        GzipOutcome header = SkipHeader(start);
        if (header != GzipOutcome.Unpacked)
            return header;
        if (_buffer.Length == 0)
            _buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(limit, BufferLength));
        return Inflate(_buffer);
    }

    /// <summary>All of what was unpacked last.</summary>
    /// <exception cref="LaunchException">The file was changed meanwhile.</exception>
    public byte[] TakeWhole()
    {
        if (_length <= _buffer.Length)
            return Beginning.ToArray();
        _buffer = [];
        byte[] whole = GC.AllocateUninitializedArray<byte>((int)_length);
        if (Inflate(whole) != GzipOutcome.Unpacked || _length != whole.Length)
            throw new LaunchException($"{file.Name} was changed while it was read; start again when it is complete");
        return whole;
    }

    /// <summary>Unpacks a stream piece by piece, keeping nothing.</summary>
    /// <param name="start">Where its 1F 8B 08 is.</param>
    /// <param name="overlap">Bytes with which each piece but the first repeats the one before.</param>
    /// <param name="look">Sees the pieces.</param>
    /// <returns><see cref="GzipOutcome.Unpacked"/> when it was whole, or when <paramref name="look"/> did not want to see all of it.</returns>
    /// <exception cref="LaunchException">The host cannot read the file.</exception>
    public GzipOutcome Look(long start, int overlap, PieceLook look)
    {
        GzipOutcome header = SkipHeader(start);
        if (header != GzipOutcome.Unpacked)
            return header;
        int kept = 0;
        return Inflate(_ => new ArraySegment<byte>(_uncounted, kept, _uncounted.Length - kept), count =>
        {
            int end = kept + count;
            if (!look(_uncounted.AsSpan(0, end)))
                return false;
            kept = Math.Min(overlap, end);
            _uncounted.AsSpan(end - kept, kept).CopyTo(_uncounted);
            return true;
        });
    }

    private GzipOutcome Inflate(byte[] target) =>
        Inflate(length => length < target.Length ? new ArraySegment<byte>(target, (int)length, target.Length - (int)length) : _uncounted);

    /// <summary>Unpacks a stream.</summary>
    /// <param name="next">Where the next bytes go, by how many there are already; what is there is lost if it has been there before.</param>
    /// <param name="goOn">Hears how many bytes were put there, and says whether to go on.</param>
    private GzipOutcome Inflate(Func<long, ArraySegment<byte>> next, Func<int, bool>? goOn = null)
    {
        Inflater inflater = new(noHeader: true);
        Crc32 checksum = new();
        long read = _body;
        long length = 0;
        while (!inflater.IsFinished)
        {
            if (inflater.IsNeedingInput)
            {
                int given = (int)Math.Min(_input.Length, file.Length - read);
                if (given == 0)
                    return GzipOutcome.CutShort;
                file.Read(_input.AsSpan(0, given), read);
                inflater.SetInput(_input, 0, given);
                read += given;
            }

            // A byte more than allowed, to know that there is one.
            ArraySegment<byte> output = next(length);
            int room = (int)Math.Min(output.Count, limit + 1 - length);
            int count;
            try
            {
                count = inflater.Inflate(output.Array, output.Offset, room);
            }
            catch (Exception damage) when (damage is not OutOfMemoryException)
            {
                // The library has its own exception for damage, but not all damage gets that far: a bad code table ends in an index
                // out of range. Whatever it was, these bytes were no kernel.
                return GzipOutcome.Damaged;
            }

            checksum.Update(output[..count]);
            length += count;
            Work += count;
            if (length > limit)
            {
                // Its beginning may still say what it is.
                _length = limit;
                return GzipOutcome.TooLong;
            }

            if (count == 0 && !inflater.IsFinished && !inflater.IsNeedingInput)
                return GzipOutcome.Damaged;
            if (goOn?.Invoke(count) == false)
                return GzipOutcome.Unpacked;
        }

        ReadOnlySpan<byte> trailer = scanner.At(read - inflater.RemainingInput, Trailer);
        if (trailer.Length < Trailer)
            return GzipOutcome.CutShort;
        if (BinaryPrimitives.ReadUInt32LittleEndian(trailer) != (uint)checksum.Value
            || BinaryPrimitives.ReadUInt32LittleEndian(trailer[sizeof(uint)..]) != (uint)length)
        {
            return GzipOutcome.Damaged;
        }

        _length = length;
        return GzipOutcome.Unpacked;
    }

    private GzipOutcome SkipHeader(long start)
    {
        ReadOnlySpan<byte> header = scanner.At(start, FixedHeader);
        if (header.Length < FixedHeader)
            return GzipOutcome.CutShort;
        byte flags = header[FlagsOffset];
        if ((flags & Reserved) != 0)
            return GzipOutcome.Damaged;
        _body = start + FixedHeader;
        if ((flags & Extra) != 0)
        {
            ReadOnlySpan<byte> length = scanner.At(_body, sizeof(ushort));
            if (length.Length < sizeof(ushort))
                return GzipOutcome.CutShort;
            _body += sizeof(ushort) + BinaryPrimitives.ReadUInt16LittleEndian(length);
        }

        foreach (byte text in (ReadOnlySpan<byte>)[FileName, Comment])
        {
            if ((flags & text) == 0)
                continue;
            ReadOnlySpan<byte> place = scanner.At(_body, LongestText);
            int end = place.IndexOf((byte)0);
            if (end < 0)
                return place.Length < LongestText ? GzipOutcome.CutShort : GzipOutcome.Damaged;
            _body += end + 1;
        }

        if ((flags & HeaderChecksum) != 0)
            _body += sizeof(ushort);
        return _body < file.Length ? GzipOutcome.Unpacked : GzipOutcome.CutShort;
    }
}
