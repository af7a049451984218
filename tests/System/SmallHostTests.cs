// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Tests.Inspect;
using Lguest.Tests.Support;
using Mono.Unix.Native;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>Hosts that give little: address space, files, descriptors. Each gets a guest that runs, or one sentence.</summary>
public sealed class SmallHostTests
{
    /// <summary>Room for the guest's memory and not for windows on it: the interpreter runs the guest, and --verbose says why.</summary>
    [FactNeeding(Need.Launcher, Need.Guests, Need.Translator)]
    public void WithLittleAddressSpaceTheInterpreterRunsTheGuest()
    {
        ProcessResult result = Limited("ulimit -v 12000000", "--verbose", "16m", Needs.Guest("conformance/hello"));
        Assert.Contains("1 passed, 0 failed", result.Output, StringComparison.Ordinal);
        Assert.Matches(@"lguest: the engine 'translator' is not available here: cannot map \d+ bytes: cannot allocate memory \(ulimit -v allows 12000000 KiB of address space\); the interpreter runs the guest\n", result.Error);
        Assert.Equal(0, result.Status);
    }

    /// <summary>An engine that was asked for by name is that engine, or an error with the reason.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests, Need.Translator)]
    [InlineData("translator")]
    [InlineData("check")]
    public void AnEngineThatWasNamedIsNotReplaced(string engine)
    {
        ProcessResult result = Limited("ulimit -v 12000000", "--engine=" + engine, "16m", Needs.Guest("conformance/hello"));
        ExpectSentence(result, $@"the engine '{engine}' is not available here: cannot map \d+ bytes: .*ulimit -v.*; --engine=interpreter needs less");
    }

    /// <summary>Without --verbose nobody needs to know.</summary>
    [FactNeeding(Need.Launcher, Need.Guests, Need.Translator)]
    public void TheFallbackIsSilent()
    {
        ProcessResult result = Limited("ulimit -v 12000000", "16m", Needs.Guest("conformance/hello"));
        Assert.Equal((0, string.Empty), (result.Status, result.Error));
    }

    /// <summary>No room for the guest's memory.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void WithoutAddressSpaceForMemoryThereIsASentence() =>
        ExpectSentence(
            Limited("ulimit -v 3000000", "16m", Needs.Guest("conformance/hello")),
            @"the host does not give the guest its memory: cannot map \d+ bytes: cannot allocate memory \(ulimit -v allows 3000000 KiB of address space\)");

    /// <summary>Guest memory is a file in memory: ulimit -f counts, and is no signal that kills.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ALimitOfFileSizesIsASentence() =>
        ExpectSentence(
            Limited("ulimit -f 1000000", "3000m", Needs.Guest("conformance/hello")),
            @"the host does not give the guest its memory: .*file too large \(ulimit -f allows files of \d+ KiB, and guest memory is one\)");

    /// <summary>From few files to enough: never anything but a guest that runs or a sentence.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData(12)]
    [InlineData(20)]
    [InlineData(24)]
    [InlineData(28)]
    [InlineData(32)]
    [InlineData(40)]
    [InlineData(48)]
    [InlineData(64)]
    [InlineData(72)]
    [InlineData(80)]
    [InlineData(96)]
    [InlineData(128)]
    public void WithFewFilesThereIsAGuestOrASentence(int files)
    {
        // With fewer a runtime that loads libraries does not get as far as our first instruction: docs/limits.md.
        const int RuntimeNeeds = 30;
        if (!Needs.IsNative && files < RuntimeNeeds)
            return;
        using TemporaryDirectory directory = new();
        string control = Path.Combine(directory.Path, "c");
        string[][] all =
        [
            ["16m", Needs.Guest("conformance/hello")],
            [$"--control=unix:{control}", $"--gdb=unix:{control}g", $"--sharenet={control}n", $"--stats={control}s", "16m", Needs.Guest("conformance/hello")],
        ];
        foreach (string[] arguments in all)
        {
            ProcessResult result = Limited($"ulimit -n {files}", arguments);
            if (result.Status == 0)
                Assert.Contains("1 passed, 0 failed", result.Output, StringComparison.Ordinal);
            else
                ExpectSentence(result, $@"only {files} files may be open at a time \(ulimit -n\), and lguest needs \d+ for this: ulimit -n \d+");
        }

        Assert.Equal(0, Limited("ulimit -n 200", all[1]).Status);
    }

    /// <summary>Started with standard descriptors closed, as some daemons are: /dev/null takes their places, and the guest runs.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("<&-", 0)]
    [InlineData(">&-", 1)]
    [InlineData("2>&-", 2)]
    [InlineData("<&- >&- 2>&-", 0, 1, 2)]
    public void ClosedDescriptorsAreNull(string closing, params int[] closed)
    {
        using TemporaryDirectory directory = new();
        string socket = Path.Combine(directory.Path, "control");
        using Process process = Shell($"exec \"$0\" \"$@\" {closing}", $"--control=unix:{socket}", "16m", Needs.Guest("demo"));
        try
        {
            for (Stopwatch patience = Stopwatch.StartNew(); !File.Exists(socket) && !process.HasExited && patience.Elapsed < LauncherProcess.Patience;)
                Thread.Sleep(10);
            Assert.Equal(0, LauncherProcess.Run("ctl", socket, "status").Status);
            for (int fd = 0; fd <= 2; fd++)
            {
                string target = Directory.ResolveLinkTarget($"/proc/{process.Id}/fd/{fd}", returnFinalTarget: false)!.FullName;
                Assert.Equal(closed.Contains(fd), target == "/dev/null");
            }

            Assert.Equal(0, LauncherProcess.Run("ctl", socket, "poweroff").Status);
            Assert.True(process.WaitForExit(LauncherProcess.Patience));
            Assert.Equal(143, process.ExitCode);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    /// <summary>What was said on the command line is said again, word by word, when the launcher has to start itself anew.</summary>
    [FactNeeding(Need.Launcher)]
    public void TheWordsAreTheSameWithADescriptorClosed()
    {
        using Process process = Shell("exec \"$0\" \"$@\" <&-", "16m", "/nonexistent/ä b'\"\n");
        string error = process.StandardError.ReadToEnd();
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.StartsWith("lguest: kernel '/nonexistent/ä b'\"\n' does not exist", error, StringComparison.Ordinal);
    }

    private static void ExpectSentence(ProcessResult result, string words)
    {
        Assert.Matches($"^lguest: {words}\n$", result.Error);
        Assert.Equal(1, result.Status);
    }

    private static ProcessResult Limited(string limit, params string[] arguments)
    {
        using Process process = Shell($"{limit}; exec \"$0\" \"$@\"", arguments);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        return new ProcessResult(process.ExitCode, output.Result, error);
    }

    private static Process Shell(string script, params string[] arguments) =>
        Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script, Needs.LauncherPath, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
}
