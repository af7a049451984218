// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Virtio;

/// <summary>A source of random bytes (abi.md §10): one queue of buffers to fill.</summary>
/// <param name="entropy">Where they come from.</param>
/// <param name="memory">The guest's memory.</param>
/// <param name="format">What requests look like.</param>
/// <param name="complaints">Who hears of drivers that break a rule.</param>
public sealed class VirtioEntropy(EntropyModel entropy, GuestMemory memory, VirtioFormat format, Complaints? complaints = null)
    : VirtioDevice(memory, format, queues: 1, complaints)
{
    /// <inheritdoc/>
    public override DeviceModel Model => entropy;

    /// <inheritdoc/>
    public override VirtioId Id => VirtioId.Entropy;

    /// <inheritdoc/>
    protected override uint Answer(int queue, VirtqueueChain request) => (uint)entropy.Fill(request.In);
}
