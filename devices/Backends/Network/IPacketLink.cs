// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Network;

/// <summary>The other end of a guest's network: where its packets come from and go to. Nothing here waits.</summary>
public interface IPacketLink : IDisposable
{
    /// <summary>A few words for the memory map.</summary>
    string Description { get; }

    /// <summary>The address of whoever is at the other end, for the guest to see; null when there are many, or nobody yet.</summary>
    MacAddress? Address => null;

    /// <summary>Readable (for <c>poll</c>) when a packet may be there.</summary>
    int Descriptor { get; }

    /// <summary>False when nothing will come any more: the interface was deleted, the helper died.</summary>
    bool IsAlive { get; }

    /// <summary>Whether a packet waits here that the descriptor does not tell of, since sending one brought it about.</summary>
    bool HoldsPackets => false;

    /// <summary>What became of it, as a sentence for the user; null while all is well.</summary>
    string? Trouble => null;

    /// <summary>Counts what the guest gets of it, if somebody wants to know.</summary>
    NetCounters? Counters => null;

    /// <summary>
    /// Bytes of the virtio header in front of each packet, both ways; 0: packets have none. A link with one takes packets whose checksums are
    /// unfinished, and TCP that is still to be cut into packets, as the header says.
    /// </summary>
    int HeaderBytes => 0;

    /// <summary>Takes the next packet; what of it does not fit into the target is lost, as with any network card.</summary>
    /// <returns>Bytes stored, or 0 when there is no packet now.</returns>
    int Receive(GuestVector target);

    /// <summary>Takes the next packet and forgets it.</summary>
    /// <returns>False when there is none.</returns>
    bool Discard();

    /// <summary>Sends a packet; the vector may be cut short.</summary>
    /// <param name="packet">An Ethernet packet.</param>
    /// <param name="port">To whom, where there are many; a wire has one other end, whatever the number.</param>
    /// <returns>Bytes of it that went out; 0 when it was lost.</returns>
    int Send(GuestVector packet, int port = 0);

    /// <summary>The guest's card is up or down, where the link has to know that.</summary>
    /// <param name="room">Bytes of the longest packet that it takes; 0: it is down.</param>
    /// <param name="takesUnfinished">Whether it takes packets with unfinished checksums; only where they have headers.</param>
    void Listen(int room, bool takesUnfinished)
    {
    }

    /// <summary>A guest is about to start, whose driver is going to make itself this address.</summary>
    void MeetGuest(MacAddress guest)
    {
    }
}
