// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Virtio;

/// <summary>A request taken from a queue: first what the device reads, then what it writes. Checked; one is reused for all.</summary>
public sealed class VirtqueueChain
{
    /// <summary>Its number in the used ring.</summary>
    public ushort Head { get; internal set; }

    /// <summary>What the device reads.</summary>
    public GuestVector Out { get; } = new();

    /// <summary>What the device writes.</summary>
    public GuestVector In { get; } = new();

    /// <summary>Guest physical address of the last byte that the device writes; null when it writes nothing.</summary>
    public uint? LastIn { get; internal set; }
}
