// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Check;

/// <summary>The engines do not do the same: one of them is wrong.</summary>
/// <param name="what">What is different, and where.</param>
/// <param name="report">Code, states, memory and the blocks before, in lines.</param>
public sealed class EngineDisagreementException(string what, string report) : Exception($"the engines disagree: {what}")
{
    /// <summary>The whole story, in lines.</summary>
    public string Report { get; } = report;
}
