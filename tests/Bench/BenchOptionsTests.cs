// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Bench;

namespace Lguest.Tests.Bench;

/// <summary>What the command line of <c>make bench</c> asks for.</summary>
public sealed class BenchOptionsTests
{
    /// <summary>The documentation is written where somebody asks for that, and what was measured in part goes nowhere by itself.</summary>
    [Theory]
    [InlineData("", "report")]
    [InlineData("--rounds 3", "report")]
    [InlineData("--write", "page")]
    [InlineData("--output here", "here")]
    [InlineData("--only integer", null)]
    [InlineData("--no-startup --write", "page")]
    public void TheReportGoesTo(string arguments, string? place) =>
        Assert.Equal(place, BenchOptions.Parse(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries), "report", "page").Output);
}
