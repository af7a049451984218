// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>How a guest finds its devices and speaks to them, where that is by DMA (abi.md §6).</summary>
/// <param name="ConsoleKey">The key to which console output is sent and at which console input is bound.</param>
/// <param name="FreeNetSlot">The byte that fills the MAC address of a free slot on a network page.</param>
public sealed record DmaProtocol(uint ConsoleKey, byte FreeNetSlot);
