// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>
/// Where the fields of <c>struct lguest_data</c> are (abi.md §3.5), in bytes from its start. The first five never moved; the others are
/// as a generation has them, and null where it does not. All are 32 bits wide but for the ring and <see cref="GuestId"/>.
/// </summary>
public sealed record GuestDataLayout
{
    /// <summary><c>irq_enabled</c>: 0x200 when the guest takes interrupts.</summary>
    public const uint IrqEnabled = 0;

    /// <summary><c>blocked_interrupts</c>: a bitmap of irqs, 1 = masked.</summary>
    public const uint BlockedInterrupts = 4;

    /// <summary><c>cr2</c>: address of the last page fault.</summary>
    public const uint Cr2 = 8;

    /// <summary><c>time</c>: wall clock, seconds.</summary>
    public const uint TimeSeconds = 12;

    /// <summary><c>time</c>: wall clock, nanoseconds.</summary>
    public const uint TimeNanoseconds = 16;

    private GuestDataLayout(string name) => Name = name;

    /// <summary>Linux 2.6.23, and the seed patch.</summary>
    public static GuestDataLayout Linux2623 { get; } = new("2.6.23")
    {
        RingStatus = 20,
        Ring = 84,
        ReserveMem = 1108,
        GuestId = 1112,
        TscKhz = 1116,
        NoIrqStart = 1120,
        NoIrqEnd = 1124,
        Size = 1128,
    };

    /// <summary>Linux 2.6.24 to 2.6.30.</summary>
    public static GuestDataLayout Linux2624 { get; } = new("2.6.24")
    {
        RingStatus = 20,
        Ring = 84,
        ReserveMem = 1108,
        TscKhz = 1112,
        PageDirectory = 1116,
        NoIrqStart = 1120,
        NoIrqEnd = 1124,
        KernelAddress = 1128,
        SystemCallVector = 1132,
        Size = 1136,
    };

    /// <summary>Linux 2.6.31 to 3.0.</summary>
    public static GuestDataLayout Linux2631 { get; } = new("2.6.31")
    {
        IrqPending = 20,
        RingStatus = 24,
        Ring = 88,
        ReserveMem = 1368,
        TscKhz = 1372,
        PageDirectory = 1376,
        NoIrqStart = 1380,
        NoIrqEnd = 1384,
        KernelAddress = 1388,
        SystemCallVector = 1392,
        Size = 1396,
    };

    /// <summary>Linux 3.1 to 4.0.</summary>
    public static GuestDataLayout Linux31 { get; } = new("3.1")
    {
        IrqPending = 20,
        RingStatus = 24,
        Ring = 88,
        ReserveMem = 1368,
        TscKhz = 1372,
        NoIrqStart = 1376,
        NoIrqEnd = 1380,
        KernelAddress = 1384,
        SystemCallVector = 1388,
        Size = 1392,
    };

    /// <summary>Linux 4.1 to 4.13.</summary>
    public static GuestDataLayout Linux41 { get; } = new("4.1")
    {
        IrqPending = 20,
        RingStatus = 24,
        Ring = 88,
        ReserveMem = 1368,
        TscKhz = 1372,
        NoIrqReturn = 1376,
        KernelAddress = 1380,
        SystemCallVector = 1384,
        Size = 1388,
    };

    /// <summary>Every layout there ever was, oldest first.</summary>
    public static IReadOnlyList<GuestDataLayout> All { get; } = [Linux2623, Linux2624, Linux2631, Linux31, Linux41];

    /// <summary>The release that had it first.</summary>
    public string Name { get; }

    /// <summary>Bytes of the whole structure.</summary>
    public required uint Size { get; init; }

    /// <summary><c>irq_pending</c>: 0x200 when something waits for the guest to turn interrupts on.</summary>
    public uint? IrqPending { get; private init; }

    /// <summary><c>hcall_status</c>: a byte for each slot of the ring.</summary>
    public required uint RingStatus { get; init; }

    /// <summary><c>hcalls</c>: the slots, each as long as the generation's <see cref="CallConvention"/> says.</summary>
    public required uint Ring { get; init; }

    /// <summary><c>reserve_mem</c>: bytes at the top of the address space that the guest must leave alone.</summary>
    public required uint ReserveMem { get; init; }

    /// <summary><c>guestid</c>, 16 bits: a number for this guest among those of its host.</summary>
    public uint? GuestId { get; private init; }

    /// <summary><c>tsc_khz</c>: kHz of the time stamp counter; 0: it is not to be used.</summary>
    public required uint TscKhz { get; init; }

    /// <summary><c>pgdir</c>: physical address of the first page directory.</summary>
    public uint? PageDirectory { get; private init; }

    /// <summary><c>noirq_start</c>: where the code begins in which no interrupt may be delivered.</summary>
    public uint? NoIrqStart { get; private init; }

    /// <summary><c>noirq_end</c>: its end, exclusive.</summary>
    public uint? NoIrqEnd { get; private init; }

    /// <summary><c>noirq_iret</c>: the one instruction at which a delivery pushes no frame (abi.md §4.4).</summary>
    public uint? NoIrqReturn { get; private init; }

    /// <summary><c>kernel_address</c>: the guest's page offset.</summary>
    public uint? KernelAddress { get; private init; }

    /// <summary><c>syscall_vec</c>: 0x80.</summary>
    public uint? SystemCallVector { get; private init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
