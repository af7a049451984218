// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using ICSharpCode.SharpZipLib;
using ICSharpCode.SharpZipLib.Checksum;
using ICSharpCode.SharpZipLib.Zip.Compression;

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
/// One gzip stream (RFC 1952) somewhere in the middle of other bytes. The library's own stream class would read on behind the
/// end and take what follows for another member, so its header is read here, and the library does the inflating.
/// </summary>
internal static class GzipStream
{
    private const int FixedHeader = 10;
    private const int Trailer = 8;
    private const byte HeaderChecksum = 2;
    private const byte Extra = 4;
    private const byte FileName = 8;
    private const byte Comment = 16;
    private const byte Reserved = 0xE0;

    /// <summary>Unpacks.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="start">Where the stream's 1F 8B 08 stand.</param>
    /// <param name="limit">Bytes allowed.</param>
    /// <param name="unpacked">What came out, when it is <see cref="GzipOutcome.Unpacked"/>.</param>
    public static GzipOutcome TryUnpack(byte[] bytes, int start, int limit, out byte[] unpacked)
    {
        unpacked = [];
        GzipOutcome header = SkipHeader(bytes, start, out int body);
        if (header != GzipOutcome.Unpacked)
            return header;

        Inflater inflater = new(noHeader: true);
        inflater.SetInput(bytes, body, bytes.Length - body);
        byte[] output = new byte[Math.Min(limit, 1 << 20)];
        int length = 0;
        try
        {
            while (!inflater.IsFinished)
            {
                if (length == output.Length)
                {
                    if (length == limit)
                        return GzipOutcome.TooLong;
                    Array.Resize(ref output, (int)Math.Min(limit, 2L * length));
                }

                int count = inflater.Inflate(output, length, output.Length - length);
                length += count;
                if (count == 0 && !inflater.IsFinished && (inflater.IsNeedingInput || inflater.IsNeedingDictionary))
                    return inflater.IsNeedingInput ? GzipOutcome.CutShort : GzipOutcome.Damaged;
            }
        }
        catch (SharpZipBaseException)
        {
            return GzipOutcome.Damaged;
        }

        int trailer = bytes.Length - inflater.RemainingInput;
        if (bytes.Length - trailer < Trailer)
            return GzipOutcome.CutShort;
        Crc32 checksum = new();
        checksum.Update(new ArraySegment<byte>(output, 0, length));
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(trailer)) != (uint)checksum.Value
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(trailer + 4)) != (uint)length)
        {
            return GzipOutcome.Damaged;
        }

        Array.Resize(ref output, length);
        unpacked = output;
        return GzipOutcome.Unpacked;
    }

    private static GzipOutcome SkipHeader(byte[] bytes, int start, out int body)
    {
        body = start + FixedHeader;
        if (body > bytes.Length)
            return GzipOutcome.CutShort;
        byte flags = bytes[start + 3];
        if ((flags & Reserved) != 0)
            return GzipOutcome.Damaged;
        if ((flags & Extra) != 0)
        {
            if (body + 2 > bytes.Length)
                return GzipOutcome.CutShort;
            body += 2 + BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(body));
        }

        foreach (byte text in (ReadOnlySpan<byte>)[FileName, Comment])
        {
            if ((flags & text) == 0)
                continue;
            int end = body < bytes.Length ? Array.IndexOf(bytes, (byte)0, body) : -1;
            if (end < 0)
                return GzipOutcome.CutShort;
            body = end + 1;
        }

        if ((flags & HeaderChecksum) != 0)
            body += 2;
        return body < bytes.Length ? GzipOutcome.Unpacked : GzipOutcome.CutShort;
    }
}
