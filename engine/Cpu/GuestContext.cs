// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.Generations;

namespace Lguest.Engine.Cpu;

/// <summary>
/// What a hypervisor says of its guest to the processor that it runs on. A processor is right without any of it; with it, it can do by
/// itself what it would come back for. It is said as a whole, before the guest runs, so that no
/// part can be forgotten or belong to another moment than the rest.
/// </summary>
public readonly record struct GuestContext
{
    /// <summary>A guest of which nothing is known, its kernel where Linux usually has it.</summary>
    public GuestContext()
    {
    }

    /// <summary>Lowest linear address of the kernel's part, which is the same in every address space.</summary>
    public uint KernelStart { get; init; } = 0xC000_0000;

    /// <summary>lguest_data, in which the hypervisor writes whenever the guest does not run; null before LGUEST_INIT.</summary>
    public GuestData? Data { get; init; }

    /// <summary>The gate's handler that ring 3 may call by INT 0x80, if that is nobody else's business; else null. Not without <see cref="Data"/>.</summary>
    public uint? SystemCallHandler { get; init; }

    /// <summary>Whether that gate is an interrupt gate: it turns interrupts off, in <see cref="Data"/>.</summary>
    public bool SystemCallMasks { get; init; }

    /// <summary>%ss of the kernel's stack for traps from ring 3.</summary>
    public uint StackSelector { get; init; }

    /// <summary>%esp of that stack.</summary>
    public uint StackPointer { get; init; }

    /// <summary>How often the guest's GDT was changed: another number says that it is another table.</summary>
    public uint DescriptorChanges { get; init; }
}
