// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Tests.Contract;

/// <summary>What a handler of <see cref="GuestProgram"/> left on its stack: its own pushes, then the processor's frame.</summary>
internal sealed record TrapFrame(
    uint HandlerSs, uint HandlerCs, uint Esp, uint? Error, uint Eip, uint Cs, uint Flags, uint OuterEsp, uint OuterSs)
{
    private const int PushedRegisters = 8;

    /// <summary>Reads it.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="stack">The stack pointer reported, virtual.</param>
    /// <param name="hasError">There is an error code.</param>
    public static TrapFrame Read(GuestMemory memory, uint stack, bool hasError)
    {
        uint physical = stack - GuestPlan.PageOffset;
        uint Word(int index) => memory.ReadUInt32(physical + ((uint)index * 4));
        int frame = 2 + PushedRegisters;
        uint? error = hasError ? Word(frame++) : null;
        return new TrapFrame(
            Word(0) & 0xFFFF, Word(1) & 0xFFFF, stack + ((uint)frame * 4), error, Word(frame), Word(frame + 1), Word(frame + 2), Word(frame + 3), Word(frame + 4));
    }
}
