// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.Generations;

namespace Lguest.GuestAbi.Virtio;

/// <summary>What differs between generations in a request, whatever the bus (abi.md §10).</summary>
/// <param name="BlockHeader">Bytes in front of a disk's request.</param>
/// <param name="NetHeader">Bytes in front of a packet.</param>
/// <param name="Features">Features that every device of the generation offers.</param>
public sealed record VirtioFormat(int BlockHeader, int NetHeader, ulong Features)
{
    /// <summary>What the guests on a bus speak; null on the one without virtqueues.</summary>
    public static VirtioFormat? Of(DeviceBusKind bus) => bus switch
    {
        DeviceBusKind.Pci => Pci,
        DeviceBusKind.LguestBus => LguestBus,
        DeviceBusKind.TypedLguestBus => First,
        _ => null,
    };

    /// <summary>2.6.24.</summary>
    public static VirtioFormat First { get; } = new(24, 8, 0);

    /// <summary>2.6.25 to 3.19, on the lguest bus.</summary>
    public static VirtioFormat LguestBus { get; } = new(16, 10, VirtioFeatures.Indirect);

    /// <summary>4.0 to 4.13, on PCI: virtio 1.0.</summary>
    public static VirtioFormat Pci { get; } = new(16, 12, VirtioFeatures.Version1 | VirtioFeatures.Indirect);
}

/// <summary>What a disk is asked for: the first word of a request's header.</summary>
public enum VirtioBlockType : uint
{
    /// <summary>From disk to guest.</summary>
    Read = 0,

    /// <summary>From guest to disk.</summary>
    Write = 1,

    /// <summary>Bring everything to the medium.</summary>
    Flush = 4,

    /// <summary>The disk's name, 20 bytes.</summary>
    Identity = 8,
}

/// <summary>A disk's answer: the last byte of what it writes.</summary>
public enum VirtioBlockStatus : byte
{
    /// <summary>Done.</summary>
    Ok = 0,

    /// <summary>Not done.</summary>
    Error = 1,

    /// <summary>The disk does not know such requests.</summary>
    Unsupported = 2,
}
