// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Launcher.Common;

/// <summary>A signal that asks a program to end, before which it gives a terminal back.</summary>
/// <param name="Signal">As the runtime calls it.</param>
/// <param name="Number">As Linux numbers it.</param>
/// <param name="Name">For messages; null when nobody can read one: after a hang-up.</param>
internal sealed record EndingSignal(PosixSignal Signal, int Number, string? Name)
{
    /// <summary>All of them that can be caught.</summary>
    public static IReadOnlyList<EndingSignal> All { get; } =
    [
        new(PosixSignal.SIGHUP, 1, null),
        new(PosixSignal.SIGINT, 2, "SIGINT"),
        new(PosixSignal.SIGQUIT, 3, "SIGQUIT"),
        new(PosixSignal.SIGTERM, 15, "SIGTERM"),
    ];

    /// <summary>The exit status of who ends for it.</summary>
    public int Status => ExitStatus.SignalBase + Number;
}
