// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.Debugging;

namespace Lguest.Engine.Cpu;

/// <summary>The registers of a core at rest. A core that runs keeps some elsewhere, and has them back in its state whenever it returns.</summary>
/// <param name="core">The core.</param>
internal sealed unsafe class CoreRegisters(ExecutionCore core) : IRegisters
{
    /// <inheritdoc/>
    public uint this[GeneralRegister register]
    {
        get => core.Cpu->Arch.Registers[(int)register];
        set => core.Cpu->Arch.Registers[(int)register] = value;
    }

    /// <inheritdoc/>
    public uint Eip
    {
        get => core.Cpu->Arch.Eip;
        set => core.Cpu->Arch.Eip = value;
    }

    /// <inheritdoc/>
    public uint Flags
    {
        get => core.Cpu->Arch.Flags;
        set => core.Cpu->Arch.Flags = value | EFlags.Interrupt;
    }

    /// <inheritdoc/>
    public FxImage FloatingPoint
    {
        get => core.Cpu->Arch.Float;
        set => core.Cpu->Arch.Float = value;
    }

    /// <inheritdoc/>
    public uint Cpl => core.Cpu->Arch.Cpl;

    /// <inheritdoc/>
    public bool IsTaskSwitched => core.Cpu->Arch.TaskSwitched != 0;

    /// <inheritdoc/>
    public ulong? Instructions => core.CountsInstructions ? core.Cpu->Instructions : null;

    /// <inheritdoc/>
    public SegmentRegister Segment(SegmentName name) => core.Cpu->Arch.Segment(name);

    /// <inheritdoc/>
    public bool TryLoadSegment(SegmentName name, uint selector)
    {
        if (core.Cpu->Arch.Segment(name).Selector == selector)
            return true;
        if ((selector & 0xFFFC) != 0 && (!core.Gdt.TryGet(selector, out ulong descriptor) || (SegmentLoad.Attributes(descriptor) & SegmentLoad.PresentBit) == 0))
            return false;
        core.SetSegment(name, selector);
        return true;
    }
}
