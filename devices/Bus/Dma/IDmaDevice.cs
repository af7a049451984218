// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Models;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

/// <summary>
/// A device as this bus sees it: what to write in its descriptor, and what to do when the guest sends it something. It brings the
/// guest's requests to a <see cref="DeviceModel"/>, and never throws for what a guest does. One that has input is an
/// <see cref="IInputDevice"/>, too.
/// </summary>
public interface IDmaDevice
{
    /// <summary>What it does.</summary>
    DeviceModel Model { get; }

    /// <summary>What the descriptor says it is.</summary>
    DeviceType Type { get; }

    /// <summary>The descriptor's feature bits.</summary>
    DeviceFeatures Features { get; }

    /// <summary>Pages of device memory that it wants (0 for none).</summary>
    int PageCount { get; }

    /// <summary>Called once, when the bus has given the device its place.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="firstPage">Guest physical address of its first page; 0 when it has none.</param>
    void Attach(GuestMemory memory, uint firstPage);

    /// <summary>The guest exists. Called once, after <see cref="Attach"/>; for devices that have something for it, or follow what it binds.</summary>
    void Connect(IDmaGuest guest)
    {
    }

    /// <summary>Whether DMA sent to this key is for the device.</summary>
    bool Watches(uint key);

    /// <summary>The guest sent DMA to one of the device's keys.</summary>
    /// <param name="guest">The guest, for a reply.</param>
    /// <param name="key">Which: one that it <see cref="Watches"/>.</param>
    /// <param name="sent">What was sent: guest memory, checked. It is valid during the call only.</param>
    /// <returns>Bytes taken: what goes to the DMA's used_len.</returns>
    uint HandleOutput(IDmaGuest guest, uint key, GuestVector sent);
}
