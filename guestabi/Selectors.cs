// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>The guest's descriptor tables as Linux 2.6.23 lays them out (abi.md §2.2).</summary>
public static class Selectors
{
    /// <summary>Entries in the GDT.</summary>
    public const int GdtEntries = 32;

    /// <summary>First of the three TLS entries.</summary>
    public const int TlsFirst = 6;

    /// <summary>Number of TLS entries.</summary>
    public const int TlsCount = 3;

    /// <summary>GDT index of the host's own code segment (ignored when the guest sets it).</summary>
    public const int HostCodeIndex = 10;

    /// <summary>GDT index of the host's own data segment (likewise).</summary>
    public const int HostDataIndex = 11;

    /// <summary>GDT index of the guest kernel's code segment.</summary>
    public const int KernelCodeIndex = 12;

    /// <summary>GDT index of the guest kernel's data segment.</summary>
    public const int KernelDataIndex = 13;

    /// <summary>GDT index of the TSS (ignored when the guest sets it).</summary>
    public const int TssIndex = 16;

    /// <summary>GDT index of the double fault TSS (likewise).</summary>
    public const int DoubleFaultTssIndex = 31;

    // [P:130] Ring 1
    // A kernel expects ring 0, where everything is allowed, and no host gives that away. So a guest's kernel runs in ring 1, and
    // its programs in ring 3 as always. Most instructions do in ring 1 what they do in ring 0. Those that would touch the machine
    // itself (cli, lgdt, mov to cr3) fault; and a few, popf and iret above all, quietly leave alone what they may not change. A
    // *paravirtual* kernel knows that and does not use them: it asks its host instead.
    /// <summary>The ring in which a guest kernel runs.</summary>
    public const uint GuestRing = 1;

    /// <summary>The ring of a guest's programs.</summary>
    public const uint UserRing = 3;

    /// <summary>%cs of the guest kernel, ring 1.</summary>
    public const ushort KernelCode = (KernelCodeIndex << 3) | (ushort)GuestRing;

    /// <summary>%ds, %es, %ss of the guest kernel, ring 1.</summary>
    public const ushort KernelData = (KernelDataIndex << 3) | (ushort)GuestRing;

    /// <summary>Entries that the host keeps for itself: the guest's writes to them are ignored.</summary>
    public static bool IsIgnored(int index) =>
        index is TssIndex or HostCodeIndex or HostDataIndex or DoubleFaultTssIndex;
}
