// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Debugging;

/// <summary>Why a guest stands still.</summary>
public enum StopCause
{
    /// <summary>Somebody asked for it.</summary>
    Pause,

    /// <summary>One instruction was to be executed, and was.</summary>
    Step,

    /// <summary>A breakpoint; EIP is the instruction, not executed yet.</summary>
    Breakpoint,

    /// <summary>A watchpoint; EIP is behind the access.</summary>
    Watchpoint,

    /// <summary>It is dead, and is let go of as soon as it is resumed. Registers and memory are as at its end.</summary>
    Death,
}

/// <summary>A guest that stands still, and why.</summary>
/// <param name="Cause">Why.</param>
/// <param name="Address">For a watchpoint: the linear address it watches.</param>
/// <param name="Watch">For a watchpoint: what the instruction did there.</param>
/// <param name="Reason">For a death: the reason, as the channel will give it.</param>
public readonly record struct GuestStop(StopCause Cause, uint Address = 0, WatchKind Watch = WatchKind.None, string? Reason = null);

/// <summary>Somebody who wants to know when the guest stops, and to see it before it dies.</summary>
public interface IGuestDebugger
{
    /// <summary>
    /// The guest has stopped. Called on the thread that owns it; must not wait for anything. What the debugger does next, it
    /// does with <see cref="IDebugPort.Invoke"/>, until somebody resumes the guest.
    /// </summary>
    void Stopped(in GuestStop stop);
}
