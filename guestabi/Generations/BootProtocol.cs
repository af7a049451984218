// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>What a guest finds at physical address 0.</summary>
public enum BootInformationKind
{
    /// <summary>The Linux zero page (abi.md §1.2): <see cref="BootParameters"/>.</summary>
    ZeroPage,

    /// <summary>The zero page with the kernel's <see cref="SetupHeader"/> in it, or with what stands for one.</summary>
    ZeroPageWithHeader,

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
        InitrdEnd = Page.AddressSpace,
        StartsLinear = false,
        HasTablesAtInit = false,
    };

    /// <summary>Linux 2.6.23.</summary>
    public static BootProtocol Linux2623 { get; } = new()
    {
        Information = BootInformationKind.ZeroPage,
        InformationEnd = BootParameters.CommandLine + Page.Size,
        MostBanks = BootParameters.MaxE820Entries,
        CommandLineBytes = 255,
        RoundsInitrd = true,
        InitrdEnd = Page.AddressSpace,
        StartsLinear = false,
        HasTablesAtInit = false,
    };

    /// <summary>Linux 3.1 to 3.19. They read the first entry of their memory map only, and find their devices where it ends.</summary>
    public static BootProtocol LguestBus { get; } = new()
    {
        Information = BootInformationKind.ZeroPageWithHeader,
        InformationEnd = BootParameters.CommandLine + Page.Size,
        MostBanks = 1,
        CommandLineBytes = 2047,
        RoundsInitrd = true,
        InitrdEnd = 0x3000_0000,
        StartsLinear = true,
        HasTablesAtInit = false,
    };

    /// <summary>
    /// Linux 2.6.24 to 3.0: in their day the launcher, or the host before they ran, made the first page tables. They cannot tell those from
    /// such as are made later.
    /// </summary>
    public static BootProtocol Linux2624 { get; } = LguestBus with { HasTablesAtInit = true };

    /// <summary>Linux 4.0 to 4.13: their devices are elsewhere, so that memory may have holes.</summary>
    public static BootProtocol Pci { get; } = LguestBus with { MostBanks = BootParameters.MaxE820Entries };

    /// <summary>What is at physical address 0.</summary>
    public required BootInformationKind Information { get; init; }

    /// <summary>First address after it, and after the command line.</summary>
    public required uint InformationEnd { get; init; }

    /// <summary>Banks of memory that the guest can be told of.</summary>
    public required int MostBanks { get; init; }

    /// <summary>Bytes of the longest command line, without its NUL, of a kernel that does not say it itself (<see cref="SetupHeader.CommandLineSize"/>).</summary>
    public required int CommandLineBytes { get; init; }

    /// <summary>Whether the initrd's length is told in whole pages; else exactly, since the guest works back from the top of memory with it.</summary>
    public required bool RoundsInitrd { get; init; }

    /// <summary>
    /// First physical address that neither the initrd nor the first page tables may reach: an initrd would be dropped, or moved, outside of what every kernel of these maps
    /// from its first page tables on (abi.md §1.1).
    /// </summary>
    public required ulong InitrdEnd { get; init; }

    /// <summary>
    /// How it is entered (abi.md §1.5, §2.1). True: at a physical address, in linear mode: all memory is at its physical address and can be
    /// written, and there are no page tables. False: at a virtual address, with page tables that the launcher has made.
    /// </summary>
    public required bool StartsLinear { get; init; }

    /// <summary>
    /// Whether the host makes page tables in the guest's memory when the guest makes its first call, which is then the end of linear mode;
    /// without them that is the guest's first NEW_PGTABLE. They map all memory at its physical address and at the kernel's. (Up to 2.6.28
    /// guests copy what they need from the one place to the other, and find it there already.)
    /// </summary>
    public required bool HasTablesAtInit { get; init; }
}
