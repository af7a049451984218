// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.NativeTests;

/// <summary>How a test came out.</summary>
/// <param name="Name">Which.</param>
/// <param name="Kind">One of <see cref="CaseRunner.Passes"/>, <see cref="CaseRunner.Fails"/>, <see cref="CaseRunner.Skips"/>.</param>
/// <param name="Time">How long it ran.</param>
/// <param name="Message">Why it failed or was skipped; else empty.</param>
internal sealed record TestOutcome(string Name, string Kind, TimeSpan Time, string Message);
