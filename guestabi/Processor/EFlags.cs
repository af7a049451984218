// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Processor;

/// <summary>Bits of EFLAGS (Intel SDM vol. 1, 3.4.3).</summary>
public static class EFlags
{
    /// <summary>CF.</summary>
    public const uint Carry = 0x001;

    /// <summary>Bit 1, always set.</summary>
    public const uint Fixed = 0x002;

    /// <summary>PF.</summary>
    public const uint Parity = 0x004;

    /// <summary>AF.</summary>
    public const uint Adjust = 0x010;

    /// <summary>ZF.</summary>
    public const uint Zero = 0x040;

    /// <summary>SF.</summary>
    public const uint Sign = 0x080;

    /// <summary>TF: trap after one instruction.</summary>
    public const uint Trap = 0x100;

    /// <summary>IF: always set while a guest runs; lguest_data.irq_enabled is what the guest turns instead.</summary>
    public const uint Interrupt = 0x200;

    /// <summary>DF: strings go down.</summary>
    public const uint Direction = 0x400;

    /// <summary>OF.</summary>
    public const uint Overflow = 0x800;

    /// <summary>IOPL: always 0.</summary>
    public const uint IoPrivilege = 0x3000;

    /// <summary>NT.</summary>
    public const uint NestedTask = 0x4000;

    /// <summary>RF.</summary>
    public const uint Resume = 0x10000;

    /// <summary>VM: never set, lguest has no virtual 8086 mode.</summary>
    public const uint Virtual8086 = 0x20000;

    /// <summary>AC.</summary>
    public const uint AlignmentCheck = 0x40000;

    /// <summary>ID: can be toggled, so CPUID exists.</summary>
    public const uint Identification = 0x200000;

    /// <summary>The six flags that arithmetic sets.</summary>
    public const uint Arithmetic = Carry | Parity | Adjust | Zero | Sign | Overflow;
}
