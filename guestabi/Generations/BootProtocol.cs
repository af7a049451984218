// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>What a guest finds at physical address 0.</summary>
public enum BootInformationKind
{
    /// <summary>The Linux zero page (abi.md §1.2): <see cref="BootParameters"/>.</summary>
    ZeroPage,

    /// <summary>A page count, the initrd's size and the command line (abi.md §1.3): <see cref="BootInfo200702"/>.</summary>
    Seed,
}

/// <summary>What a guest is told before it makes its first call (abi.md §1).</summary>
public sealed record BootProtocol
{
    /// <summary>The seed patch of February 2007.</summary>
    public static BootProtocol Seed200702 { get; } = new()
    {
        Information = BootInformationKind.Seed,
        InformationEnd = Page.Size,
        MostBanks = 1,
        CommandLineBytes = BootInfo200702.CommandLineSize - 1,
        RoundsInitrd = false,
    };

    /// <summary>Linux 2.6.23.</summary>
    public static BootProtocol Linux2623 { get; } = new()
    {
        Information = BootInformationKind.ZeroPage,
        InformationEnd = BootParameters.CommandLine + Page.Size,
        MostBanks = BootParameters.MaxE820Entries,
        CommandLineBytes = 255,
        RoundsInitrd = true,
    };

    /// <summary>What is at physical address 0.</summary>
    public required BootInformationKind Information { get; init; }

    /// <summary>First address after it, and after the command line.</summary>
    public required uint InformationEnd { get; init; }

    /// <summary>Banks of memory that the guest can be told of.</summary>
    public required int MostBanks { get; init; }

    /// <summary>Bytes of the longest command line, without its NUL.</summary>
    public required int CommandLineBytes { get; init; }

    /// <summary>Whether the initrd's length is told in whole pages; else exactly, since the guest works back from the top of memory with it.</summary>
    public required bool RoundsInitrd { get; init; }
}
