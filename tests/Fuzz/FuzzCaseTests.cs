// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Fuzz.Targets;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz;

/// <summary>What the fuzzer has found does no harm any more, and its targets and the fuzzer itself work.</summary>
public sealed class FuzzCaseTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string> Targets => [.. FuzzTargets.All.Where(target => target.Needs.Length == 0).Select(target => target.Name)];

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>Every case file of a target, in a process that it may end; and a moment of new cases, of the same seed each time.</summary>
    [Theory]
    [MemberData(nameof(Targets))]
    public void OldCasesDoNoHarm(string name) => Replay(name);

    /// <summary>The same with out/lguest.</summary>
    [FactNeeding(Need.Launcher)]
    public void OldKernelsDoNoHarm() => Replay("launcher");

    /// <summary>The same where there is a translator.</summary>
    [TheoryNeeding(Need.Translator)]
    [InlineData("guest-translator")]
    [InlineData("guest-check")]
    public void OldGuestsDoNoHarm(string name) => Replay(name);

    /// <summary>No file lies there that nobody runs.</summary>
    [Fact]
    public void EveryCaseHasItsTarget() =>
        Assert.All(Directory.EnumerateFiles(FuzzCases.Folder), path => Assert.NotNull(FuzzCases.TargetOf(path)));

    /// <summary>A fault that throws, one that ends the process and one that never ends are found, each with its case.</summary>
    [Theory]
    [InlineData(PlantedTarget.Throws, "planted")]
    [InlineData(PlantedTarget.Dies, "the process ended with status 134")]
    [InlineData(PlantedTarget.Hangs, "it runs for more than 1 seconds")]
    public void PlantedFaultsAreFound(byte fault, string what)
    {
        string journal = Path.Combine(_directory.Path, "journal");
        ProcessResult result = ChildProgram.Run("fuzz", "time=4s", "seed=1", "only=planted", "hang=1", "cases=" + _directory.Path, $"faults={fault:X2}");
        Assert.Equal(FuzzProgram.Found, result.Status);
        Assert.Contains(what, result.Output, StringComparison.Ordinal);
        Assert.Contains("make fuzz FUZZ_ONLY=planted FUZZ_SEED=1\n", result.Output, StringComparison.Ordinal);
        string file = FuzzCases.Of(_directory.Path, "planted")[0];
        Assert.Contains("make fuzz FUZZ_CASE=" + file, result.Output, StringComparison.Ordinal);
        Assert.Contains(fault, File.ReadAllBytes(file));
        if (fault == PlantedTarget.Throws)
            Assert.Equal([fault], File.ReadAllBytes(file));

        // And found again from its file, in which there may be another one by now.
        ChildRun again = ChildRun.Run(s_patience, "replay", "planted", "1", journal, file);
        Assert.True(again.Death != null || again.Finds.Count == 1);
        Assert.Empty(again.Good);
    }

    /// <summary>Without a find the status is 0, and the table has a line for each target.</summary>
    [Fact]
    public void ACleanRunSaysSo()
    {
        ProcessResult result = ChildProgram.Run("fuzz", "time=1s", "seed=5", "only=options", "cases=" + _directory.Path);
        Assert.Equal(FuzzProgram.Clean, result.Status);
        Assert.Matches(@"\noptions +\d+ +\d+ +\d+ +[\d.]+ +0\n", result.Output);
        Assert.Contains("0 finds, seed 5\n", result.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(_directory.Path));
    }

    /// <summary>What makes no sense is refused with a sentence.</summary>
    [Theory]
    [InlineData("only=nothing", "there is no target 'nothing'; there are kernel, ")]
    [InlineData("time=soon", "is no length of time")]
    [InlineData("seed=x", "makes no sense; usage: fuzz ")]
    public void MisuseGetsASentence(string word, string sentence)
    {
        ProcessResult result = ChildProgram.Run("fuzz", word);
        Assert.Equal(FuzzProgram.Misused, result.Status);
        Assert.Contains(sentence, result.Error, StringComparison.Ordinal);
    }

    private void Replay(string name)
    {
        string journal = Path.Combine(_directory.Path, "journal");
        IReadOnlyList<string> files = FuzzCases.Of(FuzzCases.Folder, name);
        ChildRun run = ChildRun.Run(s_patience, ["replay", name, "30", journal, .. files]);
        Assert.True(run.Death == null && run.Finds.Count == 0, $"{run.Death}{string.Join("; ", run.Finds)}; {run.Good.Count} of {files.Count} were good");
        Assert.Equal(files, run.Good);

        run = ChildRun.Run(s_patience, "run", name, "20070207", "1000", "30", _directory.Path, journal);
        Assert.True(run.Death == null && run.Finds.Count == 0, $"{run.Death}{string.Join("; ", run.Finds)}");
        Assert.InRange(run.Cases, 1, long.MaxValue);
        Assert.InRange(run.Kept, 1, run.Cases);
    }
}
