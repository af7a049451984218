// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using Lguest.Tests.Support;

namespace Lguest.Tests.WholeSystem;

/// <summary>How the translator comes to a program's pages: docs/engine.md, "New pages".</summary>
public sealed class NewPagesTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>A program that touches each page once is not worth a mapping per page; its kernel's own pages are.</summary>
    [FactNeeding(Need.Launcher, Need.Guests, Need.Translator)]
    public void PagesTouchedOnceAreNotMapped()
    {
        JsonElement statistics = Run("touch");
        long faults = statistics.GetProperty("traps").GetProperty("page fault").GetInt64();
        Assert.True(faults > 5000, $"{faults} page faults");
        JsonElement counters = statistics.GetProperty("counters");
        long mapped = counters.GetProperty("faults: page mapped").GetInt64();
        Assert.True(mapped < faults / 4, $"{mapped} mappings for {faults} page faults");
        Assert.True(counters.GetProperty("left by a fault").GetInt64() < faults / 4, counters.ToString());
    }

    /// <summary>A program that stays on its pages runs translated.</summary>
    [FactNeeding(Need.Launcher, Need.Guests, Need.Translator)]
    public void PagesInUseAreMapped()
    {
        JsonElement statistics = Run("switch");
        long calls = statistics.GetProperty("traps").GetProperty("system call").GetInt64();
        Assert.True(calls > 5000, $"{calls} system calls");
        long interpreted = statistics.GetProperty("counters").GetProperty("instructions run by the interpreter's loop").GetInt64();
        const int instructionsPerCall = 8;
        Assert.True(interpreted < calls * instructionsPerCall / 4, $"{interpreted} instructions interpreted for {calls} system calls");
    }

    private JsonElement Run(string workload)
    {
        string file = Path.Combine(_directory.Path, "stats");
        ProcessResult result = LauncherProcess.Run($"--stats={file},format=json", "--engine=translator", "64m", Needs.Guest("bench/guest"), "only=" + workload, "samples=20");
        Assert.True(result.Status == 0, result.Error);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(file));
        return document.RootElement.Clone();
    }
}
