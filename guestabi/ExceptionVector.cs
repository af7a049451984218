// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>How an exception goes with the instruction that it belongs to (Intel SDM vol. 3A, 6.5).</summary>
public enum ExceptionClass : byte
{
    /// <summary>Before it: going back does it again. The flags are pushed with RF set.</summary>
    Fault,

    /// <summary>After it.</summary>
    Trap,

    /// <summary>Nobody can say where: there is no going back.</summary>
    Abort,

    /// <summary>It belongs to no instruction.</summary>
    Interrupt,
}

/// <summary>Whose the gate of an exception is (abi.md §4.3).</summary>
public enum GateOwner : byte
{
    /// <summary>The guest's.</summary>
    Guest,

    /// <summary>The guest's handler is called, but by the host, which has to see the exception first: <c>int n</c> finds a gate of ring 0.</summary>
    HostFirst,

    /// <summary>The host's. What the guest sets is ignored.</summary>
    Host,
}

/// <summary>An exception of the processor (Intel SDM vol. 3A, table 6-1): everything that is known of its vector.</summary>
/// <param name="Number">The vector.</param>
/// <param name="Mnemonic">As the manuals write it.</param>
/// <param name="Name">As traces, statistics and the monitor print it.</param>
/// <param name="HasErrorCode">Whether the processor pushes an error code.</param>
/// <param name="Class">How it goes with its instruction.</param>
/// <param name="Gate">Whose its gate is.</param>
public readonly record struct ExceptionVector(
    byte Number, string Mnemonic, string Name, ExceptionClass Class, bool HasErrorCode = false, GateOwner Gate = GateOwner.Guest)
{
    /// <summary>#DE.</summary>
    public const byte DivideError = 0;

    /// <summary>#DB.</summary>
    public const byte Debug = 1;

    /// <summary>INT3.</summary>
    public const byte Breakpoint = 3;

    /// <summary>INTO.</summary>
    public const byte Overflow = 4;

    /// <summary>BOUND.</summary>
    public const byte BoundRange = 5;

    /// <summary>#UD.</summary>
    public const byte InvalidOpcode = 6;

    /// <summary>#NM.</summary>
    public const byte DeviceNotAvailable = 7;

    /// <summary>#DF.</summary>
    public const byte DoubleFault = 8;

    /// <summary>#TS.</summary>
    public const byte InvalidTss = 10;

    /// <summary>#NP.</summary>
    public const byte SegmentNotPresent = 11;

    /// <summary>#SS.</summary>
    public const byte StackFault = 12;

    /// <summary>#GP.</summary>
    public const byte GeneralProtection = 13;

    /// <summary>#PF.</summary>
    public const byte PageFault = 14;

    /// <summary>#MF.</summary>
    public const byte MathFault = 16;

    /// <summary>#AC.</summary>
    public const byte AlignmentCheck = 17;

    /// <summary>#XM.</summary>
    public const byte SimdException = 19;

    private static readonly ExceptionVector[] s_all =
    [
        new(DivideError, "#DE", "divide error", ExceptionClass.Fault),
        new(Debug, "#DB", "debug", ExceptionClass.Trap),
        new(2, "NMI", "NMI", ExceptionClass.Interrupt, Gate: GateOwner.Host),
        new(Breakpoint, "#BP", "breakpoint", ExceptionClass.Trap),
        new(Overflow, "#OF", "overflow", ExceptionClass.Trap),
        new(BoundRange, "#BR", "bound range", ExceptionClass.Fault),
        new(InvalidOpcode, "#UD", "invalid opcode", ExceptionClass.Fault),
        new(DeviceNotAvailable, "#NM", "no FPU", ExceptionClass.Fault, Gate: GateOwner.HostFirst),
        new(DoubleFault, "#DF", "double fault", ExceptionClass.Abort, HasErrorCode: true, GateOwner.Host),
        new(9, "", "coprocessor overrun", ExceptionClass.Fault),
        new(InvalidTss, "#TS", "invalid TSS", ExceptionClass.Fault, HasErrorCode: true),
        new(SegmentNotPresent, "#NP", "segment not present", ExceptionClass.Fault, HasErrorCode: true),
        new(StackFault, "#SS", "stack fault", ExceptionClass.Fault, HasErrorCode: true),
        new(GeneralProtection, "#GP", "general protection", ExceptionClass.Fault, HasErrorCode: true, GateOwner.HostFirst),
        new(PageFault, "#PF", "page fault", ExceptionClass.Fault, HasErrorCode: true, GateOwner.HostFirst),
        new(15, "", "spurious", ExceptionClass.Interrupt, Gate: GateOwner.Host),
        new(MathFault, "#MF", "x87 error", ExceptionClass.Fault),
        new(AlignmentCheck, "#AC", "alignment check", ExceptionClass.Fault, HasErrorCode: true),
        new(18, "#MC", "machine check", ExceptionClass.Abort),
        new(SimdException, "#XM", "SIMD error", ExceptionClass.Fault),
    ];

    // The columns that are asked for at each trap, a bit for each vector.
    private static readonly uint s_errorCodes = Column(static vector => vector.HasErrorCode);
    private static readonly uint s_traps = Column(static vector => vector.Class == ExceptionClass.Trap);
    private static readonly uint s_hosts = Column(static vector => vector.Gate == GateOwner.Host);
    private static readonly uint s_hostFirst = Column(static vector => vector.Gate == GateOwner.HostFirst);

    /// <summary>All that the guest's processor has, by number. Those up to 31 are reserved.</summary>
    public static ReadOnlySpan<ExceptionVector> All => s_all;

    /// <summary>Whether the processor pushes an error code for a vector.</summary>
    public static bool PushesErrorCode(uint vector) => Has(s_errorCodes, vector);

    /// <summary>Whether the flags are pushed with RF set, so that going back to the instruction does not break again; after a trap they are not.</summary>
    public static bool PushesResumeFlag(uint vector) => vector < Vectors.FirstIrq && !Has(s_traps, vector);

    /// <summary>Whether a vector's gate is the host's alone.</summary>
    public static bool IsHosts(uint vector) => Has(s_hosts, vector);

    /// <summary>Whether the host has to see an exception before the guest does.</summary>
    public static bool IsSeenFirst(uint vector) => Has(s_hostFirst, vector);

    private static bool Has(uint column, uint vector) => vector < Vectors.FirstIrq && (column >> (int)vector & 1) != 0;

    private static uint Column(Func<ExceptionVector, bool> has)
    {
        uint bits = 0;
        foreach (ExceptionVector vector in s_all)
            bits |= has(vector) ? 1u << vector.Number : 0;
        return bits;
    }
}
