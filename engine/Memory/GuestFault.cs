// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Memory;

// [I:210] When an instruction cannot go on
/// <summary>
/// A guest's instruction cannot go on. Thrown from wherever that is found out, caught in the run loop: the instruction has
/// changed nothing by then. One object per core, with its fields set anew: throwing it is part of a page fault's cost.
/// </summary>
internal sealed class GuestFault : Exception
{
    /// <summary>Exception vector.</summary>
    public byte Vector { get; set; }

    /// <summary>Its error code, for those that have one.</summary>
    public uint ErrorCode { get; set; }

    /// <summary>Linear address, for vector 14.</summary>
    public uint Address { get; set; }

    /// <summary>Not a fault but the guest's end: the reason.</summary>
    public string? KillReason { get; set; }
}
