// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Net;

namespace Lguest.Devices.Backends.Network;

/// <summary>
/// What passt needs to be helped with, so that a forwarded port reaches a guest. Seen with the passt of 2023-03-09, which is
/// Debian 12's; newer ones do the same for themselves, and what is here does not disturb them.
/// </summary>
internal static class PasstHelp
{
    /// <summary>Bytes of a packet that are looked at: Ethernet, the longest IPv4 header, the fixed part of TCP's.</summary>
    public const int Header = Ethernet + 60 + TcpLength;

    private const int Ethernet = 14;
    private const int Ipv4Length = 20;
    private const int TcpLength = 20;
    private const ushort Ipv4 = 0x0800;
    private const ushort Arp = 0x0806;

    /// <summary>
    /// A question for the gateway's address in the name of a guest that has not said a word yet. passt sends packets to nobody's
    /// address, 00:00:00:00:00:00, until it has heard one from the guest; and a guest that serves and waits says nothing.
    /// </summary>
    public static byte[] Introduction(MacAddress guest, IPAddress address, IPAddress gateway)
    {
        byte[] frame = new byte[Ethernet + 28];
        frame.AsSpan(0, MacAddress.Size).Fill(0xFF);
        guest.CopyTo(frame.AsSpan(6));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), Arp);

        // Ethernet and IPv4, addresses of 6 bytes and 4: a request.
        ReadOnlySpan<byte> request = [0, 1, 8, 0, 6, 4, 0, 1];
        request.CopyTo(frame.AsSpan(Ethernet));
        guest.CopyTo(frame.AsSpan(22));
        address.GetAddressBytes().CopyTo(frame, 28);
        gateway.GetAddressBytes().CopyTo(frame, 38);
        return frame;
    }

    /// <summary>
    /// Bytes of a packet without what was added to make it as long as an Ethernet packet must be: passt drops IPv4 packets whose
    /// length is not what their header says.
    /// </summary>
    /// <param name="header">The beginning of the packet.</param>
    /// <param name="length">Its length.</param>
    public static int WithoutPadding(ReadOnlySpan<byte> header, int length)
    {
        if (header.Length < Ethernet + Ipv4Length || BinaryPrimitives.ReadUInt16BigEndian(header[12..]) != Ipv4)
            return length;
        int total = BinaryPrimitives.ReadUInt16BigEndian(header[(Ethernet + 2)..]);
        return total < Ipv4Length ? length : Math.Min(length, Ethernet + total);
    }

    /// <summary>
    /// The last word of a TCP handshake that somebody outside began: passt sends it along with the first data, and has none
    /// while it is the guest's turn to speak first.
    /// </summary>
    /// <param name="header">The beginning of a packet from the guest.</param>
    /// <returns>The packet to give to the guest, or null when its own was no answer to a connection.</returns>
    public static byte[]? LastWordOfHandshake(ReadOnlySpan<byte> header)
    {
        const byte tcp = 6;
        const int fragmentBits = 0x3FFF;
        if (header.Length < Ethernet + Ipv4Length + TcpLength || BinaryPrimitives.ReadUInt16BigEndian(header[12..]) != Ipv4)
            return null;
        ReadOnlySpan<byte> ip = header[Ethernet..];
        int ipLength = (ip[0] & 0xF) * 4;
        bool fragment = (BinaryPrimitives.ReadUInt16BigEndian(ip[6..]) & fragmentBits) != 0;
        if (ip[0] >> 4 != 4 || ip[9] != tcp || fragment || ipLength < Ipv4Length || ip.Length < ipLength + TcpLength)
            return null;
        ReadOnlySpan<byte> segment = ip[ipLength..];
        const int flagsAt = 13;
        const byte finSynRstAck = 0x17;
        const byte synAck = 0x12;
        const byte ack = 0x10;
        if ((segment[flagsAt] & finSynRstAck) != synAck)
            return null;

        byte[] frame = new byte[Ethernet + Ipv4Length + TcpLength];
        header[6..12].CopyTo(frame);
        header[..6].CopyTo(frame.AsSpan(6));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), Ipv4);

        Span<byte> answer = frame.AsSpan(Ethernet);
        const byte version4 = 0x45;
        const byte hops = 64;
        answer[0] = version4;
        BinaryPrimitives.WriteUInt16BigEndian(answer[2..], Ipv4Length + TcpLength);
        answer[8] = hops;
        answer[9] = tcp;
        ip[16..20].CopyTo(answer[12..]);
        ip[12..16].CopyTo(answer[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(answer[10..], (ushort)~InternetChecksum.Fold(InternetChecksum.Add(answer[..Ipv4Length], 0)));

        Span<byte> word = answer[Ipv4Length..];
        segment[2..4].CopyTo(word);
        segment[..2].CopyTo(word[2..]);
        segment[8..12].CopyTo(word[4..]);
        BinaryPrimitives.WriteUInt32BigEndian(word[8..], BinaryPrimitives.ReadUInt32BigEndian(segment[4..]) + 1);
        word[12] = TcpLength / 4 << 4;
        word[flagsAt] = ack;

        // The window that passt shows in its first packet.
        BinaryPrimitives.WriteUInt16BigEndian(word[14..], ushort.MaxValue);
        uint pseudo = InternetChecksum.Add(answer[12..20], tcp + TcpLength);
        BinaryPrimitives.WriteUInt16BigEndian(word[16..], (ushort)~InternetChecksum.Fold(InternetChecksum.Add(word, pseudo)));
        return frame;
    }
}
