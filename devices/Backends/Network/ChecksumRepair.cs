// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace Lguest.Devices.Backends.Network;

/// <summary>
/// Guests on a shared network leave the checksums of TCP and UDP unfinished, as they are told they may (abi.md §6.6): the field
/// holds the sum of the pseudo header only. When one of them routes such a packet to the world outside, somebody has to finish
/// it. The first launcher asked the tun driver not to look (TUNSETNOCSUM); Linux has ignored that since 2.6.32.
/// </summary>
internal static class ChecksumRepair
{
    private const int EthernetHeader = 14;
    private const ushort Ipv4 = 0x0800;
    private const byte Tcp = 6;
    private const byte Udp = 17;

    /// <summary>Finishes the checksum of a packet, if that is what it needs.</summary>
    /// <param name="frame">An Ethernet packet.</param>
    /// <returns>Whether it was changed.</returns>
    public static bool Finish(Span<byte> frame)
    {
        const int LeastHeader = 20;
        if (frame.Length < EthernetHeader + LeastHeader || BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != Ipv4)
            return false;
        Span<byte> ip = frame[EthernetHeader..];
        int header = (ip[0] & 0xF) * 4;
        int total = BinaryPrimitives.ReadUInt16BigEndian(ip[2..]);

        // A fragment is never unfinished: who cuts a packet up finishes it first.
        const int FragmentBits = 0x3FFF;
        bool fragment = (BinaryPrimitives.ReadUInt16BigEndian(ip[6..]) & FragmentBits) != 0;
        int field = ip[9] switch { Tcp => 16, Udp => 6, _ => -1 };
        if (ip[0] >> 4 != 4 || header < LeastHeader || total > ip.Length || field < 0 || fragment || total < header + field + 2)
            return false;

        Span<byte> segment = ip[header..total];
        uint pseudo = InternetChecksum.Add(ip[12..20], (uint)(ip[9] + segment.Length));
        ushort found = BinaryPrimitives.ReadUInt16BigEndian(segment[field..]);
        if (found != InternetChecksum.Fold(pseudo) || InternetChecksum.Fold(InternetChecksum.Add(segment, pseudo)) == ushort.MaxValue)
            return false;
        BinaryPrimitives.WriteUInt16BigEndian(segment[field..], 0);
        ushort sum = (ushort)~InternetChecksum.Fold(InternetChecksum.Add(segment, pseudo));

        // To UDP a checksum of 0 means that there is none.
        BinaryPrimitives.WriteUInt16BigEndian(segment[field..], sum == 0 && ip[9] == Udp ? ushort.MaxValue : sum);
        return true;
    }
}
