// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Bench;

namespace Lguest.Tests.Bench;

/// <summary>What the benchmark makes of what its guests print.</summary>
public sealed class MeasurementsTests
{
    private static string Printed(uint khz, uint checksum, int operations, int best) =>
        $"begin {khz} 1000\n. a line of the console workload\nbench sieve {checksum} {operations} {best} {best * 2}\nend 2000\n";

    [Fact]
    public void TimesAreNanosecondsPerOperationByTheGuestsOwnCounter()
    {
        Measurements measured = new();
        measured.Add(Contender.Native, Printed(2_000_000, 7, 10, 1000));
        measured.Add(Contender.Translator, Printed(1_000_000, 7, 5, 1000));
        Assert.Equal(50, measured.Time(Contender.Native, "sieve"));
        Assert.Equal(200, measured.Time(Contender.Translator, "sieve"));
        Assert.Equal(4, measured.Ratio(Contender.Translator, Contender.Native, "sieve"));
    }

    [Fact]
    public void WhoHasNoNameForTheCountersPaceTakesTheHosts()
    {
        Measurements measured = new();
        measured.Add(Contender.Native, Printed(2_000_000, 7, 10, 1000));
        measured.Add(Contender.Tcg, Printed(0, 7, 10, 3000));
        Assert.Equal(150, measured.Time(Contender.Tcg, "sieve"));
    }

    [Fact]
    public void ManyRoundsAreTheirMedian()
    {
        Measurements measured = new();
        foreach (int best in new[] { 900, 100, 200 })
            measured.Add(Contender.Native, Printed(1_000_000, 7, 1, best));
        Assert.Equal(200, measured.Time(Contender.Native, "sieve"));
    }

    [Fact]
    public void AWrongResultIsNotAFastOne()
    {
        Measurements measured = new();
        measured.Add(Contender.Native, Printed(1_000_000, 7, 1, 100));
        BenchException failure = Assert.Throws<BenchException>(() => measured.Add(Contender.Translator, Printed(1_000_000, 8, 1, 50)));
        Assert.Contains("sieve", failure.Message);
    }

    [Fact]
    public void WhoDoesNotComeToTheEndIsNotCounted() =>
        Assert.Throws<BenchException>(() => new Measurements().Add(Contender.Tcg, "begin 1000 5\nbench sieve 7 1 100 200\n"));

    [Fact]
    public void AMeanOfWhatIsMissingIsMissing()
    {
        Measurements measured = new();
        measured.Add(Contender.Native, Printed(1_000_000, 7, 1, 100));
        Assert.Null(measured.Ratio(Contender.Translator, Contender.Native, Workload.All));
    }

    [Fact]
    public void WhatPeopleWroteOnThePageStays()
    {
        string old = "old figures\n\n## Where the time goes\n\nWe know.\n";
        Assert.Equal("new figures\n\n## Where the time goes\n\nWe know.\n", Report.Renew(old, "new figures\n"));
        Assert.Equal("new figures\n", Report.Renew(null, "new figures\n"));
    }
}
