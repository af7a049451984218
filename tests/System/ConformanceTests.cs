// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>Our own guests, which check the machine from the inside, run by the launcher as a user runs it.</summary>
public sealed partial class ConformanceTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    /// <summary>The lines of expect.txt, each under every engine of this host.</summary>
    public static TheoryData<string, string> Runs
    {
        get
        {
            TheoryData<string, string> data = [];
            foreach (string line in ConformanceRun.Lines(ExpectPath))
            {
                foreach (string engine in Needs.Engines)
                {
                    // 144 million instructions, block by block: docs/testing.md says how to have them checked.
                    if (engine != "check" || !line.StartsWith("interrupts ", StringComparison.Ordinal))
                        data.Add(engine, line);
                }
            }

            return data;
        }
    }

    private static string ExpectPath => Path.Combine(Needs.OutDirectory, "..", "guest", "conformance", "expect.txt");

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>Status, reason, and for guests that live: all checks passed, none failed.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(Runs))]
    public void AGuestDoesWhatItMust(string engine, string line)
    {
        ConformanceRun run = ConformanceRun.Parse(line);
        List<string> arguments = [$"--engine={engine}"];
        foreach (long size in run.Blocks)
            arguments.Add($"--block={Scratch("disk" + arguments.Count, size)}");
        if (run.Initrd is long initrd)
            arguments.Add($"--initrd={Scratch("initrd", initrd)}");
        for (int i = 0; i < run.SharedNets; i++)
            arguments.Add($"--sharenet={_directory.Path}/lan");

        ProcessResult result = LauncherProcess.Run(run.Input, [.. arguments, run.Memory, Needs.Guest("conformance/" + run.Name), .. run.Arguments]);
        string story = $"status {result.Status}\n{result.Output}\n{result.Error}";
        Assert.True(run.Status == result.Status, story);
        string lastError = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault(string.Empty);
        if (run.Reason != null)
            Assert.True(run.Reason.IsMatch(lastError), $"'{lastError}' is not {run.Reason}\n{story}");
        if (run.Status == 0)
        {
            string lastOutput = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault(string.Empty).TrimEnd('\r');
            Assert.True(AllPassed().IsMatch(lastOutput), story);
            Assert.Equal(string.Empty, result.Error);
        }
    }

    /// <summary>Every guest that was built has a run.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void NoGuestIsForgotten()
    {
        HashSet<string> named = [.. ConformanceRun.Lines(ExpectPath).Select(line => ConformanceRun.Parse(line).Name)];
        IEnumerable<string> built = Directory.GetFiles(Needs.Guest("conformance")).Select(path => Path.GetFileName(path));
        Assert.Empty(built.Except(named));
        Assert.True(named.Count > 10);
    }

    private string Scratch(string name, long size)
    {
        string path = _directory.File(name, []);
        using FileStream file = File.OpenWrite(path);
        file.SetLength(size);
        return path;
    }

    [GeneratedRegex("^[1-9][0-9]* passed, 0 failed$")]
    private static partial Regex AllPassed();
}
