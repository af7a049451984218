// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>Where a guest looks for its devices: the one thing that nobody can see in a running guest before it does (abi.md §0.3).</summary>
public enum DeviceBusKind
{
    /// <summary>A descriptor page above RAM, and DMA (abi.md §6).</summary>
    Dma,

    /// <summary>A descriptor page above RAM, with a list of typed configuration fields, and virtqueues: 2.6.24 (abi.md §7).</summary>
    TypedLguestBus,

    /// <summary>A descriptor page above RAM, and virtqueues (abi.md §7).</summary>
    LguestBus,

    /// <summary>PCI, and virtqueues (abi.md §8).</summary>
    Pci,
}

/// <summary>
/// The kernels that speak one generation of the interface (abi.md §0.1): what a release says of a kernel before it runs. It is enough to
/// load one; everything else shows in its first call (abi.md §0.3).
/// </summary>
/// <param name="Name">What the tables and messages call it: its first release.</param>
/// <param name="First">Its first release.</param>
/// <param name="Boot">What its kernels are told before they make their first call.</param>
/// <param name="Devices">Where they look for their devices.</param>
public sealed record KernelSeries(string Name, Version First, BootProtocol Boot, DeviceBusKind Devices)
{
    /// <summary>The kernels with the seed patch of February 2007. Their releases are not theirs alone: their code tells them apart.</summary>
    public static KernelSeries Seed200702 { get; } =
        new(Generation.Seed200702.Name, new Version(2, 6, 20), BootProtocol.Seed200702, DeviceBusKind.Dma) { Generation = Generation.Seed200702 };

    /// <summary>Linux 2.6.23.</summary>
    public static KernelSeries Linux2623 { get; } =
        new(Generation.Linux2623.Name, new Version(2, 6, 23), BootProtocol.Linux2623, DeviceBusKind.Dma) { Generation = Generation.Linux2623 };

    /// <summary>The releases of Linux that have lguest, oldest first.</summary>
    public static IReadOnlyList<KernelSeries> Released { get; } =
    [
        Linux2623,
        Of(Generation.Linux2624, new Version(2, 6, 24), DeviceBusKind.TypedLguestBus),
        Of(Generation.Linux2625, new Version(2, 6, 25), DeviceBusKind.LguestBus),
        Of(Generation.Linux2630, new Version(2, 6, 30), DeviceBusKind.LguestBus),
        Of(Generation.Linux2631, new Version(2, 6, 31), DeviceBusKind.LguestBus),
        Of(Generation.Linux2634, new Version(2, 6, 34), DeviceBusKind.LguestBus),
        Of(Generation.Linux31, new Version(3, 1, 0), DeviceBusKind.LguestBus),
        Of(Generation.Linux40, new Version(4, 0, 0), DeviceBusKind.Pci),
        Of(Generation.Linux41, new Version(4, 1, 0), DeviceBusKind.Pci),
        Of(Generation.Linux410, new Version(4, 10, 0), DeviceBusKind.Pci),
    ];

    /// <summary>The first release of Linux from which lguest was removed.</summary>
    public static Version FirstWithout { get; } = new(4, 14, 0);

    /// <summary>All that is known of the interface.</summary>
    public required Generation Generation { get; init; }

    /// <summary>The series of a release of Linux; null when lguest is not in it.</summary>
    /// <param name="release">Its three numbers.</param>
    public static KernelSeries? Of(Version release)
    {
        if (release >= FirstWithout)
            return null;
        KernelSeries? found = null;
        foreach (KernelSeries series in Released)
        {
            if (release >= series.First)
                found = series;
        }

        return found;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static KernelSeries Of(Generation generation, Version first, DeviceBusKind devices) =>
        new(generation.Name, first, generation.Boot, devices) { Generation = generation };
}
