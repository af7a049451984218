// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>The page of a network device: an array of Ethernet addresses, one per slot (abi.md §6.5).</summary>
public static class NetPage
{
    /// <summary>Bytes of an Ethernet address, and so of a slot.</summary>
    public const int AddressSize = 6;

    /// <summary>Slots on a page: those whose six bytes are all on it.</summary>
    public const int Slots = (int)Page.Size / AddressSize;

    /// <summary>What to add to the page's address for the DMA key of a slot.</summary>
    public static uint KeyOf(int slot) => 4u * (uint)slot;

    /// <summary>The slot of a key, or −1.</summary>
    /// <param name="page">Guest physical address of the page.</param>
    /// <param name="key">A DMA key.</param>
    public static int SlotOf(uint page, uint key)
    {
        uint offset = key - page;
        return offset % 4 == 0 && offset / 4 < Slots ? (int)(offset / 4) : -1;
    }
}
