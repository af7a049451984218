// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;

namespace Lguest.Launcher.Sandbox;

/// <summary>What keeps the launcher in, and what does not.</summary>
/// <param name="InForce">What is, in words.</param>
/// <param name="Missing">What this host lacks, in words: one sentence each.</param>
/// <param name="Threads">Threads that were there.</param>
/// <param name="Time">What it cost.</param>
public sealed record SealReport(IReadOnlyList<string> InForce, IReadOnlyList<string> Missing, int Threads, TimeSpan Time)
{
    /// <summary>Nothing, because the user said so.</summary>
    public static SealReport Off { get; } = new([], ["switched off by --sandbox=off"], 0, TimeSpan.Zero);

    /// <summary>In one line.</summary>
    public override string ToString()
    {
        string text = InForce.Count == 0 ? "none" : string.Join(", ", InForce);
        return Missing.Count == 0 ? text : $"{text} ({string.Join("; ", Missing)})";
    }

    /// <summary>With what it cost.</summary>
    public string ToLongString() =>
        string.Create(CultureInfo.InvariantCulture, $"{ToString()}; {Threads} threads sealed in {Time.TotalMilliseconds:f1} ms");
}
