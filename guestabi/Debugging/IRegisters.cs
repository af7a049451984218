// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.Processor;

namespace Lguest.GuestAbi.Debugging;

/// <summary>
/// The registers of a guest at rest: between two instructions, all of them as the guest would find them, wherever its engine keeps
/// them while it runs. What is set is what the guest goes on with. For the thread that owns the guest, which is the only one that
/// knows when the guest is at rest: see <see cref="IDebugPort"/>.
/// </summary>
public interface IRegisters
{
    /// <summary>A general register.</summary>
    uint this[GeneralRegister register] { get; set; }

    /// <summary>The next instruction to execute; after a fault that ended the guest, the one that faulted.</summary>
    uint Eip { get; set; }

    /// <summary>EFLAGS. Whatever is set, IF stays set: a guest's interrupts are switched by <c>lguest_data.irq_enabled</c>.</summary>
    uint Flags { get; set; }

    /// <summary>x87, MMX and SSE: a copy.</summary>
    FxImage FloatingPoint { get; set; }

    /// <summary>The ring: 1 in the guest's kernel, 3 in its programs.</summary>
    uint Cpl { get; }

    /// <summary>CR0.TS: the next floating point instruction traps.</summary>
    bool IsTaskSwitched { get; }

    /// <summary>Instructions executed so far; null where the engine does not count them.</summary>
    ulong? Instructions { get; }

    /// <summary>A segment register with its hidden part: a copy.</summary>
    SegmentRegister Segment(SegmentName name);

    /// <summary>Loads a segment register as the guest could, without privilege checks.</summary>
    /// <returns>False, and nothing is changed: the selector has no descriptor that is present, and the guest could not run on.</returns>
    bool TryLoadSegment(SegmentName name, uint selector);
}
