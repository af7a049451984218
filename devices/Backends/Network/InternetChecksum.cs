// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace Lguest.Devices.Backends.Network;

/// <summary>The sum of 16-bit words, carries added in, that IP, TCP and UDP protect their packets with (RFC 1071).</summary>
internal static class InternetChecksum
{
    /// <summary>Adds bytes to a sum that is folded in the end.</summary>
    public static uint Add(ReadOnlySpan<byte> bytes, uint sum)
    {
        for (; bytes.Length >= 2; bytes = bytes[2..])
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
        return bytes.Length > 0 ? sum + ((uint)bytes[0] << 8) : sum;
    }

    /// <summary>Adds the carries in.</summary>
    public static ushort Fold(uint sum)
    {
        while (sum >> 16 != 0)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)sum;
    }
}
