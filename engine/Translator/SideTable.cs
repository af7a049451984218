// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory;

namespace Lguest.Engine.Translator;

/// <summary>How far a guest instruction has come at some place in its host code.</summary>
internal enum SideKind : byte
{
    /// <summary>Its host code begins here; until the next entry it has done nothing that doing it again would not do again.</summary>
    Instruction,

    /// <summary>The same, and the guest's %ecx is in %r9d.</summary>
    InstructionWithEcxInR9,

    /// <summary>It is done: what is left is going to a known EIP.</summary>
    GoingTo,

    /// <summary>It is done: what is left is going to the EIP in %r10d.</summary>
    GoingToR10,

    /// <summary>The same, and the guest's %ecx is in %r9d.</summary>
    GoingToR10WithEcxInR9,

    /// <summary>Going to a known EIP, and the guest's %ecx is in %r9d.</summary>
    GoingToWithEcxInR9,
}

// [T:210] Which instruction was it?
/// <summary>
/// From a place in the emitted code back to the guest instruction it belongs to: what makes faults and interruptions precise.
/// Code is only ever added at the end, so the table is sorted by itself.
/// </summary>
internal sealed class SideTable
{
    private readonly GrowingTable<Entry> _entries = new();
    private int _count;

    /// <summary>Number of entries.</summary>
    public int Count => _count;

    /// <summary>Adds what holds from an offset on.</summary>
    public void Add(uint offset, uint eip, SideKind kind)
    {
        if (_count > 0 && _entries[_count - 1].Offset == offset)
            _count--;
        _entries.MakeRoom(_count);
        _entries[_count++] = new Entry(offset, eip, kind);
    }

    /// <summary>What holds at an offset.</summary>
    public Entry Find(uint offset)
    {
        int low = 0;
        int high = _count - 1;
        while (low < high)
        {
            int middle = (low + high + 1) >> 1;
            if (_entries[middle].Offset <= offset)
                low = middle;
            else
                high = middle - 1;
        }

        return _entries[low];
    }

    /// <summary>Forgets everything.</summary>
    public void Clear() => _count = 0;

    /// <summary>What holds from <paramref name="Offset"/> in the code arena on.</summary>
    /// <param name="Offset">Bytes from the arena's start.</param>
    /// <param name="Eip">The instruction, or where it goes.</param>
    /// <param name="Kind">How far it has come.</param>
    public readonly record struct Entry(uint Offset, uint Eip, SideKind Kind);
}
