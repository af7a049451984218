// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Virtio;

/// <summary>What a virtio device is, on the lguest bus and, from 0x1040 on, on PCI (abi.md §7.1, §8.2).</summary>
public enum VirtioId : byte
{
    /// <summary>None: the end of the lguest bus.</summary>
    None = 0,

    /// <summary>A network card.</summary>
    Net = 1,

    /// <summary>A disk.</summary>
    Block = 2,

    /// <summary>A console.</summary>
    Console = 3,

    /// <summary>A source of random bytes.</summary>
    Entropy = 4,

    /// <summary>A folder of the host, by 9P.</summary>
    NineP = 9,
}

/// <summary>How far the driver has got (abi.md §8.3).</summary>
[Flags]
public enum VirtioStatus : byte
{
    /// <summary>Reset.</summary>
    None = 0,

    /// <summary>The device has been seen.</summary>
    Acknowledge = 1,

    /// <summary>There is a driver for it.</summary>
    Driver = 2,

    /// <summary>The driver is ready.</summary>
    DriverReady = 4,

    /// <summary>The accepted features are final.</summary>
    FeaturesFinal = 8,

    /// <summary>The device has lost its way: only a reset helps. The device sets it.</summary>
    NeedsReset = 0x40,

    /// <summary>The driver gave up.</summary>
    Failed = 0x80,
}

/// <summary>Bits of the features, of all devices and of each kind (abi.md §9, §10).</summary>
public static class VirtioFeatures
{
    /// <summary>A chain may be in a table of its own.</summary>
    public const ulong Indirect = 1UL << 28;

    /// <summary>Virtio 1.0.</summary>
    public const ulong Version1 = 1UL << 32;

    /// <summary>Console: characters before there is a queue.</summary>
    public const ulong ConsoleEmergencyWrite = 1UL << 2;

    /// <summary>Disk: how many pieces a request may have is in the configuration.</summary>
    public const ulong BlockSegmentMax = 1UL << 2;

    /// <summary>Disk: the guest may only read.</summary>
    public const ulong BlockReadOnly = 1UL << 5;

    /// <summary>Disk: it can be told to bring everything to the medium.</summary>
    public const ulong BlockFlush = 1UL << 9;

    /// <summary>Network: packets to the device may have unfinished checksums.</summary>
    public const ulong NetChecksum = 1UL << 0;

    /// <summary>Network: packets to the guest may have unfinished checksums.</summary>
    public const ulong NetGuestChecksum = 1UL << 1;

    /// <summary>Network: TCP of IPv4 to the device may be whole, for it to be cut into packets.</summary>
    public const ulong NetHostTcp4 = 1UL << 11;

    /// <summary>Network: the same for IPv6.</summary>
    public const ulong NetHostTcp6 = 1UL << 12;

    /// <summary>Network: the same with a notice of congestion.</summary>
    public const ulong NetHostEcn = 1UL << 13;

    /// <summary>Network: the guest's address is in the configuration.</summary>
    public const ulong NetAddress = 1UL << 5;

    /// <summary>9P: the name by which the guest mounts it is in the configuration.</summary>
    public const ulong NinePTag = 1UL << 0;
}
