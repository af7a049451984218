// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.GuestAbi;

/// <summary>What a device is.</summary>
public enum DeviceType : ushort
{
    /// <summary>The descriptor is free.</summary>
    None = 0,

    /// <summary>Console.</summary>
    Console = 1,

    /// <summary>Network.</summary>
    Net = 2,

    /// <summary>Block device.</summary>
    Block = 3,
}

/// <summary>Feature bits of a descriptor. For a network device the remaining bits are the slot number.</summary>
[Flags]
public enum DeviceFeatures : ushort
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Network: packets never leave the host, checksums are not needed.</summary>
    NoChecksum = 0x4000,

    /// <summary>The timing of the interrupt is random enough to feed the guest's entropy pool.</summary>
    Randomness = 0x8000,
}

/// <summary>How far the guest has got with a device: written by the guest, only ever added to.</summary>
[Flags]
public enum DeviceStatus : ushort
{
    /// <summary>Not looked at yet.</summary>
    None = 0,

    /// <summary>The guest has seen the device.</summary>
    Acknowledge = 1,

    /// <summary>The guest has a driver for it.</summary>
    Driver = 2,

    /// <summary>The driver is ready.</summary>
    DriverOk = 4,

    /// <summary>The driver gave up.</summary>
    Failed = 128,
}

// [P:180+18] What a guest has for a bus
// No bus is scanned and no port is probed. The first page above the guest's memory lists its devices, twelve bytes each, and that
// is all.
/// <summary>
/// <c>struct lguest_device_desc</c>: 12 bytes, 16 of them in the descriptor page, the first page above RAM (abi.md §6.2).
/// Device i interrupts with irq i + 1.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 2)]
public struct DeviceDescriptor
{
    /// <summary>Size in bytes.</summary>
    public const int Size = 12;

    /// <summary>Descriptors in the page.</summary>
    public const int MaxDevices = 16;

    /// <summary>The kind of device; 0 = free.</summary>
    public DeviceType Type;

    /// <summary>Feature bits.</summary>
    public DeviceFeatures Features;

    /// <summary>The guest's progress.</summary>
    public DeviceStatus Status;

    /// <summary>Pages of device memory.</summary>
    public ushort NumPages;

    /// <summary>Page frame number of the first of them.</summary>
    public uint Pfn;
}
