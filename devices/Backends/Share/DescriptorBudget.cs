// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Share;

/// <summary>
/// Descriptors that a guest may take of the launcher's for files in all its shares. There are only so many, and the launcher needs some for
/// itself: a guest that opens without end is refused before the host refuses the launcher.
/// </summary>
public sealed class DescriptorBudget
{
    /// <summary>Descriptors at most, whatever the host allows.</summary>
    public const int Limit = 1 << 16;

    /// <summary>Descriptors that the guest may take.</summary>
    public int Most { get; set; } = 256;

    /// <summary>Those that it has taken.</summary>
    public int Taken { get; internal set; }

    /// <summary>Whether it may take so many more.</summary>
    internal bool HasRoom(int count) => count <= Most - Taken;
}
