// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>How a loaded guest begins: what INITIALIZE hands over (abi.md §5).</summary>
/// <param name="PfnLimit">First page frame that is not the guest's.</param>
/// <param name="PageDirectory">Guest physical address of the page directory; 0 in linear mode (<see cref="Generations.BootProtocol.StartsLinear"/>).</param>
/// <param name="Entry">Virtual address of the first instruction; in linear mode its physical one.</param>
/// <param name="PageOffset">Virtual minus physical address in the kernel's linear mapping; 0 where only the guest knows it.</param>
public sealed record GuestStart(uint PfnLimit, uint PageDirectory, uint Entry, uint PageOffset)
{
    /// <summary>A kernel that reaches this high leaves the switcher no room (its page directory entry is the last).</summary>
    private const uint HighestPageOffset = 0xFFC0_0000;

    /// <summary>Whether the kernel leaves the host its part of the address space; without it there can be no guest.</summary>
    public bool LeavesRoomForHost => PageOffset < HighestPageOffset;

    /// <summary>What the guest is told as its number (lguest_data): its driver makes its Ethernet address of it.</summary>
    /// <remarks>By default unique among the guests of this host.</remarks>
    public ushort GuestId { get; init; } = (ushort)Environment.ProcessId;

    /// <summary>
    /// Guest physical address, page aligned, below which nobody has put anything yet: where the host may make page tables, if the guest's
    /// generation has it make some (<see cref="Generations.BootProtocol.HasTablesAtInit"/>).
    /// </summary>
    public uint TablesEnd { get; init; }
}
