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
public sealed record RunOutcome(RunEnd End, string Reason = "")
{
    /// <summary>How the guest ended, for a report: only a guest that died has a reason to give.</summary>
    public string Words => End switch
    {
        RunEnd.PoweredOff => "powered off",
        RunEnd.Restarted => "restarted",
        RunEnd.ConsoleAbort => "ended by ^C^C^C",
        RunEnd.OutputFailed => "ended because its console could not be written",
        RunEnd.Stopped => "ended from outside, while it ran",
        _ => Reason,
    };
}
