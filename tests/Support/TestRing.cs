// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Tests.Support;

/// <summary>The driver's side of a virtqueue: puts chains into a ring in guest memory, and looks at what comes back.</summary>
/// <param name="memory">The guest's memory.</param>
/// <param name="layout">Where the queue is; its parts are cleared.</param>
public sealed class TestRing(GuestMemory memory, RingLayout layout)
{
    private ushort _offered;
    private ushort _next;

    /// <summary>Where the queue is.</summary>
    public RingLayout Layout => layout;

    /// <summary>What the device says it has completed.</summary>
    public ushort UsedIndex => memory.ReadValue<ushort>(layout.Used + sizeof(ushort));

    /// <summary>A piece of memory that the device reads.</summary>
    public static RingDescriptor Reads(uint address, uint length) => new() { Address = address, Length = length };

    /// <summary>A piece of memory that the device writes.</summary>
    public static RingDescriptor Writes(uint address, uint length) => new() { Address = address, Length = length, Flags = RingDescriptorFlags.Write };

    /// <summary>Puts a descriptor into the table, as it is.</summary>
    public void Set(uint index, RingDescriptor piece) => memory.WriteValue(layout.Descriptors + (index * RingDescriptor.Size), piece);

    /// <summary>Chains pieces, in the next entries of the table, and offers them.</summary>
    /// <returns>The head.</returns>
    public ushort Offer(params ReadOnlySpan<RingDescriptor> pieces)
    {
        ushort head = (ushort)(_next % layout.Size);
        for (int i = 0; i < pieces.Length; i++)
        {
            RingDescriptor piece = pieces[i];
            uint index = _next++ % layout.Size;
            if (i + 1 < pieces.Length)
            {
                piece.Flags |= RingDescriptorFlags.Next;
                piece.Next = (ushort)(_next % layout.Size);
            }

            Set(index, piece);
        }

        OfferHead(head);
        return head;
    }

    /// <summary>Offers an entry of the table, whatever is there.</summary>
    public void OfferHead(ushort head)
    {
        memory.WriteValue(layout.Available + RingLayout.Head + (_offered % layout.Size * sizeof(ushort)), head);
        SetOffered(++_offered);
    }

    /// <summary>Says how many chains have been offered, ever.</summary>
    public void SetOffered(ushort index) => memory.WriteValue(layout.Available + sizeof(ushort), index);

    /// <summary>Wants interrupts, or none.</summary>
    public void WantInterrupts(bool wanted) => memory.WriteValue(layout.Available, wanted ? (ushort)0 : (ushort)1);

    /// <summary>An entry of the used ring.</summary>
    public (uint Head, uint Written) Used(uint index)
    {
        uint entry = layout.Used + RingLayout.Head + (index % layout.Size * RingLayout.UsedEntry);
        return (memory.ReadUInt32(entry), memory.ReadUInt32(entry + sizeof(uint)));
    }
}
