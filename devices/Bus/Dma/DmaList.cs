// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

/// <summary>The scatter list of this bus, a <c>lguest_dma</c> (abi.md §6.1), turned into a <see cref="GuestVector"/>.</summary>
public static class DmaList
{
    // [D:140+24] Read once
    // A scatter list is the guest's memory: the guest could change it while we look, if it had a second processor; and in a page
    // that is shared with other guests, somebody else can. Whoever checks an address and then reads it *again* has checked
    // nothing. So the list is copied in one go, and the copy is what is checked and used. This rule holds wherever the host reads
    // what others can write, and you will find its mark, "Read once", all over the source ([M:130]).
    /// <summary>Takes the sections of a <c>lguest_dma</c>: up to 16, 65535 bytes each.</summary>
    /// <param name="vector">Gets them; what it held is forgotten.</param>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="dmaAddress">Guest physical address of the structure.</param>
    /// <param name="toGuest">True when the guest's memory is going to be written: engines are told.</param>
    /// <exception cref="GuestAddressException">The structure or one of its sections is not the guest's; nothing is taken.</exception>
    public static unsafe void Load(this GuestVector vector, GuestMemory memory, uint dmaAddress, bool toGuest)
    {
        vector.Clear();

        // Read once: the list may lie where other processes write. What is checked is what is used.
        LguestDma dma = memory.ReadValue<LguestDma>(dmaAddress);
        for (int i = 0; i < LguestDma.MaxSections && dma.Len[i] != 0; i++)
        {
            // Checked before the first observer is told, so that a bad section at the end leaves no trace.
            if (!memory.Contains(dma.Addr[i], dma.Len[i]))
                throw new GuestAddressException(dma.Addr[i], dma.Len[i]);
        }

        for (int i = 0; i < LguestDma.MaxSections && dma.Len[i] != 0; i++)
            vector.Add(memory, dma.Addr[i], dma.Len[i], toGuest);
    }
}
