// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Launcher.Debugging.Monitor;

/// <summary>The processor's exceptions by name (Intel SDM vol. 3, table 6-1).</summary>
public static class VectorNames
{
    private static readonly string[] Exceptions =
    [
        "divide error", "debug", "NMI", "breakpoint", "overflow", "bound range", "invalid opcode", "no FPU", "double fault",
        "coprocessor overrun", "invalid TSS", "segment not present", "stack fault", "general protection", "page fault", "spurious",
        "x87 error", "alignment check", "machine check", "SIMD error",
    ];

    /// <summary>The name of a vector.</summary>
    public static string Of(uint vector) => vector switch
    {
        Vectors.SystemCall => "system call",
        Vectors.Hypercall => "hypercall",
        >= Vectors.FirstIrq and < Vectors.FirstIrq + Vectors.IrqCount => $"irq {vector - Vectors.FirstIrq}",
        _ => vector < (uint)Exceptions.Length ? Exceptions[vector] : $"vector {vector}",
    };
}
