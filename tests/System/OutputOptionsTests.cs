// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Security.Cryptography;
using Lguest.Devices.Backends;
using Lguest.Tests.Support;

namespace Lguest.Tests.WholeSystem;

/// <summary>Options that name files to write and sockets to make: nothing of the user's is lost by any of them.</summary>
public sealed class OutputOptionsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly string _disk;
    private readonly string _kernel;

    public OutputOptionsTests()
    {
        _disk = _directory.File("disk", RandomNumberGenerator.GetBytes(1 << 16));
        _kernel = _directory.File("kernel", File.Exists(Needs.Guest("conformance/hello")) ? File.ReadAllBytes(Needs.Guest("conformance/hello")) : []);
    }

    private string Old => _directory.File("old", "an older report"u8.ToArray());

    public void Dispose() => _directory.Dispose();

    /// <summary>The socket's name is the disk's: it was deleted, and the guest went on without a word.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("--control=unix:")]
    [InlineData("--gdb=unix:")]
    public void ASocketReplacesNoFile(string option)
    {
        ProcessResult result = Untouched(() => LauncherProcess.Run(option + _disk, "--block=" + _disk, "16m", _kernel));
        Assert.Equal(1, result.Status);
        Assert.Equal($"lguest: {option[..option.IndexOf('=', StringComparison.Ordinal)]}: cannot listen at '{_disk}': a file of that name is there, and only a socket that nobody uses any more is replaced; name another\n", result.Error);
    }

    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("--report=")]
    [InlineData("--stats=")]
    [InlineData("--trace=all,file=")]
    [InlineData("--coredump=")]
    [InlineData("--pcap=")]
    public void NothingIsWrittenOverWhatTheGuestLivesOn(string option)
    {
        string lan = Path.Combine(_directory.Path, "lan");
        string initrd = _directory.File("initrd", new byte[5000]);
        string symbols = _directory.File("map", "c0100000 T _text\n"u8.ToArray());
        string link = Path.Combine(_directory.Path, "link");
        File.CreateSymbolicLink(link, _disk);
        string overlay = Path.Combine(_directory.Path, "over");
        BlockImage.OpenOverlay(_disk, overlay).Dispose();
        foreach ((string path, string what) in ((string, string)[])[(overlay, "overlay"), (_disk, "disk image"), (link, "disk image"), (_kernel, "kernel"), (initrd, "initrd"), (symbols, "symbols")])
        {
            ProcessResult result = Untouched(() => LauncherProcess.Run(option + path, $"--block={_disk},overlay={overlay}", "--initrd=" + initrd, "--symbols=" + symbols, "--sharenet=" + lan, "16m", _kernel));
            Assert.Equal(1, result.Status);
            Assert.Contains($"{path} would overwrite this guest's {what} '", result.Error, StringComparison.Ordinal);
            Assert.Equal(1, result.Error.Count(static c => c == '\n'));
        }

        // A network's file is made by the launcher itself.
        ProcessResult made = LauncherProcess.Run(option + lan, "--sharenet=" + lan, "16m", _kernel);
        Assert.Equal(1, made.Status);
        Assert.Contains($"both name the file '{lan}'", made.Error, StringComparison.Ordinal);
    }

    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("--report=")]
    [InlineData("--stats=")]
    [InlineData("--trace=all,file=")]
    [InlineData("--coredump=")]
    public void AFileThatCannotBeWrittenIsRefusedAtTheStart(string option)
    {
        ProcessResult result = LauncherProcess.Run(option + "/nonexistent/file", "16m", _kernel);
        Assert.Equal(1, result.Status);
        Assert.Empty(result.Output);
        Assert.EndsWith("to '/nonexistent/file': the folder '/nonexistent' does not exist; make it first, or name another\n", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Error.Count(static c => c == '\n'));
    }

    /// <summary>A launcher that fails before its guest starts leaves what was there, and makes nothing.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AFailedStartLosesNothing()
    {
        string fresh = Path.Combine(_directory.Path, "fresh");
        string old = Old;
        ProcessResult result = LauncherProcess.Run("--report=" + old, "--stats=" + fresh, "--gdb=unix:/nonexistent/x", "16m", _kernel);
        Assert.Equal(1, result.Status);
        Assert.Equal("an older report", File.ReadAllText(old));
        Assert.False(File.Exists(fresh));
    }

    /// <summary>A guest that lives leaves no core, and does not touch an older one's.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ACoreIsWrittenOnlyWhenTheGuestDies()
    {
        string core = Path.Combine(_directory.Path, "core");
        string old = Old;
        Assert.Equal(0, LauncherProcess.Run("--coredump=" + core, "16m", _kernel).Status);
        Assert.False(File.Exists(core));
        Assert.Equal(0, LauncherProcess.Run("--coredump=" + old, "16m", _kernel).Status);
        Assert.Equal("an older report", File.ReadAllText(old));
        Assert.Equal(1, LauncherProcess.Run("--coredump=" + old, "16m", Needs.Guest("demo"), "run=crash").Status);
        Assert.Equal("\u007fELF"u8.ToArray(), File.ReadAllBytes(old)[..4]);
    }

    /// <summary>A full disk costs a sentence for each file, and not the guest.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AFullDiskCostsASentence()
    {
        ProcessResult result = LauncherProcess.Run(
            "--pcap=/dev/full", "--sharenet=" + Path.Combine(_directory.Path, "lan"), "--report=/dev/full", "--stats=/dev/full", "--trace=all,file=/dev/full", "16m", _kernel);
        Assert.Equal(0, result.Status);
        Assert.Equal(
            [
                "lguest: packets cannot be written to '/dev/full' any more: no space left on device; the capture ends here, and the guest goes on",
                "lguest: the report could not be written to /dev/full: no space left on device",
                "lguest: the statistics could not be written to /dev/full: no space left on device",
                "lguest: the trace cannot be written to /dev/full any more, and ends here: no space left on device",
            ],
            result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
    }

    /// <summary>What was asked for and cannot be printed is a failure; a reader that has had enough is none of ours.</summary>
    [TheoryNeeding(Need.Launcher)]
    [InlineData("--help")]
    [InlineData("help")]
    [InlineData("--version")]
    [InlineData("version")]
    [InlineData("ctl --help")]
    [InlineData("net --help")]
    [InlineData("document lguest.1")]
    public void PrintingFailsWithASentence(string words)
    {
        ProcessResult good = Shell($"{Needs.LauncherPath} {words}");
        Assert.Equal((0, string.Empty), (good.Status, good.Error));
        Assert.Contains("lguest", good.Output, StringComparison.Ordinal);
        ProcessResult full = Shell($"{Needs.LauncherPath} {words} >/dev/full");
        Assert.Equal((1, "lguest: standard output cannot be written: No space left on device\n"), (full.Status, full.Error));
    }

    private static ProcessResult Shell(string script)
    {
        using Process process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new ProcessResult(process.ExitCode, output, error.Result);
    }

    private ProcessResult Untouched(Func<ProcessResult> run)
    {
        byte[] disk = File.ReadAllBytes(_disk);
        byte[] kernel = File.ReadAllBytes(_kernel);
        ProcessResult result = run();
        Assert.Equal(disk, File.ReadAllBytes(_disk));
        Assert.Equal(kernel, File.ReadAllBytes(_kernel));
        return result;
    }
}
