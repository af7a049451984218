// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>What a generation's guests find their processor and its board to be, beyond the instructions that all have (abi.md §4.8, §4.9).</summary>
public sealed record ProcessorRules
{
    /// <summary>The seed patch, and Linux 2.6.23: what is privileged is a fault, and no port answers.</summary>
    public static ProcessorRules Linux2623 { get; } = new()
    {
        Kernel = ProcessorIdentity.Family6,
        Program = ProcessorIdentity.Family6,
        HasVmcall = false,
        EmulatesPrivileged = false,
        HasBoardPorts = false,
    };

    /// <summary>Linux 2.6.24 to 4.13: kernels made for any board, which do here and there what they would do there.</summary>
    public static ProcessorRules Virtio { get; } = new()
    {
        Kernel = ProcessorIdentity.Family5,
        Program = ProcessorIdentity.Family6,
        HasVmcall = true,
        EmulatesPrivileged = true,
        HasBoardPorts = true,
    };

    /// <summary>What CPUID answers in ring 1.</summary>
    public required ProcessorIdentity Kernel { get; init; }

    /// <summary>What it answers in ring 3.</summary>
    public required ProcessorIdentity Program { get; init; }

    /// <summary>Whether VMCALL is a hypercall in ring 1, as INT 0x1F is; else it is no instruction (abi.md §3.1).</summary>
    public required bool HasVmcall { get; init; }

    /// <summary>
    /// Whether CLI and HLT of ring 1 do what they say, and, until the guest has a gate for protection faults, model-specific registers and
    /// %cr0 can be asked for; else all of these fault.
    /// </summary>
    public required bool EmulatesPrivileged { get; init; }

    /// <summary>Whether the ports answer with which a kernel would wait long for what is not there: <see cref="BoardPorts"/>.</summary>
    public required bool HasBoardPorts { get; init; }
}
