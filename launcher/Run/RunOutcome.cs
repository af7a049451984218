// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Run;

/// <summary>Why a guest does not run any more.</summary>
public enum RunEnd
{
    /// <summary>It died: see the reason.</summary>
    Died,

    /// <summary>It powered itself off.</summary>
    PoweredOff,

    /// <summary>It pulled the reset line.</summary>
    Restarted,

    /// <summary>The user pressed ^C three times.</summary>
    ConsoleAbort,

    /// <summary>The console's output cannot be written.</summary>
    OutputFailed,

    /// <summary>A signal asked the launcher to stop.</summary>
    Stopped,
}

/// <summary>How a run ended.</summary>
/// <param name="End">Which way.</param>
/// <param name="Reason">The guest's or the engine's words for a death or power-off, as the channel gave them.</param>
public sealed record RunOutcome(RunEnd End, string Reason = "");
