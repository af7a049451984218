// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Devices.Backends.Network;

// [D:225] A network card on a network of guests
/// <summary>
/// A place on a segment for a guest that knows no page of slots (abi.md §6.6): does for its network card what the driver of 2.6.23 does by
/// itself. It publishes the card's address, and sends each packet to those whom it is for. Both kinds of guests are on one network.
/// </summary>
/// <param name="segment">Our place on it; it outlives this.</param>
/// <param name="address">The card's address.</param>
public sealed class SegmentSwitch(SharedSegment segment, MacAddress address) : IPacketLink
{
    private readonly GuestVector _copy = new();
    private readonly byte[] _frame = GC.AllocateArray<byte>(SegmentMessage.MaxPacket, pinned: true);
    private readonly byte[] _page = new byte[NetPage.Slots * MacAddress.Size];

    /// <inheritdoc/>
    public string Description => segment.Description;

    /// <inheritdoc/>
    public int Descriptor => segment.Descriptor;

    /// <inheritdoc/>
    public bool IsAlive => segment.IsAlive;

    /// <inheritdoc/>
    public string? Trouble => segment.Trouble;

    /// <inheritdoc/>
    public NetCounters? Counters => segment.Counters;

    /// <summary>The others learn whether there is anybody to send to.</summary>
    public void Listen(int room, bool takesUnfinished)
    {
        if (room > 0)
            segment.Page.WriteAddress(segment.Page.Slot, address);
        else
            segment.Page.ClearSlot(segment.Page.Slot, segment.FreeSlot);
        segment.SetCapacity((uint)room);
    }

    /// <summary>
    /// Takes the next packet. Guests of 2.6.23 leave checksums unfinished on such a network, and a driver that has not been told so would
    /// drop the packet.
    /// </summary>
    public int Receive(GuestVector target)
    {
        _copy.LoadHost(_frame, _frame.Length);
        int length = segment.Receive(_copy);
        Span<byte> packet = _frame.AsSpan(0, length);
        ChecksumRepair.Finish(packet);
        return target.CopyFrom(packet);
    }

    /// <inheritdoc/>
    public bool Discard() => segment.Discard();

    /// <summary>Sends a packet to each guest that it is for.</summary>
    /// <returns>Bytes that arrived at one of them at least; 0 when it was lost.</returns>
    public int Send(GuestVector packet, int port = 0)
    {
        if (packet.Length is < MacAddress.Size or > SegmentMessage.MaxPacket || !segment.Page.TryReadAddresses(_page))
            return 0;

        // Read once: where it goes and what arrives there is decided on this copy.
        int length = packet.CopyTo(_frame);
        MacAddress to = MacAddress.From(_frame);
        bool toAll = (_frame[0] & MacAddress.PromiscuousBit) != 0;
        int arrived = 0;
        for (int slot = 0; slot < NetPage.Slots; slot++)
        {
            ReadOnlySpan<byte> there = _page.AsSpan(slot * MacAddress.Size, MacAddress.Size);
            MacAddress peer = MacAddress.From(there);
            if (slot == segment.Page.Slot || SegmentFile.IsFree(peer))
                continue;
            bool takesAll = (there[0] & MacAddress.PromiscuousBit) != 0;
            if (!toAll && !takesAll && peer != to)
                continue;
            _copy.LoadHost(_frame, length);
            arrived = Math.Max(arrived, segment.Send(_copy, slot));
        }

        return arrived;
    }

    /// <summary>Nothing: the place on the segment is somebody else's.</summary>
    public void Dispose()
    {
    }
}
