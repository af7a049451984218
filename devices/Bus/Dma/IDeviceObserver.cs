// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Bus.Dma;

/// <summary>Sees what goes between a guest and its devices, on the thread that owns the guest.</summary>
public interface IDeviceObserver
{
    /// <summary>A device is about to look at what the guest sent.</summary>
    /// <param name="device">Which.</param>
    /// <param name="dmaAddress">Guest physical address of the <c>lguest_dma</c>; may be any nonsense.</param>
    void Sending(IGuestDevice device, uint dmaAddress);

    /// <summary>It has.</summary>
    /// <param name="device">Which.</param>
    /// <param name="used">Bytes that it took; a disk's answer is in its page.</param>
    void Sent(IGuestDevice device, uint used);

    /// <summary>A device has put input into a buffer of the guest's: a packet, or what was typed.</summary>
    /// <param name="device">Which.</param>
    /// <param name="bytes">How much.</param>
    void Delivered(IGuestDevice device, uint bytes);
}
