// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Debugging;

/// <summary>What an observer wants to hear of.</summary>
[Flags]
public enum GuestEvents
{
    /// <summary>Sleep and the end, of which every observer hears.</summary>
    None = 0,

    /// <summary>Hypercalls and their results.</summary>
    Hypercalls = 0x01,

    /// <summary>Irqs raised and delivered.</summary>
    Interrupts = 0x02,

    /// <summary>Traps and faults; of system calls, those that come to the hypervisor.</summary>
    Traps = 0x04,

    /// <summary>All system calls, with <see cref="Traps"/>: no engine then delivers any without the hypervisor.</summary>
    SystemCalls = 0x08,

    /// <summary>Buffers that the launcher takes.</summary>
    Buffers = 0x10,

    /// <summary>Every instruction: the guest then runs one by one, which is slow.</summary>
    Instructions = 0x20,
}

/// <summary>
/// Sees what passes between a guest and its hypervisor, as it happens, on the thread that owns the guest. There is one or none;
/// none, or one that wants something else, costs the test of a bit at places that are rare compared with the instructions
/// between them.
/// </summary>
public interface IGuestObserver
{
    /// <summary>What it wants to hear of. Asked when it is put in place.</summary>
    GuestEvents Wants { get; }

    /// <summary>A hypercall is about to be carried out.</summary>
    /// <param name="kind">Which; <see cref="HypercallKind.None"/> for a number that is none.</param>
    /// <param name="call">Number and arguments.</param>
    /// <param name="isAsync">From the ring, not by <c>int $0x1F</c>.</param>
    void Hypercall(HypercallKind kind, in GuestCall call, bool isAsync);

    /// <summary>It has been carried out.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="result">%eax; a result only for the calls that have one.</param>
    void HypercallDone(HypercallKind kind, uint result);

    /// <summary>Somebody raised an irq (0: the clock).</summary>
    void IrqRaised(uint irq);

    /// <summary>An irq is delivered; EIP is still what it interrupts.</summary>
    void IrqDelivered(uint irq);

    /// <summary>A trap, fault or <c>int n</c> is delivered to the guest's handler; EIP is still where it happened.</summary>
    /// <param name="vector">Its vector.</param>
    /// <param name="errorCode">The error code, if it has one.</param>
    /// <param name="faultAddress">For a page fault: the address.</param>
    void Trap(uint vector, uint errorCode, uint faultAddress);

    /// <summary>The guest slept.</summary>
    /// <param name="nanoseconds">How long.</param>
    void Slept(long nanoseconds);

    /// <summary>The launcher took a buffer that the guest had bound at a key, to put input there.</summary>
    /// <param name="key">The key.</param>
    /// <param name="buffer">Guest physical address of the <c>lguest_dma</c>; null: none was free.</param>
    void BufferTaken(uint key, uint? buffer);

    /// <summary>One instruction is about to be executed. Only if <see cref="Wants"/> says so.</summary>
    void Instruction();

    /// <summary>The guest is over.</summary>
    /// <param name="reason">The reason, as the channel gives it; null for a reset.</param>
    void Ended(string? reason);
}
