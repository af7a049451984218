// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>An array of buffers that the guest has bound with BIND_DMA (abi.md §3.3).</summary>
/// <param name="Array">Guest physical address of the first lguest_dma; may be any nonsense.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Irq">The irq to raise when one was used.</param>
public readonly record struct DmaBinding(uint Array, uint Count, uint Irq);
