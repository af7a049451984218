// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>How a generation of guests asks for time.</summary>
public enum ClockStyle
{
    /// <summary>TIMER_START: irq 0 comes HZ times a second.</summary>
    Periodic,

    /// <summary>SET_CLOCKEVENT: irq 0 comes once, when asked for.</summary>
    OneShot,
}

// [P:200] There is no ABI
/// <summary>
/// One generation of the lguest interface. "There is no ABI" was its author's promise, and he kept it: the interface
/// changed with nearly every kernel. What differs is gathered here, a table for each generation, so that nobody else has to ask
/// which one a guest speaks.
/// </summary>
public sealed class AbiGeneration
{
    private AbiGeneration(string name, uint consoleKey, byte freeNetSlot, ClockStyle clock, bool linuxBootParameters, HypercallTable calls)
    {
        Name = name;
        ConsoleKey = consoleKey;
        FreeNetSlot = freeNetSlot;
        Clock = clock;
        HasLinuxBootParameters = linuxBootParameters;
        Calls = calls;
    }

    /// <summary>Linux 2.6.23, the only release with the DMA interface (abi.md §0.1): the primary target.</summary>
    public static AbiGeneration Linux2623 { get; } = new(
        "2.6.23", consoleKey: 0, freeNetSlot: 0x00, ClockStyle.OneShot, linuxBootParameters: true, HypercallTable.Linux2623);

    /// <summary>The seed patch of February 2007, against 2.6.20.</summary>
    public static AbiGeneration Seed200702 { get; } = new(
        "2007-02", consoleKey: 4, freeNetSlot: 0xFF, ClockStyle.Periodic, linuxBootParameters: false, HypercallTable.Seed200702);

    /// <summary>Every generation that can be run, newest first.</summary>
    public static IReadOnlyList<AbiGeneration> All { get; } = [Linux2623, Seed200702];

    /// <summary>What the tables and messages call it.</summary>
    public string Name { get; }

    /// <summary>The DMA key to which console output is sent and at which console input is bound.</summary>
    public uint ConsoleKey { get; }

    /// <summary>The byte that fills the MAC address of a free slot on a network page.</summary>
    public byte FreeNetSlot { get; }

    /// <summary>How the guest asks for its clock interrupt.</summary>
    public ClockStyle Clock { get; }

    /// <summary>True: the Linux zero page is at physical 0 (abi.md §1.2). False: max_pfn, initrd_size, cmdline[256].</summary>
    public bool HasLinuxBootParameters { get; }

    /// <summary>Its hypercalls.</summary>
    public HypercallTable Calls { get; }

    /// <summary>The meaning of hypercall <paramref name="number"/>; <see cref="HypercallKind.None"/> when there is no such call.</summary>
    public HypercallKind Decode(uint number) => Calls.Decode(number);

    /// <summary>The number of a call, or null when this generation does not have it.</summary>
    public uint? NumberOf(HypercallKind kind) => Calls.NumberOf(kind);

    /// <inheritdoc/>
    public override string ToString() => Name;
}
