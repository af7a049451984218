// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Sandbox;

/// <summary>A system call that a sealed launcher may still make.</summary>
/// <param name="Number">On x86-64.</param>
/// <param name="Name">Its name.</param>
/// <param name="Why">Who needs it.</param>
internal sealed record AllowedCall(int Number, string Name, string Why)
{
    /// <summary>In words, what its arguments must be or which option allows it; empty: nothing.</summary>
    public string Limit { get; init; } = string.Empty;

    /// <summary>
    /// What its arguments must be, in this launcher: one of the alternatives, each of which is a list of tests that all hold. No
    /// alternative at all: it is not allowed. Null: they may be anything.
    /// </summary>
    public Func<SealNeeds, ArgumentTest[][]>? Tests { get; init; }
}
