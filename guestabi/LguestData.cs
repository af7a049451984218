// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.GuestAbi;

/// <summary>One entry of the asynchronous hypercall ring: the registers of the call. 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
public struct HypercallRingEntry
{
    /// <summary>The call's number.</summary>
    public uint Eax;

    /// <summary>First argument.</summary>
    public uint Edx;

    /// <summary>Second argument.</summary>
    public uint Ebx;

    /// <summary>Third argument.</summary>
    public uint Ecx;

    /// <summary>One of the three arguments.</summary>
    /// <param name="index">0 to 2.</param>
    public readonly uint Argument(int index) => index switch { 0 => Edx, 1 => Ebx, _ => Ecx };
}

/// <summary>
/// <c>struct lguest_data</c>: the page through which guest and host talk without a hypercall (abi.md §3.5). It lives in guest
/// memory at an address that the guest gives with LGUEST_INIT; 1128 bytes, 4-byte aligned.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
public unsafe struct LguestData
{
    /// <summary>Size in bytes.</summary>
    public const int Size = 1128;

    /// <summary>Slots in the asynchronous ring.</summary>
    public const int RingSize = 64;

    /// <summary>Status of a ring slot that is free, or whose call has been made.</summary>
    public const byte RingDone = 0xFF;

    /// <summary>The value of <see cref="IrqEnabled"/> when interrupts are on: the IF bit of EFLAGS.</summary>
    public const uint InterruptFlag = 0x200;

    /// <summary>What the host writes to <see cref="ReserveMem"/>: the top 4 MiB of the address space are not the guest's.</summary>
    public const uint ReservedBytes = 4u * 1024 * 1024;

    // [P:160+10] What needs no asking
    // A hypercall costs leaving the guest and coming back, and a kernel turns interrupts off and on thousands of times a second.
    // So guest and host share a structure in the guest's memory. Turning interrupts off is a write to its first word: nobody is
    // told. The host looks at it when it has an interrupt to deliver. Calls that can wait are put in a ring here, and are made
    // with the next one that cannot.
    /// <summary>0x200 when the guest takes interrupts. The guest writes it directly, without a call.</summary>
    public uint IrqEnabled;

    /// <summary>Bitmap of irqs, 1 = masked.</summary>
    public uint BlockedInterrupts;

    /// <summary>Address of the last page fault, stored by the host before it delivers the fault.</summary>
    public uint Cr2;

    /// <summary>Wall clock, seconds: written by the host at INIT and at each interrupt delivered.</summary>
    public int TimeSeconds;

    /// <summary>Wall clock, nanoseconds.</summary>
    public int TimeNanoseconds;

    /// <summary>0xFF free or done, 0 pending.</summary>
    public fixed byte HcallStatus[RingSize];

    /// <summary>The ring's calls: <see cref="RingSize"/> entries of <see cref="HypercallRingEntry"/>.</summary>
    public fixed uint Hcalls[RingSize * 4];

    /// <summary>Bytes at the top of the address space that the guest must leave alone.</summary>
    public uint ReserveMem;

    /// <summary>A number for this guest among those of its host.</summary>
    public ushort GuestId;

    private readonly ushort _padding;

    /// <summary>kHz of the time stamp counter; 0: do not use it.</summary>
    public uint TscKhz;

    /// <summary>Start of the code in which no interrupt may be delivered.</summary>
    public uint NoIrqStart;

    /// <summary>End (exclusive) of that code.</summary>
    public uint NoIrqEnd;
}
