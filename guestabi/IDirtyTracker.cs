// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>Knows which pages of its memory a guest has written, and the host for it, exact to the page. For the guest's owner.</summary>
public interface IDirtyTracker
{
    /// <summary>Whether writes are tracked; until somebody asks for that they are not, and cost nothing.</summary>
    bool TracksWrites { get; }

    /// <summary>Tracks writes from now on: everything counts as clean.</summary>
    void TrackWrites();

    /// <summary>The pages of a range that were written since they were last taken, as runs in order; they are clean then.</summary>
    /// <param name="range">Whole pages.</param>
    /// <exception cref="InvalidOperationException">Writes are not tracked.</exception>
    IReadOnlyList<MemoryRange> TakeAndClear(MemoryRange range);

    /// <summary>The pages of a range that were written since <see cref="TrackWrites"/>, taken or not, as runs in order.</summary>
    /// <param name="range">Whole pages.</param>
    /// <exception cref="InvalidOperationException">Writes are not tracked.</exception>
    IReadOnlyList<MemoryRange> EverWritten(MemoryRange range);
}
