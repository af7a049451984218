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

/// <summary>
/// One generation of the lguest interface. "No ABI" was its author's promise, and he kept it: what changed from one kernel
/// to the next is gathered here, a table per generation, so that nobody else has to ask which generation a guest speaks.
/// </summary>
public sealed class AbiGeneration
{
    private readonly HypercallKind[] _calls;
    private readonly Dictionary<HypercallKind, uint> _numbers = [];

    private AbiGeneration(string name, uint consoleKey, byte freeNetSlot, ClockStyle clock, bool linuxBootParameters, HypercallKind[] calls)
    {
        Name = name;
        ConsoleKey = consoleKey;
        FreeNetSlot = freeNetSlot;
        Clock = clock;
        HasLinuxBootParameters = linuxBootParameters;
        _calls = calls;
        for (uint number = 0; number < calls.Length; number++)
        {
            if (calls[number] != HypercallKind.None)
                _numbers.Add(calls[number], number);
        }
    }

    /// <summary>Linux 2.6.23, the only release with the DMA interface (abi.md §3): the primary target.</summary>
    public static AbiGeneration Linux2623 { get; } = new(
        "2.6.23", consoleKey: 0, freeNetSlot: 0x00, ClockStyle.OneShot, linuxBootParameters: true,
        [
            /*  0 */ HypercallKind.FlushAsync,
            /*  1 */ HypercallKind.LguestInit,
            /*  2 */ HypercallKind.Crash,
            /*  3 */ HypercallKind.LoadGdt,
            /*  4 */ HypercallKind.NewPageTable,
            /*  5 */ HypercallKind.FlushTlb,
            /*  6 */ HypercallKind.LoadIdtEntry,
            /*  7 */ HypercallKind.SetStack,
            /*  8 */ HypercallKind.SetTaskSwitched,
            /*  9 */ HypercallKind.SetClockEvent,
            /* 10 */ HypercallKind.Halt,
            /* 11 */ HypercallKind.None,
            /* 12 */ HypercallKind.BindDma,
            /* 13 */ HypercallKind.SendDma,
            /* 14 */ HypercallKind.SetPte,
            /* 15 */ HypercallKind.SetPmd,
            /* 16 */ HypercallKind.LoadTls,
        ]);

    /// <summary>
    /// The seed patch of February 2007, against 2.6.20. Its hypercall numbers are not in the seed; these are the ones of a
    /// closely following version (abi.md §3), with the page table and TLS calls after them.
    /// </summary>
    public static AbiGeneration Seed200702 { get; } = new(
        "2007-02", consoleKey: 4, freeNetSlot: 0xFF, ClockStyle.Periodic, linuxBootParameters: false,
        [
            /*  0 */ HypercallKind.FlushAsync,
            /*  1 */ HypercallKind.LguestInit,
            /*  2 */ HypercallKind.Crash,
            /*  3 */ HypercallKind.LoadGdt,
            /*  4 */ HypercallKind.NewPageTable,
            /*  5 */ HypercallKind.FlushTlb,
            /*  6 */ HypercallKind.LoadIdtEntry,
            /*  7 */ HypercallKind.SetStack,
            /*  8 */ HypercallKind.SetTaskSwitched,
            /*  9 */ HypercallKind.TimerRead,
            /* 10 */ HypercallKind.TimerStart,
            /* 11 */ HypercallKind.Halt,
            /* 12 */ HypercallKind.GetWallclock,
            /* 13 */ HypercallKind.BindDma,
            /* 14 */ HypercallKind.SendDma,
            /* 15 */ HypercallKind.SetPte,
            /* 16 */ HypercallKind.SetPmd,
            /* 17 */ HypercallKind.LoadTls,
        ]);

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

    /// <summary>True: the Linux zero page is at physical 0 (abi.md §1). False: max_pfn, initrd_size, cmdline[256].</summary>
    public bool HasLinuxBootParameters { get; }

    /// <summary>The meaning of hypercall <paramref name="number"/>; <see cref="HypercallKind.None"/> when there is no such call.</summary>
    public HypercallKind Decode(uint number) => number < (uint)_calls.Length ? _calls[number] : HypercallKind.None;

    /// <summary>The number of a call, or null when this generation does not have it.</summary>
    public uint? NumberOf(HypercallKind kind) => _numbers.TryGetValue(kind, out uint number) ? number : null;

    /// <inheritdoc/>
    public override string ToString() => Name;
}
