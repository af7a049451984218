// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.GuestAbi;

// [P:170] How data moves
// A list of up to sixteen pieces of guest memory, and a word that says how much of them was used. A guest sends one to a *key* (a
// number that stands for a device), or leaves one at a key for what may come. Disks, networks and the console are all made of
// this.
/// <summary>
/// <c>struct lguest_dma</c>: a scatter list in guest memory, 100 bytes (abi.md §6.1). The first section of length 0 ends it.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
public unsafe struct LguestDma
{
    /// <summary>Size in bytes.</summary>
    public const int Size = 100;

    /// <summary>Sections at most.</summary>
    public const int MaxSections = 16;

    /// <summary>Bindings (arrays of buffers) that a guest may have.</summary>
    public const int MaxBindings = 32;

    /// <summary>0 when the buffer is free; the bytes transferred once it has been used.</summary>
    public uint UsedLen;

    /// <summary>Guest physical address of each section.</summary>
    public fixed uint Addr[MaxSections];

    /// <summary>Bytes of each section.</summary>
    public fixed ushort Len[MaxSections];
}
