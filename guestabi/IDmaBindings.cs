// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>An array of buffers that the guest has bound with BIND_DMA (abi.md §3.3).</summary>
/// <param name="Array">Guest physical address of the first lguest_dma; may be any nonsense.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Irq">The irq to raise when one was used.</param>
public readonly record struct DmaBinding(uint Array, uint Count, uint Irq);

/// <summary>
/// What a channel may know besides what <c>/dev/lguest</c> tells: whether there are buffers at a key at all. GETDMA says the
/// same of a network that is down and of one whose buffers are all full, and a device has to treat them differently: the first
/// loses its packets, the second gets them a moment later.
/// </summary>
public interface IDmaBindings
{
    /// <summary>The guest has bound or unbound something. Raised on the thread that runs the guest, in the middle of a read.</summary>
    event Action? BindingsChanged;

    /// <summary>The array bound at a key, or null.</summary>
    DmaBinding? FindBinding(uint key);
}
