// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>
/// Two launchers on one network file, whose guests mean harm: one rewrites code in the network's page, MOV into SYSCALL and back,
/// while the other executes it. The system call would be exit_group(77), made by the launcher's own process.
/// </summary>
public sealed class SharedPageRaceTests : IDisposable
{
    private const int Escaped = 77;
    private const string GetProcessId = "39";
    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>The launcher of the guest that executes lives, and its guest sees nothing but its own instructions.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("auto", 60_000)]
    [InlineData("interpreter", 60_000)]
    [InlineData("check", 150)]
    public void NoGuestRunsAnInstructionThatWasNotLookedAt(string engine, int rounds)
    {
        foreach (string[] call in (string[][])[[], ["call=" + GetProcessId]])
        {
            // A file for each: with instructions in its slots it no longer looks like a network's.
            string net = $"--sharenet={_directory.Path}/lan{call.Length}";
            using Process writer = LauncherProcess.Start(net, "16m", Needs.Guest("hostile/race"), "mode=write");
            try
            {
                // It waits for its runner to make a sign, which a page that is cleared for the first guest on it must not lose.
                Assert.Equal("there is a network: ok", writer.StandardOutput.ReadLine()?.TrimEnd());
                ProcessResult runner = LauncherProcess.Run(["--engine=" + engine, net, "16m", Needs.Guest("hostile/race"), "mode=run", $"rounds={rounds}", .. call]);
                string story = $"status {runner.Status} ({Escaped}: escaped)\n{runner.Output}\n{runner.Error}";
                Assert.True(runner.Status == 0, story);
                Assert.DoesNotContain("became", runner.Output, StringComparison.Ordinal);
                Assert.EndsWith("0 failed", runner.Output.TrimEnd(), StringComparison.Ordinal);
                Assert.False(writer.HasExited);
            }
            finally
            {
                writer.Kill();
                writer.WaitForExit();
            }
        }
    }
}
