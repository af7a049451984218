// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.Generations;
using Lguest.GuestAbi.Paging;
using Lguest.GuestAbi.Processor;

namespace Lguest.GuestAbi.Debugging;

// [M:148] The debug port
// A debugger, a trace and a report ask the same of every engine: registers, memory by linear address, and to be called when
// something happens. This interface is all that they know of a guest. It does not say how guest code is executed, so what is
// written for one engine works with the others, and with those to come.
/// <summary>
/// A guest, for those who look into it: debuggers, traces, reports. One thread owns a guest, and runs it. Between two stretches of guest
/// code the guest is at rest, and then it can be looked at and changed: others have that done by the owner, with <see cref="Invoke"/> or
/// <see cref="Post"/>. All members but these two are for the owner.
/// </summary>
public interface IDebugPort
{
    /// <summary>Its registers.</summary>
    IRegisters Registers { get; }

    /// <summary>Its memory, by guest physical address.</summary>
    GuestMemory Memory { get; }

    /// <summary>Which pages of it are written.</summary>
    IDirtyTracker Writes { get; }

    /// <summary>The generation it speaks.</summary>
    Generation Generation { get; }

    /// <summary>Guest physical address of the page directory in force.</summary>
    uint PageDirectory { get; }

    /// <summary>Virtual minus physical address of the kernel's linear mapping.</summary>
    uint PageOffset { get; }

    /// <summary>Its <c>lguest_data</c>, in guest memory; null before LGUEST_INIT.</summary>
    GuestData? Data { get; }

    /// <summary>Its GDT, 8 bytes each, as a processor reads them.</summary>
    ReadOnlySpan<ulong> Descriptors { get; }

    /// <summary>The buffers that it has bound for its devices, by key.</summary>
    IEnumerable<(uint Key, DmaBinding Bound)> Bindings { get; }

    /// <summary>The kernel stack for traps from ring 3: selector, pointer, pages.</summary>
    (uint Selector, uint Pointer, uint Pages) KernelStack { get; }

    /// <summary>Whether it sleeps in HALT.</summary>
    bool IsHalted { get; }

    /// <summary>Irqs raised and not delivered: a bitmap.</summary>
    uint IrqsPending { get; }

    /// <summary>Nanoseconds until the clock interrupt that it asked for; negative: none.</summary>
    long ClockEventIn { get; }

    /// <summary>Why it died, as its launcher is told; null while it lives.</summary>
    string? DeathReason { get; }

    /// <summary>What it has done so far.</summary>
    IGuestStatistics Statistics { get; }

    /// <summary>What its engine counts for itself.</summary>
    IReadOnlyList<EngineCounter> Counters { get; }

    /// <summary>Hears what the owner's time is spent on; null: nobody asks. To be set before the guest runs.</summary>
    RunClock? Times { get; set; }

    /// <summary>Who sees what it does; null: nobody.</summary>
    IGuestObserver? Observer { get; set; }

    /// <summary>Who is told when it stops; null: nobody.</summary>
    IGuestDebugger? Debugger { get; set; }

    /// <summary>Whether it stands still. Set by <see cref="Pause"/> and by stops, cleared by <see cref="Resume"/>.</summary>
    bool IsPaused { get; }

    /// <summary>The gate of a vector in its interrupt table.</summary>
    Gate GateOf(uint vector);

    /// <summary>What the page tables in force say of an address. Nothing is marked as used by looking.</summary>
    PageLookup Look(uint linear);

    /// <summary>All that the page tables in force map, in runs.</summary>
    IEnumerable<MappedRun> MappedRuns();

    /// <summary>Has something done on the owner's thread with the guest at rest, and waits for it. Not from that thread.</summary>
    /// <exception cref="GuestGoneException">The guest has been disposed of.</exception>
    void Invoke(Action work);

    /// <summary>The same without waiting, from any thread.</summary>
    /// <returns>False when the guest is gone.</returns>
    bool Post(Action work);

    /// <summary>Lets the guest stand still.</summary>
    void Pause();

    /// <summary>Lets it run on.</summary>
    void Resume();

    /// <summary>Lets it execute one instruction, hypercalls and all, without interrupting it, and stand still again.</summary>
    void ResumeForOneStep();

    /// <summary>Replaces the breakpoints.</summary>
    /// <param name="addresses">Linear addresses of instructions, in any address space.</param>
    void SetBreakpoints(IReadOnlySet<uint> addresses);

    /// <summary>Replaces the watchpoints.</summary>
    /// <param name="watchpoints">Any number.</param>
    void SetWatchpoints(IReadOnlyList<Watchpoint> watchpoints);

    /// <summary>Raises an irq, as a device does. Any thread.</summary>
    /// <returns>Whether that was done: false for an irq that does not exist, and when the guest is over.</returns>
    bool RaiseIrq(uint irq);

    /// <summary>The guest dies, for this reason, if it lives.</summary>
    void Kill(string reason);
}
