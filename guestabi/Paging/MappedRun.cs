// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Paging;

/// <summary>Pages that follow one another with the same rights.</summary>
/// <param name="Start">First linear address.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Physical">Guest physical address of the first; the others follow it only if <paramref name="IsLinear"/>.</param>
/// <param name="Rights">Writable, User.</param>
/// <param name="IsLinear">Whether they follow one another in physical memory too.</param>
public readonly record struct MappedRun(uint Start, ulong Length, uint Physical, PageFlags Rights, bool IsLinear);
