// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Network;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

// [D:220] A network of guests
/// <summary>
/// A network between guests: the page of the network file is mapped into the guest, who publishes its address in its own slot,
/// binds its receive buffers at page + 4 × slot, and sends to page + 4 × peer for each peer that the packet is for (abi.md §6.6).
/// used_len is what arrived: 0 when the peer is gone, has nothing bound, or does not use its second chance.
/// </summary>
/// <param name="segment">Our place on it; it outlives the device.</param>
internal sealed unsafe class SegmentSlots(SharedSegment segment) : INetSlots
{
    private GuestMemory? _memory;

    /// <inheritdoc/>
    public int Own => segment.Page.Slot;

    /// <summary>Packets that never leave the host need no checksums.</summary>
    public DeviceFeatures Features => DeviceFeatures.NoChecksum;

    /// <inheritdoc/>
    public bool RemindsWhenFull => true;

    /// <inheritdoc/>
    public bool Has(int slot) => true;

    /// <inheritdoc/>
    public void Attach(GuestMemory memory, uint page)
    {
        // A guest that restarts is not there until it says so.
        segment.Page.ClearSlot(segment.Page.Slot, segment.FreeSlot);
        segment.SetCapacity(0);
        memory.MapFile(page, segment.Page.Descriptor, 0);
        _memory = memory;
    }

    /// <summary>Peers learn whether there is anybody to send to.</summary>
    public void Follow(IDmaGuest guest, uint key) =>
        guest.BindingsChanged += () => segment.SetCapacity(guest.FindBinding(key) is { } bound ? CapacityOf(bound) : 0);

    /// <summary>Bytes that the largest of the bound buffers holds.</summary>
    private uint CapacityOf(DmaBinding binding)
    {
        // A driver's buffers are all alike, and eight; a guest that binds thousands is measured by its first.
        const uint Enough = 64;
        uint largest = 0;
        for (uint i = 0; i < Math.Min(binding.Count, Enough); i++)
        {
            ulong address = binding.Array + ((ulong)i * LguestDma.Size);
            if (address > uint.MaxValue || !_memory!.Contains((uint)address, LguestDma.Size))
                break;
            // Read once; the sum is a hint to the peers, and no transfer believes it.
            LguestDma dma = _memory.ReadValue<LguestDma>((uint)address);
            uint bytes = 0;
            for (int section = 0; section < LguestDma.MaxSections && dma.Len[section] != 0; section++)
                bytes += dma.Len[section];
            largest = Math.Max(largest, bytes);
        }

        return largest;
    }
}
