// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

/// <summary>
/// Who is in which slot of a network's page (abi.md §6.5): the guest binds its buffers at the key of its own slot, and sends to those
/// of others.
/// </summary>
internal interface INetSlots
{
    /// <summary>The guest's slot.</summary>
    int Own { get; }

    /// <summary>Feature bits of such a network, without the slot.</summary>
    DeviceFeatures Features { get; }

    /// <summary>Raise the irq even when every buffer is full: for a peer's packet that gives the guest its second chance.</summary>
    bool RemindsWhenFull { get; }

    /// <summary>Whether somebody may be in a slot.</summary>
    bool Has(int slot);

    /// <summary>The device has its page.</summary>
    void Attach(GuestMemory memory, uint page);

    /// <summary>Follows what the guest binds.</summary>
    /// <param name="bindings">Says when it binds.</param>
    /// <param name="key">Where its buffers are.</param>
    void Follow(IDmaGuest guest, uint key);
}
