// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.GuestAbi.Virtio;

/// <summary>Flags of a <see cref="RingDescriptor"/>.</summary>
[Flags]
public enum RingDescriptorFlags : ushort
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The chain goes on at <see cref="RingDescriptor.Next"/>.</summary>
    Next = 1,

    /// <summary>The device writes there; without it, it reads.</summary>
    Write = 2,

    /// <summary>The memory is a table of descriptors.</summary>
    Indirect = 4,
}

/// <summary>A piece of memory in a virtqueue: 16 bytes (abi.md §9).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
public struct RingDescriptor
{
    /// <summary>Size in bytes.</summary>
    public const int Size = 16;

    /// <summary>Guest physical address.</summary>
    public ulong Address;

    /// <summary>Bytes.</summary>
    public uint Length;

    /// <summary>What it is.</summary>
    public RingDescriptorFlags Flags;

    /// <summary>Index of the next one of the chain, if the flags say that there is one.</summary>
    public ushort Next;
}
