// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Models;

/// <summary>What a disk can be asked for.</summary>
public enum DiskOperation
{
    /// <summary>Nothing that a disk knows.</summary>
    Unknown,

    /// <summary>From disk to guest.</summary>
    Read,

    /// <summary>From guest to disk.</summary>
    Write,

    /// <summary>From the host's cache to the medium.</summary>
    Flush,
}

/// <summary>A request, when it is over.</summary>
/// <param name="Operation">What was asked.</param>
/// <param name="Sector">The first sector of 512 bytes.</param>
/// <param name="Bytes">How many bytes.</param>
/// <param name="IsDone">Whether every byte was transferred.</param>
public readonly record struct DiskRequest(DiskOperation Operation, ulong Sector, uint Bytes, bool IsDone);
