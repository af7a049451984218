// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Devices.Backends.Network;

/// <summary>
/// What launchers of a segment say to each other: messages, each beginning with one of these words. The sender of packets
/// connects to the receiver; packets and queries go one way, states and reports the other. Nobody believes more than the length
/// that the kernel gives a message: one that is not exactly right ends the connection.
/// </summary>
internal static class SegmentMessage
{
    /// <summary>Followed by an Ethernet packet.</summary>
    public const uint Packet = 0x316B_704C;

    /// <summary>Followed by a u32: bytes that the receiver's buffers hold; 0 while its guest has bound none.</summary>
    public const uint State = 0x3174_734C;

    /// <summary>Alone: asks for a report.</summary>
    public const uint Query = 0x3172_714C;

    /// <summary>Followed by a <see cref="SegmentReport"/>.</summary>
    public const uint Report = 0x3170_724C;

    /// <summary>Bytes of a packet at most: more than any guest's driver sends, less than would strain a socket.</summary>
    public const int MaxPacket = 65536;
}

/// <summary>What a launcher tells of its place on the segment.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct SegmentReport
{
    /// <summary>Packets that the guest got.</summary>
    public ulong Received { get; init; }

    /// <summary>Their bytes.</summary>
    public ulong ReceivedBytes { get; init; }

    /// <summary>Packets for the guest that were lost.</summary>
    public ulong ReceiveDrops { get; init; }

    /// <summary>Packets of the guest that arrived.</summary>
    public ulong Sent { get; init; }

    /// <summary>Their bytes.</summary>
    public ulong SentBytes { get; init; }

    /// <summary>Packets of the guest that went nowhere.</summary>
    public ulong SendDrops { get; init; }
}
