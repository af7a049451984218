// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Models;

/// <summary>What of a device a guest accesses without coming out.</summary>
public enum DeviceAccessKind
{
    /// <summary>A register, at an address above RAM.</summary>
    Register,

    /// <summary>The configuration space, by ports; a register by way of its window is that, too.</summary>
    Configuration,
}

/// <summary>An access, when it is over.</summary>
/// <param name="Kind">To what.</param>
/// <param name="IsWrite">Whether the guest wrote.</param>
/// <param name="Offset">Bytes from the first register, or from the start of the configuration space.</param>
/// <param name="Width">1, 2 or 4 bytes.</param>
/// <param name="Value">What the guest wrote or read.</param>
public readonly record struct DeviceAccess(DeviceAccessKind Kind, bool IsWrite, uint Offset, int Width, uint Value);
