// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Check;

/// <summary>
/// All that is known to differ between the makers' processors in what our guests can execute. The interpreter does as Intel's
/// do; who compares it with the processor it runs on (the differential tests, <c>--engine=check</c>) allows what stands here,
/// on the maker's processors that it stands for, and nothing else. docs/processor.md has the same table for people.
/// <para>"Family 6" is an Intel Xeon, "family 25" an AMD EPYC; SDM is Intel's Software Developer's Manual, APM is AMD's
/// Architecture Programmer's Manual.</para>
/// </summary>
public static class VendorDifferences
{
    /// <summary>PUSH of a segment register.</summary>
    public static VendorDifference PushSegment { get; } = new(
        "PUSH of a segment register with a 32-bit operand",
        "writes the selector's 16 bits; the upper half of the slot stays as it was",
        "writes 32 bits, the upper half 0; faults if the upper half cannot be written",
        "16 bits are written, under both engines (the translator emits the store itself)",
        "SDM vol. 2B, PUSH (either is permitted; recent processors do a 16-bit move); AMD: observed, family 25");

    /// <summary>The flags after a repeated comparison that faults on the way.</summary>
    public static VendorDifference RepeatedComparisonFault { get; } = new(
        "CMPS and SCAS with REPE or REPNE that fault after some rounds",
        "restores the flags to what they were before the instruction",
        "leaves the flags of the last comparison that was completed",
        "Intel's way in the interpreter, the host's in the translator; the instruction is restarted, so that only a handler that looks at its saved flags can tell",
        "SDM vol. 2B, REP; AMD: observed, family 25");

    /// <summary>Which operand of a comparison faults when both would.</summary>
    public static VendorDifference ComparisonOrder { get; } = new(
        "CMPS with REPE or REPNE, both of whose operands fault",
        "reports the fault of (%edi)",
        "reports the fault of the source operand, (%esi); without a prefix that of (%edi)",
        "Intel's way in the interpreter, the host's in the translator",
        "neither manual defines an order; observed, Intel family 6 and AMD family 25");

    /// <summary>A bound that is not needed.</summary>
    public static VendorDifference BoundOrder { get; } = new(
        "BOUND with an index below the lower bound, and an upper bound that cannot be read",
        "#BR: the upper bound is not looked at",
        "reads both bounds first, and faults",
        "Intel's way, under both engines (64-bit hosts have no BOUND, it is interpreted)",
        "neither manual defines an order; observed, Intel family 6 and AMD family 25");

    /// <summary>An operand that lies across the end of the address space.</summary>
    public static VendorDifference AcrossTheTop { get; } = new(
        "memory operands that begin below 4 GiB and end above, in a flat segment",
        "wrap around: what is raised, if anything, is a page fault",
        "#GP(0), or #SS(0) for the stack",
        "Intel's way (no lguest guest can map both ends)",
        "SDM vol. 3A, 5.3 \"Limit Checking\": with a limit of 4 GiB it is implementation-specific; observed, Intel family 6 and AMD family 25");

    /// <summary>LOCK MOV CR0.</summary>
    public static VendorDifference LockMovCr0 { get; } = new(
        "MOV to and from %cr0 with a LOCK prefix",
        "#UD: LOCK is not for MOV",
        "is MOV to and from %cr8; #GP(0) outside ring 0",
        "#UD in ring 3; a guest's kernel is told the same",
        "SDM vol. 2A, LOCK; APM vol. 3, MOV CRn and CPUID Fn8000_0001_ECX[AltMovCr8]");

    /// <summary>The addresses of the last floating-point instruction.</summary>
    public static VendorDifference FloatingPointPointers { get; } = new(
        "the last x87 instruction's opcode and addresses, in FXSAVE, FNSAVE and FNSTENV",
        "FXSAVE and FXRSTOR always store and load them; newer processors update them only for unmasked exceptions, and store 0 as selectors",
        "FXSAVE and FXRSTOR store and load them only while an unmasked exception is pending, unless CPUID Fn8000_0008_EBX[2] is set, as it is on family 25",
        "undefined: no guest may count on them but in a handler of an x87 exception",
        "SDM vol. 1, 8.1.8; APM vol. 2, 11.4.4 \"Saving Media and x87 State\" and vol. 5, FXSAVE");

    /// <summary>What flags that the manuals leave undefined come to.</summary>
    public static VendorDifference UndefinedFlagValues { get; } = new(
        "MUL, IMUL, DIV, IDIV, shifts, rotates, BSF, BSR, BT and its like, logic (AF), DAA, DAS, AAA, AAS, AAM, AAD",
        "flags that are undefined have some value, which differs between models",
        "flags that are undefined have some value, another one",
        "the interpreter's own values or the host's; see UndefinedFlags",
        "SDM vol. 1, appendix A; APM vol. 3, the instructions' \"rFLAGS Affected\" (U)");

    /// <summary>The whole table.</summary>
    public static IReadOnlyList<VendorDifference> All { get; } =
        [PushSegment, RepeatedComparisonFault, ComparisonOrder, BoundOrder, AcrossTheTop, LockMovCr0, FloatingPointPointers, UndefinedFlagValues];
}
