// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Network;

/// <summary>What went through a network device, seen from the guest. Counted on one thread.</summary>
public sealed class NetCounters
{
    /// <summary>Packets that the guest got.</summary>
    public ulong Received { get; set; }

    /// <summary>Their bytes.</summary>
    public ulong ReceivedBytes { get; set; }

    /// <summary>Packets for the guest that were lost: its interface was down, or its buffer unusable.</summary>
    public ulong ReceiveDrops { get; set; }

    /// <summary>Packets that the guest sent and that went where they should.</summary>
    public ulong Sent { get; set; }

    /// <summary>Their bytes.</summary>
    public ulong SentBytes { get; set; }

    /// <summary>Packets of the guest that went nowhere: nobody there, or no room.</summary>
    public ulong SendDrops { get; set; }

    /// <summary>The guest sent a packet, of which some bytes (0: none) arrived.</summary>
    public void CountSent(int bytes)
    {
        if (bytes == 0)
        {
            SendDrops++;
            return;
        }

        Sent++;
        SentBytes += (uint)bytes;
    }
}
