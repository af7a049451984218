// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>The numbers that an interrupt or trap can have (abi.md §4.3); those below 32 are <see cref="ExceptionVector"/>s.</summary>
public static class Vectors
{
    // [P:140+1] How a guest asks
    // By an interrupt that no hardware uses. %eax says what is wanted, three more registers are the arguments, and the answer
    // comes back in %eax: a system call, one storey further down.
    /// <summary>The hypercall: <c>int $0x1F</c>.</summary>
    public const byte Hypercall = 0x1F;

    /// <summary>Vector of irq 0; irq n is this + n.</summary>
    public const int FirstIrq = 32;

    /// <summary>Number of irqs.</summary>
    public const int IrqCount = 32;

    /// <summary>The Linux system call.</summary>
    public const byte SystemCall = 0x80;

    /// <summary>The name of any vector, as traces, statistics and the monitor print it.</summary>
    public static string NameOf(uint vector) => vector switch
    {
        SystemCall => "system call",
        Hypercall => "hypercall",
        >= FirstIrq and < FirstIrq + IrqCount => $"irq {vector - FirstIrq}",
        _ => vector < (uint)ExceptionVector.All.Length ? ExceptionVector.All[(int)vector].Name : $"vector {vector}",
    };
}
