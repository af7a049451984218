// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

// [D:130] What a device is
/// <summary>
/// A device as the bus sees it: what to write in its descriptor, and what to do when the guest sends it something. A device
/// never throws for what a guest does: whatever nonsense is asked, the guest gets an error, and the launcher lives.
/// </summary>
public interface IGuestDevice
{
    /// <summary>What the descriptor says it is.</summary>
    DeviceType Type { get; }

    /// <summary>The descriptor's feature bits.</summary>
    DeviceFeatures Features { get; }

    /// <summary>Pages of device memory that it wants (0 for none).</summary>
    int PageCount { get; }

    /// <summary>A few words for the memory map: what it is and where its data goes.</summary>
    string Description { get; }

    /// <summary>Called once, when the bus has given the device its place.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="firstPage">Guest physical address of its first page; 0 when it has none.</param>
    void Attach(GuestMemory memory, uint firstPage);

    /// <summary>Whether DMA sent to this key is for the device.</summary>
    bool Watches(uint key);

    /// <summary>The guest sent DMA to one of the device's keys.</summary>
    /// <param name="channel">The guest's channel, for a reply.</param>
    /// <param name="key">Which: one that it <see cref="Watches"/>.</param>
    /// <param name="sent">What was sent: guest memory, checked. It is valid during the call only.</param>
    /// <returns>Bytes taken: what goes to the DMA's used_len.</returns>
    uint HandleOutput(IGuestChannel channel, uint key, GuestVector sent);
}

/// <summary>A device that also brings the guest something from the host.</summary>
public interface IInputDevice : IGuestDevice
{
    /// <summary>The descriptor to poll for input while <see cref="WantsInput"/>.</summary>
    int InputDescriptor { get; }

    /// <summary>Whether there is any point in polling: the input has not ended, and there is room to put it.</summary>
    bool WantsInput { get; }

    /// <summary>Told of each piece of input that the guest got, with its bytes; null: nobody asks.</summary>
    Action<uint>? Delivered { get; set; }

    /// <summary>Input has been read that the guest had no buffer for: <see cref="Deliver"/> should be tried again.</summary>
    bool HoldsInput { get; }

    /// <summary>Reads what is there. Called when the descriptor is readable.</summary>
    void ReadInput();

    /// <summary>Gives the guest what was read, if it has a buffer bound and free.</summary>
    /// <returns>Whether the guest got anything: then it is worth trying again soon, if more is held.</returns>
    bool Deliver(IGuestChannel channel);
}
