// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Hypervisor;

/// <summary>
/// The guest's IDT, as it set it entry by entry (abi.md §4.3): 32 traps, 32 irqs and the system call. What it sets for other
/// vectors is ignored, and so is what no guest may handle: NMI, double fault, spurious interrupt and the hypercall.
/// </summary>
public sealed class InterruptTable
{
    private const uint PresentBit = 0x8000;
    private readonly Gate[] _gates = new Gate[Vectors.FirstIrq + Vectors.IrqCount];
    private Gate _systemCall;

    /// <summary>The gate of a vector.</summary>
    public Gate this[uint vector] => vector < (uint)_gates.Length ? _gates[vector]
        : vector == Vectors.SystemCall ? _systemCall : default;

    /// <summary>Sets a gate from the two words of a descriptor.</summary>
    /// <returns>Null, or why the guest must die.</returns>
    public string? Set(uint vector, uint low, uint high)
    {
        if (ExceptionVector.IsHosts(vector) || vector == Vectors.Hypercall)
            return null;
        bool isSystemCall = vector == Vectors.SystemCall;
        if (!isSystemCall && vector >= (uint)_gates.Length)
            return null;
        Gate gate = default;
        if ((high & PresentBit) != 0)
        {
            uint type = (high >> 8) & 0xF;
            if (type is not (0xE or 0xF))
                return $"bad IDT type {type}";
            gate = new Gate((low & 0xFFFF) | (high & 0xFFFF_0000), type == 0xE, (high >> 13) & 3, Present: true);
        }

        if (isSystemCall)
            _systemCall = gate;
        else
            _gates[vector] = gate;
        return null;
    }
}
