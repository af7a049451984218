// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>
/// <c>struct lguest_data</c>: the page through which guest and host talk without a hypercall (abi.md §3.5). It lives in guest memory at an
/// address that the guest gives with LGUEST_INIT, laid out as its generation has it.
/// <para>The guest, and others where it lies in a shared page, may change it at any time. Each property that is read here is one load: what
/// is decided on it is decided on that.</para>
/// </summary>
public sealed unsafe class GuestData
{
    /// <summary>Slots in the asynchronous ring.</summary>
    public const int RingSize = 64;

    /// <summary>Status of a ring slot that is free, or whose call has been made.</summary>
    public const byte RingDone = 0xFF;

    /// <summary>The value of <see cref="IrqEnabled"/> when interrupts are on: the IF bit of EFLAGS.</summary>
    public const uint InterruptFlag = 0x200;

    private readonly byte* _start;
    private readonly byte* _status;
    private readonly uint* _ring;

    /// <summary>Looks at it where the guest says that it is.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="address">Guest physical address of its first byte.</param>
    /// <param name="layout">Where its fields are.</param>
    /// <exception cref="GuestAddressException">It is not all the guest's.</exception>
    public GuestData(GuestMemory memory, uint address, GuestDataLayout layout)
    {
        if (!memory.Contains(address, layout.Size))
            throw new GuestAddressException(address, layout.Size);
        _start = memory.Base + address;
        _status = _start + layout.RingStatus;
        _ring = (uint*)(_start + layout.Ring);
        Address = address;
        Layout = layout;
    }

    /// <summary>Guest physical address of its first byte.</summary>
    public uint Address { get; }

    /// <summary>Where its fields are.</summary>
    public GuestDataLayout Layout { get; }

    // [P:160+12] What needs no asking
    // A hypercall costs leaving the guest and coming back, and a kernel turns interrupts off and on thousands of times a second.
    // So guest and host share a structure in the guest's memory. Turning interrupts off is a write to its first word: nobody is
    // told. The host looks at it when it has an interrupt to deliver. Calls that can wait are put in a ring here, and are made
    // with the next one that cannot.
    /// <summary>0x200 when the guest takes interrupts. The guest writes it directly, without a call.</summary>
    public uint IrqEnabled
    {
        get => Load(GuestDataLayout.IrqEnabled);
        set => Store(GuestDataLayout.IrqEnabled, value);
    }

    /// <summary>Whether the guest takes interrupts.</summary>
    public bool TakesInterrupts => (IrqEnabled & InterruptFlag) != 0;

    /// <summary>Bitmap of irqs, 1 = masked.</summary>
    public uint BlockedInterrupts => Load(GuestDataLayout.BlockedInterrupts);

    /// <summary>Address of the last page fault, stored by the host before it delivers the fault.</summary>
    public uint Cr2
    {
        get => Load(GuestDataLayout.Cr2);
        set => Store(GuestDataLayout.Cr2, value);
    }

    /// <summary>Wall clock: seconds and nanoseconds, as written at INIT and at each interrupt delivered.</summary>
    public (int Seconds, int Nanoseconds) Time => ((int)Load(GuestDataLayout.TimeSeconds), (int)Load(GuestDataLayout.TimeNanoseconds));

    /// <summary>Bytes at the top of the address space that the guest must leave alone.</summary>
    public uint ReserveMem
    {
        get => Load(Layout.ReserveMem);
        set => Store(Layout.ReserveMem, value);
    }

    /// <summary>kHz of the time stamp counter; 0: do not use it.</summary>
    public uint TscKhz
    {
        get => Load(Layout.TscKhz);
        set => Store(Layout.TscKhz, value);
    }

    /// <summary>A number for this guest among those of its host; null where a generation has none, and then it is not written either.</summary>
    public ushort? GuestId
    {
        get => Layout.GuestId is { } place ? Volatile.Read(ref *(ushort*)(_start + place)) : null;
        set
        {
            if (Layout.GuestId is { } place)
                *(ushort*)(_start + place) = value.GetValueOrDefault();
        }
    }

    /// <summary>The code in which no interrupt may be delivered: its start, and its end, exclusive. Empty where a generation tells it otherwise.</summary>
    public (uint Start, uint End) NoIrq => (Load(Layout.NoIrqStart) ?? 0, Load(Layout.NoIrqEnd) ?? 0);

    /// <summary>Guest physical address of the first page directory; null where a generation's guests make their own, and then it is not written either.</summary>
    public uint? PageDirectory
    {
        get => Load(Layout.PageDirectory);
        set
        {
            if (Layout.PageDirectory is { } place)
                Store(place, value.GetValueOrDefault());
        }
    }

    /// <summary>The instruction at which a delivery pushes no frame; null where a generation has none.</summary>
    public uint? NoIrqReturn => Load(Layout.NoIrqReturn);

    /// <summary>What the guest has chosen as its system call; null where a generation's guests do not say it.</summary>
    public uint? SystemCallVector => Load(Layout.SystemCallVector);

    /// <summary>Says whether something waits for the guest to turn interrupts on, where a generation's guests look for that.</summary>
    public bool IrqPending
    {
        set
        {
            if (Layout.IrqPending is { } place)
                Store(place, value ? InterruptFlag : 0);
        }
    }

    /// <summary>The guest's page offset; null where a generation's guests do not say it here.</summary>
    public uint? KernelAddress => Load(Layout.KernelAddress);

    /// <summary>Writes the wall clock.</summary>
    /// <param name="wall">Nanoseconds since the epoch.</param>
    public void SetTime(long wall)
    {
        const long second = 1_000_000_000;
        Store(GuestDataLayout.TimeSeconds, (uint)(int)(wall / second));
        Store(GuestDataLayout.TimeNanoseconds, (uint)(wall % second));
    }

    /// <summary>Whether a slot of the ring has a call that is not made yet.</summary>
    /// <param name="slot">0 to <see cref="RingSize"/> − 1.</param>
    public bool IsPending(int slot) => Volatile.Read(ref _status[Checked(slot)]) != RingDone; // Read once

    /// <summary>The call in a slot of the ring: a copy, of which each word was loaded once.</summary>
    /// <param name="slot">0 to <see cref="RingSize"/> − 1.</param>
    /// <param name="convention">How calls are put there.</param>
    public GuestCall CallIn(int slot, CallConvention convention)
    {
        int words = convention.SlotWords;
        return convention.InSlot(new ReadOnlySpan<uint>(_ring + (Checked(slot) * words), words)); // Read once
    }

    /// <summary>Marks a slot of the ring as done.</summary>
    /// <param name="slot">0 to <see cref="RingSize"/> − 1.</param>
    public void SetDone(int slot) => _status[Checked(slot)] = RingDone;

    private static int Checked(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)RingSize);
        return slot;
    }

    private uint Load(uint place) => Volatile.Read(ref *(uint*)(_start + place));

    private uint? Load(uint? place) => place is { } there ? Load(there) : null;

    private void Store(uint place, uint value) => Volatile.Write(ref *(uint*)(_start + place), value);
}
