// SPDX-License-Identifier: GPL-2.0-or-later
using static Lguest.GuestAbi.HypercallKind;

namespace Lguest.GuestAbi;

/// <summary>
/// What a guest can ask of its host with <c>int $0x1F</c>, by meaning; the numbers differ between generations. What each call
/// does: abi.md §3.3. What else is known of it stands in <see cref="HypercallTable"/>, in the same order.
/// </summary>
public enum HypercallKind : byte
{
    /// <summary>No call has this number: asking for it kills the guest.</summary>
    None,

    /// <summary>Nothing but running the asynchronous ring.</summary>
    FlushAsync,

    /// <summary>Where lguest_data is; must come first, and once.</summary>
    LguestInit,

    /// <summary>The guest ends, with a text of up to 128 bytes.</summary>
    Crash,

    /// <summary>The guest ends, with a text of up to 128 bytes; or, with 2, it wants to begin anew.</summary>
    Shutdown,

    /// <summary>The whole GDT.</summary>
    LoadGdt,

    /// <summary>One entry of it, in two words.</summary>
    LoadGdtEntry,

    /// <summary>The page directory to use from now on.</summary>
    NewPageTable,

    /// <summary>0: user mappings only; else kernel mappings too.</summary>
    FlushTlb,

    /// <summary>One gate, in two words.</summary>
    LoadIdtEntry,

    /// <summary>The stack for entries from ring 3.</summary>
    SetStack,

    /// <summary>0 or 8: the task-switched flag.</summary>
    SetTaskSwitched,

    /// <summary>Nanoseconds until irq 0 is raised once; 0 turns it off.</summary>
    SetClockEvent,

    /// <summary>Sleep until an interrupt.</summary>
    Halt,

    /// <summary>Nothing but coming out: interrupts are on again, and one waits.</summary>
    SendInterrupts,

    /// <summary>n buffers for a key, with n &lt;&lt; 8 | irq. Result 1 or 0.</summary>
    BindDma,

    /// <summary>One buffer to a key.</summary>
    SendDma,

    /// <summary>A device is to look at something: the address says which, or it is that of a text.</summary>
    Notify,

    /// <summary>A page table entry has changed.</summary>
    SetPte,

    /// <summary>A directory entry has changed.</summary>
    SetPmd,

    /// <summary>An entry of the top table has changed: a directory entry, or with PAE a pointer.</summary>
    SetPgd,

    /// <summary>With PAE, an entry of a directory has changed, which belongs to all whose pointers lead there.</summary>
    SetPmdPae,

    /// <summary>The three descriptors of a thread.</summary>
    LoadTls,

    /// <summary>Nanoseconds since TIMER_START, in %eax.</summary>
    TimerRead,

    /// <summary>Raise irq 0 this many times a second; 0 stops.</summary>
    TimerStart,

    /// <summary>Seconds since the epoch, in %eax.</summary>
    GetWallclock,
}

/// <summary>
/// The calls: a line each for what traces, the monitor, statistics and reports print; and, for a generation, by number, which the
/// hypervisor decodes by. Our own guests' header (guest/lib/lguest.h) and abi.md §3.2 and §3.4 are compared with both. A new call is a
/// line here, its kind above, its number in the lists below, and what it does in the hypervisor.
/// </summary>
public sealed class HypercallTable
{
    // [P:150+24] What there is to ask for
    // Some twenty things: a guest loads its descriptor tables through us, switches page tables, says which translations it has
    // changed, sets its one timer, sleeps, sends memory to a device, and dies. Each release numbered them as it liked. What they
    // do is in abi.md §3.3.
    private static readonly Hypercall[] s_all =
    [
        new(None, "(no such call)", HypercallCategory.None) { Arguments = [Number("edx"), Number("ebx"), Number("ecx")] },

        new(FlushAsync, "FLUSH_ASYNC", HypercallCategory.Ring),
        new(LguestInit, "LGUEST_INIT", HypercallCategory.Life) { Arguments = [Physical("data")] },
        new(Crash, "CRASH", HypercallCategory.Life) { Arguments = [Physical("text")] },
        new(Shutdown, "SHUTDOWN", HypercallCategory.Life) { Arguments = [Physical("text"), Number("reason")] },
        new(LoadGdt, "LOAD_GDT", HypercallCategory.Processor) { Arguments = [Physical("table"), Number("entries")] },
        new(LoadGdtEntry, "LOAD_GDT_ENTRY", HypercallCategory.Processor) { Arguments = [Number("index"), Entry("low"), Entry("high")] },
        new(NewPageTable, "NEW_PGTABLE", HypercallCategory.Paging) { Arguments = [Physical("directory")], MayStandInRing = true },
        new(FlushTlb, "FLUSH_TLB", HypercallCategory.Paging) { Arguments = [Number("kernel")], MayStandInRing = true },
        new(LoadIdtEntry, "LOAD_IDT_ENTRY", HypercallCategory.Interrupts) { Arguments = [Vector("vector"), Entry("low"), Entry("high")] },
        new(SetStack, "SET_STACK", HypercallCategory.Processor) { Arguments = [Selector("ss"), Virtual("esp"), Number("pages")], MayStandInRing = true },
        new(SetTaskSwitched, "TS", HypercallCategory.Processor) { Arguments = [Number("ts")], MayStandInRing = true },
        new(SetClockEvent, "SET_CLOCKEVENT", HypercallCategory.Clock) { Arguments = [Number("ns")] },
        new(Halt, "HALT", HypercallCategory.Interrupts),
        new(SendInterrupts, "SEND_INTERRUPTS", HypercallCategory.Interrupts),
        new(BindDma, "BIND_DMA", HypercallCategory.Dma) { Arguments = [Physical("key"), Physical("array"), Number("n_irq")], HasResult = true },
        new(SendDma, "SEND_DMA", HypercallCategory.Dma) { Arguments = [Physical("key"), Physical("dma")] },
        new(Notify, "NOTIFY", HypercallCategory.Dma) { Arguments = [Physical("address")] },
        new(SetPte, "SET_PTE", HypercallCategory.Paging) { Arguments = [Physical("directory"), Virtual("address"), Entry("entry")], MayStandInRing = true },
        new(SetPmd, "SET_PMD", HypercallCategory.Paging) { Arguments = [Physical("directory"), Number("index")], MayStandInRing = true },
        new(SetPgd, "SET_PGD", HypercallCategory.Paging) { Arguments = [Physical("table"), Number("index")], MayStandInRing = true },
        new(SetPmdPae, "SET_PMD_PAE", HypercallCategory.Paging) { Arguments = [Physical("directory"), Number("index")], MayStandInRing = true },
        new(LoadTls, "LOAD_TLS", HypercallCategory.Processor) { Arguments = [Physical("table")], MayStandInRing = true },
        new(TimerRead, "TIMER_READ", HypercallCategory.Clock) { HasResult = true },
        new(TimerStart, "TIMER_START", HypercallCategory.Clock) { Arguments = [Number("hz")] },
        new(GetWallclock, "GET_WALLCLOCK", HypercallCategory.Clock) { HasResult = true },
    ];

    private readonly HypercallKind[] _kinds;
    private readonly uint?[] _numbers = new uint?[s_all.Length];

    /// <summary>The calls of one generation.</summary>
    /// <param name="byNumber">The meaning of each number, from 0 on; <see cref="HypercallKind.None"/> where there is no call.</param>
    public HypercallTable(params ReadOnlySpan<HypercallKind> byNumber)
    {
        _kinds = [.. byNumber];
        for (int number = 0; number < _kinds.Length; number++)
        {
            if (_kinds[number] != HypercallKind.None)
                _numbers[(int)_kinds[number]] = (uint)number;
        }
    }

    /// <summary>
    /// The calls of the seed patch of February 2007. Their numbers are not in the seed; these are the ones of a closely following
    /// version (abi.md §3.2), with the page table and TLS calls after them.
    /// </summary>
    public static HypercallTable Seed200702 { get; } = new(
        FlushAsync, LguestInit, Crash, LoadGdt, NewPageTable, FlushTlb, LoadIdtEntry, SetStack, SetTaskSwitched,
        TimerRead, TimerStart, Halt, GetWallclock, BindDma, SendDma, SetPte, SetPmd, LoadTls);

    /// <summary>The calls of Linux 2.6.23.</summary>
    public static HypercallTable Linux2623 { get; } = new(
        FlushAsync, LguestInit, Crash, LoadGdt, NewPageTable, FlushTlb, LoadIdtEntry, SetStack, SetTaskSwitched,
        SetClockEvent, Halt, None, BindDma, SendDma, SetPte, SetPmd, LoadTls);

    /// <summary>The calls of Linux 2.6.24.</summary>
    public static HypercallTable Linux2624 { get; } = new(
        FlushAsync, LguestInit, Crash, LoadGdt, NewPageTable, FlushTlb, LoadIdtEntry, SetStack, SetTaskSwitched,
        SetClockEvent, Halt, None, None, None, SetPte, SetPmd, LoadTls, Notify);

    /// <summary>The calls of Linux 2.6.25 to 2.6.29.</summary>
    public static HypercallTable Linux2625 { get; } = new(
        FlushAsync, LguestInit, Shutdown, LoadGdt, NewPageTable, FlushTlb, LoadIdtEntry, SetStack, SetTaskSwitched,
        SetClockEvent, Halt, None, None, None, SetPte, SetPmd, LoadTls, Notify);

    /// <summary>The calls of Linux 2.6.30.</summary>
    public static HypercallTable Linux2630 { get; } = new(
        FlushAsync, LguestInit, Shutdown, None, NewPageTable, FlushTlb, LoadIdtEntry, SetStack, SetTaskSwitched,
        SetClockEvent, Halt, None, None, None, SetPte, SetPmd, LoadTls, Notify, LoadGdtEntry);

    /// <summary>The calls of Linux 2.6.31 to 3.19.</summary>
    public static HypercallTable Linux2631 { get; } = new(
        FlushAsync, LguestInit, Shutdown, None, NewPageTable, FlushTlb, LoadIdtEntry, SetStack, SetTaskSwitched,
        SetClockEvent, Halt, None, None, SetPmdPae, SetPte, SetPgd, LoadTls, Notify, LoadGdtEntry, SendInterrupts);

    /// <summary>The calls of Linux 4.0 to 4.9.</summary>
    public static HypercallTable Linux40 { get; } = Linux2631.Without(Notify);

    /// <summary>The calls of Linux 4.10 to 4.13.</summary>
    public static HypercallTable Linux410 { get; } = Linux40.Without(SetTaskSwitched);

    /// <summary>Every call of any generation, by <see cref="HypercallKind"/>; the first is none.</summary>
    public static ReadOnlySpan<Hypercall> All => s_all;

    /// <summary>What is known of a call.</summary>
    public static Hypercall Of(HypercallKind kind) => s_all[(int)kind];

    /// <summary>The meaning of a number; <see cref="HypercallKind.None"/> when there is no such call.</summary>
    public HypercallKind Decode(uint number) => number < (uint)_kinds.Length ? _kinds[number] : HypercallKind.None;

    /// <summary>The number of a call, or null when this generation does not have it.</summary>
    public uint? NumberOf(HypercallKind kind) => _numbers[(int)kind];

    private HypercallTable Without(HypercallKind call) => new([.. _kinds.Select(kind => kind == call ? None : kind)]);

    private static HypercallArgument Number(string name) => new(name, ArgumentKind.Number);

    private static HypercallArgument Physical(string name) => new(name, ArgumentKind.Physical);

    private static HypercallArgument Virtual(string name) => new(name, ArgumentKind.Virtual);

    private static HypercallArgument Vector(string name) => new(name, ArgumentKind.Vector);

    private static HypercallArgument Selector(string name) => new(name, ArgumentKind.Selector);

    private static HypercallArgument Entry(string name) => new(name, ArgumentKind.Entry);
}
