// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>
/// What a guest can ask of its host with <c>int $0x1F</c>, by meaning. The numbers differ between generations:
/// <see cref="AbiGeneration"/> holds the table. Arguments are in %edx, %ebx, %ecx (abi.md §3).
/// </summary>
public enum HypercallKind : byte
{
    /// <summary>No call has this number: asking for it kills the guest.</summary>
    None,

    /// <summary>Nothing but running the asynchronous ring.</summary>
    FlushAsync,

    /// <summary>Physical address of lguest_data; must come first, and once.</summary>
    LguestInit,

    /// <summary>Physical address of up to 128 bytes of text: the guest ends.</summary>
    Crash,

    /// <summary>Physical address and number of descriptors.</summary>
    LoadGdt,

    /// <summary>Physical address of the page directory to use from now on.</summary>
    NewPageTable,

    /// <summary>0: user mappings only; else kernel mappings too.</summary>
    FlushTlb,

    /// <summary>Vector, low word, high word.</summary>
    LoadIdtEntry,

    /// <summary>Selector, %esp and number of pages of the kernel's stack.</summary>
    SetStack,

    /// <summary>0 or 8: the task-switched flag.</summary>
    SetTaskSwitched,

    /// <summary>Nanoseconds until irq 0 is raised once; 0 turns it off.</summary>
    SetClockEvent,

    /// <summary>Sleep until an interrupt.</summary>
    Halt,

    /// <summary>Key, physical address of lguest_dma[n], n &lt;&lt; 8 | irq. Result 1 or 0.</summary>
    BindDma,

    /// <summary>Key, physical address of one lguest_dma.</summary>
    SendDma,

    /// <summary>Physical page directory, virtual address, new entry.</summary>
    SetPte,

    /// <summary>Physical page directory, index.</summary>
    SetPmd,

    /// <summary>Physical address of three descriptors.</summary>
    LoadTls,

    /// <summary>2007-02 only: nanoseconds since TIMER_START, in %eax.</summary>
    TimerRead,

    /// <summary>2007-02 only: raise irq 0 this many times a second; 0 stops.</summary>
    TimerStart,

    /// <summary>2007-02 only: seconds since the epoch, in %eax.</summary>
    GetWallclock,
}
