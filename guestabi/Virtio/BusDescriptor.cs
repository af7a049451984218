// SPDX-License-Identifier: GPL-2.0-or-later
using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Lguest.GuestAbi.Virtio;

/// <summary>A queue of the lguest bus, as its device's descriptor has it: 8 bytes (abi.md §7.1).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct BusQueue
{
    /// <summary>Bytes.</summary>
    public const int Size = 8;

    /// <summary>Entries of the ring.</summary>
    public ushort Entries;

    /// <summary>The irq of this queue alone.</summary>
    public ushort Irq;

    /// <summary>Page frame number of the ring.</summary>
    public uint Pfn;
}

/// <summary>
/// Numbers of the descriptors on the lguest bus (abi.md §7.1), in bytes. One begins where the one before it ends, aligned or not; type 0,
/// or the end of the page, is the last.
/// </summary>
public static class BusDescriptor
{
    /// <summary>From 2.6.25 on: the head, after which come queues, features offered, features accepted, configuration.</summary>
    public const int HeadBytes = 5;

    /// <summary>From 2.6.25 on: where the status is.</summary>
    public const int StatusAt = 4;

    /// <summary>2.6.24: the head, after which come fields {u8 type, u8 length, data}.</summary>
    public const int TypedHeadBytes = 3;

    /// <summary>2.6.24: where the status is.</summary>
    public const int TypedStatusAt = 2;

    /// <summary>2.6.24: the type of a field that is a queue.</summary>
    public const byte QueueField = 2;

    /// <summary>
    /// 2.6.24: the device's values, each with the type of its field, and where the same value is in the configuration of later kernels. What a
    /// guest does not find it does without.
    /// </summary>
    public static ImmutableArray<TypedValue> TypedValues { get; } =
    [
        new(VirtioId.Net, 0x41, 0, 6),
        new(VirtioId.Block, 0x41, 0, 8),
        new(VirtioId.Block, 0x43, 12, 4),
    ];
}

/// <summary>A value of a device's configuration that has a field of its own in 2.6.24.</summary>
/// <param name="Device">Whose.</param>
/// <param name="Field">The field's type.</param>
/// <param name="Offset">Where the value is in the configuration, bytes.</param>
/// <param name="Length">Bytes of it.</param>
public readonly record struct TypedValue(VirtioId Device, byte Field, int Offset, int Length);
