// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using Lguest.Tests.Support;
using Mono.Unix.Native;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>
/// A guest that says more than anybody reads has to wait. Its launcher does not: it answers on its control socket, hears ^C, and
/// ends on a signal in the ordinary way.
/// </summary>
public sealed partial class UnreadOutputTests : IDisposable
{
    private const int Helps = 40;

    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    /// <summary>Somebody reads at last: nothing was lost.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void NothingIsLost()
    {
        using Process process = Start();
        WaitUntilStalled();
        process.StandardInput.Write("off\n");
        process.StandardInput.Flush();
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(0, process.ExitCode);
        Assert.Equal(Helps, output.Split("this list").Length - 1);
    }

    /// <summary>The ordinary way to an end: the report is written, which the emergency's does not do.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData(Signum.SIGTERM, 143)]
    [InlineData(Signum.SIGINT, 130)]
    public void ASignalEndsIt(Signum signal, int status)
    {
        using Process process = Start($"--report={Report}");
        WaitUntilStalled();
        _ = Syscall.kill(process.Id, signal);
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(status, process.ExitCode);
        Assert.True(File.Exists(Report) && new FileInfo(Report).Length > 0, "the report is not there");
    }

    /// <summary>Three ^C, each alone.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ThreeControlCEndIt()
    {
        using Process process = Start();
        WaitUntilStalled();
        for (int i = 0; i < 3; i++)
        {
            process.StandardInput.Write('\x03');
            process.StandardInput.Flush();
            Thread.Sleep(200);
        }

        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(2, process.ExitCode);
    }

    /// <summary>Killed from beside.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void CtlKillsIt()
    {
        using Process process = Start();
        WaitUntilStalled();
        Assert.Equal(0, LauncherProcess.Run("ctl", Socket, "kill").Status);
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(1, process.ExitCode);
        Assert.Contains("killed by lguest ctl", process.StandardError.ReadToEnd(), StringComparison.Ordinal);
    }

    /// <summary>A terminal whose output somebody has stopped: the same, and its settings are restored.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AStoppedTerminal()
    {
        using PseudoTerminal terminal = new();
        terminal.Start([$"--control=unix:{Socket}", "16m", Needs.Guest("demo")]);
        terminal.WaitFor("Type help");
        terminal.StopOutput();
        terminal.Type("help\r");
        WaitUntilStalled();
        for (int i = 0; i < 3; i++)
        {
            terminal.Type("\x03");
            Thread.Sleep(200);
        }

        Assert.Equal(2, terminal.WaitForExit());
        Assert.Equal(terminal.Before, terminal.Settings);
    }

    private string Socket => Path.Combine(_directory.Path, "control");

    private string Report => Path.Combine(_directory.Path, "report.html");

    /// <summary>A guest that talks without being asked to, with a standard output that nobody reads yet.</summary>
    private Process Start(params string[] options)
    {
        Process process = LauncherProcess.Start([$"--control=unix:{Socket}", .. options, "16m", Needs.Guest("demo"), "run=" + string.Join(',', Enumerable.Repeat("help", Helps))]);

        // A guest's command line is short, and a pipe is long: a shorter one.
        const int SetPipeSize = 1031;
        AnonymousPipeClientStream pipe = Assert.IsType<AnonymousPipeClientStream>(process.StandardOutput.BaseStream);
        Assert.True(fcntl((int)pipe.SafePipeHandle.DangerousGetHandle(), SetPipeSize, 4096) > 0);
        return process;
    }

    private void WaitUntilStalled()
    {
        for (Stopwatch patience = Stopwatch.StartNew(); ; Thread.Sleep(20))
        {
            ProcessResult status = LauncherProcess.Run("ctl", Socket, "status");
            if (status.Output.Contains("nobody reads its console", StringComparison.Ordinal))
                return;
            Assert.True(patience.Elapsed < LauncherProcess.Patience, $"not stalled: {status}");
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int fd, int command, int argument);
}
