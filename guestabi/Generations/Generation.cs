// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>How a generation of guests asks for time.</summary>
public enum ClockStyle
{
    /// <summary>TIMER_START: irq 0 comes HZ times a second.</summary>
    Periodic,

    /// <summary>SET_CLOCKEVENT: irq 0 comes once, when asked for.</summary>
    OneShot,
}

// [P:200+36] There is no ABI
// "There is no ABI" was its author's promise, and he kept it: the interface changed with nearly every kernel. What differs is
// gathered here: a generation is a record of parts, most of which it shares with its neighbours, so that nobody else has to ask
// which one a guest speaks.
/// <summary>One generation of the lguest interface (abi.md §0.1): the parts that it is made of.</summary>
public sealed record Generation
{
    /// <summary>The seed patch of February 2007, against 2.6.20.</summary>
    public static Generation Seed200702 { get; } = new()
    {
        Name = "2007-02",
        Boot = BootProtocol.Seed200702,
        Calls = HypercallTable.Seed200702,
        Convention = CallConvention.Linux2623,
        Data = GuestDataLayout.Linux2623,
        Paging = PagingRules.Linux2623,
        Bus = new DmaProtocol(ConsoleKey: 4, FreeNetSlot: 0xFF),
        Clock = ClockStyle.Periodic,
        Processor = ProcessorRules.Linux2623,
    };

    /// <summary>Linux 2.6.23, the only release with the DMA interface: the primary target.</summary>
    public static Generation Linux2623 { get; } = Seed200702 with
    {
        Name = "2.6.23",
        Boot = BootProtocol.Linux2623,
        Calls = HypercallTable.Linux2623,
        Bus = new DmaProtocol(ConsoleKey: 0, FreeNetSlot: 0x00),
        Clock = ClockStyle.OneShot,
    };

    /// <summary>Linux 2.6.24: virtio, on the lguest bus.</summary>
    public static Generation Linux2624 { get; } = new()
    {
        Name = "2.6.24",
        Boot = BootProtocol.Linux2624,
        Calls = HypercallTable.Linux2624,
        Convention = CallConvention.Linux2624,
        Data = GuestDataLayout.Linux2624,
        Paging = PagingRules.Linux2623,
        Bus = null,
        Clock = ClockStyle.OneShot,
        Processor = ProcessorRules.Virtio,
    };

    /// <summary>Linux 2.6.25 to 2.6.29.</summary>
    public static Generation Linux2625 { get; } = Linux2624 with { Name = "2.6.25", Calls = HypercallTable.Linux2625, Paging = PagingRules.Linux2625 };

    /// <summary>Linux 2.6.30: calls by VMCALL.</summary>
    public static Generation Linux2630 { get; } = Linux2625 with { Name = "2.6.30", Calls = HypercallTable.Linux2630, Convention = CallConvention.Linux2630 };

    /// <summary>Linux 2.6.31 to 2.6.33: PAE.</summary>
    public static Generation Linux2631 { get; } = Linux2630 with
    {
        Name = "2.6.31",
        Calls = HypercallTable.Linux2631,
        Convention = CallConvention.Linux2631,
        Data = GuestDataLayout.Linux2631,
        Paging = PagingRules.Linux2631,
    };

    /// <summary>Linux 2.6.34 to 3.0: calls by INT again, which makes no difference here.</summary>
    public static Generation Linux2634 { get; } = Linux2631 with { Name = "2.6.34" };

    /// <summary>Linux 3.1 to 3.19: they make their first page tables themselves. What a guest may map is as from 3.10 on: nobody misses being killed.</summary>
    public static Generation Linux31 { get; } = Linux2634 with
    {
        Name = "3.1",
        Boot = BootProtocol.LguestBus,
        Data = GuestDataLayout.Linux31,
        Paging = PagingRules.Linux310,
    };

    /// <summary>Linux 4.0: virtio on PCI.</summary>
    public static Generation Linux40 { get; } = Linux31 with
    {
        Name = "4.0",
        Boot = BootProtocol.Pci,
        Calls = HypercallTable.Linux40,
        Paging = PagingRules.Linux40,
    };

    /// <summary>Linux 4.1 to 4.9.</summary>
    public static Generation Linux41 { get; } = Linux40 with { Name = "4.1", Data = GuestDataLayout.Linux41 };

    /// <summary>Linux 4.10 to 4.13: the floating point unit is never taken away.</summary>
    public static Generation Linux410 { get; } = Linux41 with { Name = "4.10", Calls = HypercallTable.Linux410 };

    /// <summary>Every generation that can be run, newest first.</summary>
    public static IReadOnlyList<Generation> All { get; } = [Linux410, Linux41, Linux40, Linux31, Linux2634, Linux2631, Linux2630, Linux2625, Linux2624, Linux2623, Seed200702];

    /// <summary>What the tables and messages call it.</summary>
    public required string Name { get; init; }

    /// <summary>What it is told before its first call.</summary>
    public required BootProtocol Boot { get; init; }

    /// <summary>Its hypercalls, by number.</summary>
    public required HypercallTable Calls { get; init; }

    /// <summary>How they are made.</summary>
    public required CallConvention Convention { get; init; }

    /// <summary>Where the fields of its lguest_data are.</summary>
    public required GuestDataLayout Data { get; init; }

    /// <summary>What it may have in its page tables.</summary>
    public required PagingRules Paging { get; init; }

    /// <summary>How it speaks to devices by DMA; null: its devices are virtio's.</summary>
    public required DmaProtocol? Bus { get; init; }

    /// <summary>How it asks for its clock interrupt.</summary>
    public required ClockStyle Clock { get; init; }

    /// <summary>What its processor is, and does.</summary>
    public required ProcessorRules Processor { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
