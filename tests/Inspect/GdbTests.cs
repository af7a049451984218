// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text.RegularExpressions;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>A real gdb, scripted.</summary>
public sealed class GdbTests
{
    public static TheoryData<string> Engines() => new("interpreter", "translator");

    /// <summary>The tour of docs/debugging.md: the planted bug is found.</summary>
    [TheoryNeeding(Need.Gdb, Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void TheTourFindsThePlantedBug(string engine)
    {
        using WaitingLauncher launcher = Start(engine, "demo", "note one\nnote two\nnote three\nnote four\nnote five\n");
        string output = Gdb("demo", launcher,
            "watch book.title", "continue", "backtrace", "up", "print used", "print &book.title", "detach");
        Assert.Contains("Hardware watchpoint 1: book.title", output, StringComparison.Ordinal);
        Assert.Contains("note_copy (", output, StringComparison.Ordinal);
        Assert.Contains(" in note_add (", output, StringComparison.Ordinal);
        Assert.Contains(" in cmd_note (", output, StringComparison.Ordinal);
        Assert.Contains("$1 = 4", output, StringComparison.Ordinal);

        // Without gdb it goes on to its death.
        Assert.Equal(1, launcher.WaitForExit());
        Assert.EndsWith("lguest: CRASH: unexpected trap\n", launcher.Error, StringComparison.Ordinal);
    }

    [TheoryNeeding(Need.Gdb, Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void BreakFinishChangeDetachReattachKill(string engine)
    {
        using WaitingLauncher launcher = Start(engine, "demo", "note one\n");
        string output = Gdb("demo", launcher,
            "break note_add", "continue", "print (char *)text", "info registers eip", "delete", "finish",
            "print used", "set var used = 40", "print used", "set $eax = 0x1234", "print/x $eax", "detach");
        Assert.Contains("Breakpoint 1, note_add (text=", output, StringComparison.Ordinal);
        Assert.Contains("\"one\"", output, StringComparison.Ordinal);
        Assert.Contains("cmd_note (", output, StringComparison.Ordinal);
        Assert.Contains("$2 = 1\n", output, StringComparison.Ordinal);
        Assert.Contains("$3 = 40", output, StringComparison.Ordinal);
        Assert.Contains("$4 = 0x1234", output, StringComparison.Ordinal);

        // Set back by another gdb, while the guest waits for a key: it would read far beyond its notebook otherwise.
        output = Gdb("demo", launcher, "print used", "set var used = 2", "break note_add", "detach");
        Assert.Contains("$1 = 40", output, StringComparison.Ordinal);
        launcher.Type("note three\n");
        launcher.WaitUntil(() => launcher.Output.Contains("3. three", StringComparison.Ordinal), "the third note");
        output = Gdb("demo", launcher, "info registers eip", "kill");
        Assert.Contains("eip ", output, StringComparison.Ordinal);
        Assert.Equal(1, launcher.WaitForExit());
        Assert.EndsWith("lguest: killed by gdb\n", launcher.Error, StringComparison.Ordinal);
    }

    [TheoryNeeding(Need.Gdb, Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void AHypercallIsSteppedOver(string engine)
    {
        using WaitingLauncher launcher = Start(engine, "conformance/hello", string.Empty);
        string output = Gdb("conformance/hello", launcher,
            "tbreak hcall_init", "continue", "while *(unsigned short *)$eip != 0x1fcd\nstepi\nend",
            "set $before = $eip", "x/i $eip", "stepi", "printf \"stepped %d\\n\", $eip - $before", "monitor hypercalls", "continue");
        Assert.Contains("int    $0x1f", output, StringComparison.Ordinal);
        Assert.Contains("stepped 2\n", output, StringComparison.Ordinal);
        Assert.Contains("LGUEST_INIT(data=", output, StringComparison.Ordinal);
        Assert.Contains("exited normally", output, StringComparison.Ordinal);
        Assert.Equal(0, launcher.WaitForExit());
    }

    /// <summary>A breakpoint in the trap handler, hit at every fault, does not change what a conformance guest finds.</summary>
    [TheoryNeeding(Need.Gdb, Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void AConformanceGuestPassesUnderBreakpoints(string engine)
    {
        using WaitingLauncher launcher = Start(engine, "conformance/faults", string.Empty);
        string output = Gdb("conformance/faults", launcher,
            "break trap_enter", "ignore 1 1000000", "watch *(int *)&entry_state", "continue", "continue", "info breakpoints");
        Assert.Contains("exited normally", output, StringComparison.Ordinal);
        Assert.Equal(0, launcher.WaitForExit());
        Assert.Contains(", 0 failed", launcher.Output, StringComparison.Ordinal);
    }

    /// <summary>
    /// A guest that restarts stays attached: gdb's breakpoints hold in the next one too, which starts over with fresh memory.
    /// </summary>
    [TheoryNeeding(Need.Gdb, Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void BreakpointsOutliveARestart(string engine)
    {
        using WaitingLauncher launcher = Start(engine, "demo", "note one\n");
        Task<string> session = Task.Run(() => Gdb("demo", launcher,
            "break time_init", "break cmd_reboot", "continue", "continue", "print used", "continue", "print used", "monitor hypercalls",
            "delete", "watch used", "continue", "delete", "continue"));

        // The first guest would take all that is there to be read.
        launcher.WaitUntil(() => launcher.Output.Contains("1. one", StringComparison.Ordinal), "the first note");
        launcher.Type("reboot\n");
        launcher.WaitUntil(() => Regex.Count(launcher.Output, "Type help") == 2, "the second greeting");
        launcher.Type("note two\noff\n");
        string output = session.Result;
        Assert.Equal(2, Regex.Count(output, "Breakpoint 1, 0x[0-9a-f]+ in time_init \\(\\)"));
        Assert.Matches(new Regex("time_init.*Breakpoint 2, .*cmd_reboot.*\\$1 = 1\n.*Breakpoint 1, .*time_init.*\\$2 = 0\n.*Old value = 0\nNew value = 1\n.*exited normally", RegexOptions.Singleline), output);

        // The counts are the new guest's: it has said LGUEST_INIT, and not much more.
        Assert.Matches(new Regex("^ +1 +0  LGUEST_INIT$", RegexOptions.Multiline), output);
        Assert.Equal(0, launcher.WaitForExit());
    }

    /// <summary>A real kernel: what its developers do first.</summary>
    [TheoryNeeding(Need.Gdb, Need.Kernel, Need.Initrd, Need.Launcher)]
    [MemberData(nameof(Engines))]
    public void ARealKernelIsStoppedInItsSystemCalls(string engine)
    {
        string kernel = Environment.GetEnvironmentVariable("LGUEST_TEST_KERNEL")!;
        using WaitingLauncher launcher = new(
            "--engine=" + engine, "--gdb=unix:GDB", "--gdb-wait", "64m", kernel, "--initrd=" + Environment.GetEnvironmentVariable("LGUEST_TEST_INITRD"), "quiet");
        launcher.WaitForSocket(launcher.GdbSocket);
        string output = GdbOn(kernel, launcher,
            "break sys_open", "continue", "backtrace 3", "finish", "delete", "watch *(unsigned int *)&jiffies_64", "continue", "monitor translate 0xc0100000", "kill");
        Assert.Contains("Breakpoint 1, 0x", output, StringComparison.Ordinal);
        Assert.Contains(" in sys_open ()", output, StringComparison.Ordinal);
        Assert.Contains("in do_timer ()", output, StringComparison.Ordinal);
        Assert.Contains("physical 0x00100000", output, StringComparison.Ordinal);
        Assert.Equal(1, launcher.WaitForExit());
    }

    private static WaitingLauncher Start(string engine, string guest, string input)
    {
        WaitingLauncher launcher = new("--engine=" + engine, "--gdb=unix:GDB", "--gdb-wait", "16m", Needs.Guest(guest));
        launcher.WaitForSocket(launcher.GdbSocket);
        if (input.Length > 0)
            launcher.Type(input);
        return launcher;
    }

    private static string Gdb(string guest, WaitingLauncher launcher, params string[] commands) => GdbOn(Needs.Guest(guest), launcher, commands);

    private static string GdbOn(string file, WaitingLauncher launcher, params string[] commands)
    {
        string script = launcher.FileIn("script");
        File.WriteAllLines(script, ["set pagination off", "set confirm off", "set architecture i386", "target remote " + launcher.GdbSocket, .. commands]);
        using Process gdb = Process.Start(new ProcessStartInfo("gdb", ["-nx", "-q", "-batch", "-x", script, file])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        gdb.StandardInput.Close();
        Task<string> output = gdb.StandardOutput.ReadToEndAsync();
        Task<string> error = gdb.StandardError.ReadToEndAsync();
        if (!gdb.WaitForExit(LauncherProcess.Patience))
        {
            gdb.Kill();
            throw new TimeoutException($"gdb hangs; it said:\n{output.Result}{error.Result}\nthe launcher:\n{launcher.Error}");
        }

        return output.Result + error.Result;
    }
}
