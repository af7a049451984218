// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Processor;

/// <summary>A gate of the guest's interrupt table. 0 everywhere: not set.</summary>
/// <param name="Handler">Address of the handler.</param>
/// <param name="IsInterruptGate">0xE: interrupts are off in the handler (0xF: left alone).</param>
/// <param name="Dpl">The least privileged ring that may raise it with <c>int n</c>.</param>
/// <param name="Present">Whether there is a gate.</param>
public readonly record struct Gate(uint Handler, bool IsInterruptGate, uint Dpl, bool Present);
