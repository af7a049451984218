// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Network;

/// <summary>Where a guest's packets come from. Nothing here waits.</summary>
public interface IPacketSource
{
    /// <summary>Readable (for <c>poll</c>) when a packet may be there.</summary>
    int Descriptor { get; }

    /// <summary>False when nothing will come any more: the interface was deleted, the helper died.</summary>
    bool IsAlive { get; }

    /// <summary>Takes the next packet; what of it does not fit into the target is lost, as with any network card.</summary>
    /// <returns>Bytes stored, or 0 when there is no packet now.</returns>
    int Receive(GuestVector target);

    /// <summary>Takes the next packet and forgets it.</summary>
    /// <returns>False when there is none.</returns>
    bool Discard();
}

/// <summary>The other end of a wire with two ends.</summary>
public interface IPacketLink : IPacketSource, IDisposable
{
    /// <summary>A few words for the memory map.</summary>
    string Description { get; }

    /// <summary>The address of whoever is at the other end, for the guest to see.</summary>
    MacAddress Address { get; }

    /// <summary>Whether a packet waits here that the descriptor does not tell of, since sending one brought it about.</summary>
    bool HoldsPackets => false;

    /// <summary>What became of it, as a sentence for the user; null while all is well.</summary>
    string? Trouble => null;

    /// <summary>Sends a packet; the vector may be cut short.</summary>
    /// <returns>Bytes of it that went out; 0 when it was lost.</returns>
    int Send(GuestVector packet);

    /// <summary>A guest is about to start, whose driver is going to make itself this address.</summary>
    void MeetGuest(MacAddress guest)
    {
    }
}
