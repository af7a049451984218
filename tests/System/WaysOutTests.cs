// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Tests.Inspect;
using Lguest.Tests.Support;
using Mono.Unix.Native;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>Every way out of the launcher: the status it promises, and a terminal with every bit as it was before.</summary>
public sealed class WaysOutTests : IDisposable
{
    private readonly PseudoTerminal _terminal = new();
    private readonly TemporaryDirectory _directory = new();

    /// <inheritdoc/>
    public void Dispose()
    {
        _terminal.Dispose();
        _directory.Dispose();
    }

    /// <summary>The guest powers off.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void PowerOff()
    {
        _terminal.Start("16m", Needs.Guest("conformance/hello"));
        ExpectEnd(0);
        Assert.Contains("1 passed, 0 failed", _terminal.Output, StringComparison.Ordinal);
        Assert.Equal(string.Empty, _terminal.Error);
    }

    /// <summary>The guest crashes.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void Crash()
    {
        _terminal.Start("16m", Needs.Guest("conformance/kill"), "kill=crash");
        ExpectEnd(1);
        Assert.EndsWith("lguest: CRASH: this is the reason\n", _terminal.Error, StringComparison.Ordinal);
    }

    /// <summary>The guest cannot be started.</summary>
    [FactNeeding(Need.Launcher)]
    public void NoKernel()
    {
        _terminal.Start("16m", "/nonexistent");
        ExpectEnd(1);
        Assert.Equal("lguest: kernel '/nonexistent' does not exist; is the name right?\n", _terminal.Error);
    }

    /// <summary>Three ^C, each alone.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ThreeControlC()
    {
        StartWaiting();
        _terminal.TypeControlCUntilItEnds();
        ExpectEnd(2);
        Assert.Equal("lguest: ended by ^C, three times\n", _terminal.Error);
    }

    /// <summary>Three ^C in one go are input, not a way out.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void PastedControlCAreInput()
    {
        StartWaiting();
        _terminal.Type("\x03\x03\x03");
        Thread.Sleep(500);
        _terminal.Signal(Signum.SIGTERM);
        ExpectEnd(143);
    }

    /// <summary>Signals that ask us to go.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData(Signum.SIGTERM, 143, "lguest: ended by SIGTERM\n")]
    [InlineData(Signum.SIGHUP, 129, "")]
    [InlineData(Signum.SIGINT, 130, "lguest: ended by SIGINT\n")]
    [InlineData(Signum.SIGQUIT, 131, "lguest: ended by SIGQUIT\n")]
    public void Signals(Signum signal, int status, string words)
    {
        StartWaiting();
        _terminal.Signal(signal);
        ExpectEnd(status);
        Assert.Equal(words, _terminal.Error);
    }

    /// <summary>What comes after a guest that was stopped at its prompt, the shell's own prompt for instance, begins on a line of its own.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ThePromptIsLeftBehind()
    {
        _terminal.Start("16m", Needs.Guest("demo"));
        _terminal.WaitFor("demo> ");
        _terminal.Signal(Signum.SIGTERM);
        ExpectEnd(143);
        Assert.EndsWith("demo> \n", _terminal.Output.Replace("\r", string.Empty, StringComparison.Ordinal), StringComparison.Ordinal);
    }

    /// <summary>A signal while the guest is busy, not halted: <c>jmp .</c>, since a guest that ends by itself may be faster than the signal.</summary>
    [FactNeeding(Need.Launcher)]
    public void ASignalWhileTheGuestComputes()
    {
        _terminal.Start("16m", _directory.File("kernel", TinyKernel.Elf(0xEB, 0xFE)));
        _terminal.WaitUntilRaw();
        _terminal.Signal(Signum.SIGTERM);
        ExpectEnd(143);
    }

    /// <summary>A stop and a continuation: the terminal, which the shell has set for itself meanwhile, is the guest's again.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AContinuedLauncherTakesTheTerminalAgain()
    {
        StartWaiting();
        _terminal.Signal(Signum.SIGSTOP);
        _terminal.MakeCooked();
        Assert.False(_terminal.IsRaw);
        _terminal.Signal(Signum.SIGCONT);
        _terminal.WaitUntilRaw();
        _terminal.Signal(Signum.SIGTERM);
        ExpectEnd(143);
    }

    /// <summary>
    /// A bug: an exception that nobody expected. A part of the launcher that is missing makes one, once the terminal is raw: of the
    /// launcher as the tests have it, since a native program has no parts.
    /// </summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AnUnexpectedException()
    {
        foreach (string pattern in (string[])["lguest*", "Lguest*", "Iced.dll", "ICSharp*"])
        {
            foreach (string file in Directory.GetFiles(AppContext.BaseDirectory, pattern))
                File.Copy(file, Path.Combine(_directory.Path, Path.GetFileName(file)));
        }

        foreach (string file in Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64"), "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(_directory.Path, Path.GetRelativePath(AppContext.BaseDirectory, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        File.WriteAllText(Path.Combine(_directory.Path, "Iced.dll"), "no assembly any more");

        _terminal.StartProgram(Path.Combine(_directory.Path, "lguest"), "16m", Needs.Guest("conformance/integer"));
        int status = _terminal.WaitForExit();
        Assert.Equal(_terminal.Before, _terminal.Settings);
        Assert.Equal(1, status);
        Assert.StartsWith("lguest: internal error, please report it: ", _terminal.Error, StringComparison.Ordinal);
    }

    /// <summary>A host that allows a few threads only: it does not matter which of them fails, before or after the terminal is raw.</summary>
    [FactNeeding(Need.Launcher, Need.Guests, Need.Root)]
    public void AHostWithoutThreads()
    {
        const string NobodyElse = "77123";
        for (int threads = 2; threads < 32; threads++)
        {
            using PseudoTerminal terminal = new();
            terminal.StartProgram(
                "/usr/bin/setpriv", $"--reuid={NobodyElse}", $"--regid={NobodyElse}", "--clear-groups", "prlimit", $"--nproc={threads}",
                Needs.LauncherPath, "16m", Needs.Guest("demo"), "run=off");
            int status = terminal.WaitForExit();
            Assert.Equal(terminal.Before, terminal.Settings);
            if (status == 0)
            {
                Assert.True(threads > 2);
                return;
            }

            // Below what the runtime itself needs it ends with words, or a signal, of its own.
            Assert.True(status != 1 || terminal.Error.StartsWith("lguest: the host", StringComparison.Ordinal), terminal.Error);
        }

        Assert.Fail("32 threads are not enough");
    }

    /// <summary>Nobody reads the output any more; the shell waits until that is so.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ABrokenPipe()
    {
        using Process process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "read line; exec \"$0\" 16m \"$1\"", Needs.LauncherPath, Needs.Guest("conformance/segments")])
        { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        process.StandardOutput.Close();
        process.StandardInput.WriteLine();
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(141, process.ExitCode);
    }

    /// <summary>Output that cannot be written.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AFullDiskForTheOutput()
    {
        using Process process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "exec \"$0\" 16m \"$1\" >/dev/full </dev/null", Needs.LauncherPath, Needs.Guest("conformance/hello")]) { RedirectStandardError = true })!;
        string error = process.StandardError.ReadToEnd();
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(1, process.ExitCode);
        Assert.Equal("lguest: the guest's console cannot be written to standard output: no space left on device\n", error);
    }

    /// <summary>With standard output closed, a disk must not become the console.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ADiskNeverTakesTheConsolesPlace()
    {
        string disk = _directory.File("disk.img", new byte[65536]);
        using Process process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "exec \"$0\" --block=\"$2\" 16m \"$1\" >&- <&-", Needs.LauncherPath, Needs.Guest("conformance/hello"), disk]) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(-1, File.ReadAllBytes(disk).AsSpan().IndexOfAnyExcept((byte)0));
    }

    /// <summary>A guest that waits for a line that does not come.</summary>
    private void StartWaiting()
    {
        _terminal.Start("16m", Needs.Guest("conformance/console-input"), "lines=never");
        _terminal.WaitUntilRaw();

        // Long enough to have come there.
        Thread.Sleep(500);
    }

    private void ExpectEnd(int status)
    {
        int ended = _terminal.WaitForExit();
        Assert.True(ended == status, $"status {ended}, not {status}\n{_terminal.Output}\n{_terminal.Error}");
        Assert.Equal(_terminal.Before, _terminal.Settings);
    }
}
