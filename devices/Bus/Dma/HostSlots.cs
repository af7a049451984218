// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Network;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

// [D:210] A network with the host
/// <summary>
/// A network of two: the host (or whoever is beyond it) in slot 0 of the page, the guest in slot 1. The guest sends to the
/// key page + 0 and binds its receive buffers at page + 4 (abi.md §6.5). The host's address carries the promiscuous bit, so that
/// the guest sends it every packet, whatever the destination: others may be bridged or routed there.
/// </summary>
/// <param name="host">Whose address the guest sees.</param>
internal sealed class HostSlots(MacAddress host) : INetSlots
{
    /// <inheritdoc/>
    public int Own => 1;

    /// <summary>The timing of packets from outside is random. Checksums are needed out there.</summary>
    public DeviceFeatures Features => DeviceFeatures.Randomness;

    /// <inheritdoc/>
    public bool RemindsWhenFull => false;

    /// <inheritdoc/>
    public bool Has(int slot) => slot == 0;

    /// <inheritdoc/>
    public void Attach(GuestMemory memory, uint page)
    {
        Span<byte> slot = memory.Write(page, MacAddress.Size);
        host.CopyTo(slot);
        slot[0] |= MacAddress.PromiscuousBit;
    }

    /// <inheritdoc/>
    public void Follow(IDmaGuest guest, uint key)
    {
    }
}
