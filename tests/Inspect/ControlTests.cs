// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Lguest.Inspect.Control;
using Lguest.Launcher.Commands;
using Lguest.Tests.Support;
using Lguest.Tests.WholeSystem;
using Mono.Unix.Native;

namespace Lguest.Tests.Inspect;

/// <summary>A running guest, controlled from beside it.</summary>
public sealed class ControlTests
{
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AGuestIsPausedResumedAndLookedAt()
    {
        using WaitingLauncher launcher = Start();
        Assert.Contains("asleep", Done(launcher, "status"), StringComparison.Ordinal);
        Assert.Contains("\ndevices: console\n", Done(launcher, "status"), StringComparison.Ordinal);
        Assert.Contains("paused", Done(launcher, "pause"), StringComparison.Ordinal);
        Assert.StartsWith("paused; kernel ", Done(launcher, "status"), StringComparison.Ordinal);

        // What is typed waits until the guest runs again.
        launcher.Type("echo hel''lo\n");
        Thread.Sleep(300);
        Assert.DoesNotContain("hel''lo", launcher.Output, StringComparison.Ordinal);
        Done(launcher, "resume");
        launcher.WaitUntil(() => launcher.Output.Contains("hel''lo", StringComparison.Ordinal), "the echo");

        JsonElement status = JsonDocument.Parse(Done(launcher, "status", "--json")).RootElement;
        Assert.Equal(("asleep", launcher.Process.Id), (status.GetProperty("state").GetString(), status.GetProperty("process").GetInt32()));
        Assert.True(JsonDocument.Parse(Done(launcher, "stats", "--json")).RootElement.GetProperty("hypercalls").GetProperty("LGUEST_INIT").GetInt64() == 1);
        Assert.Equal("written pages are noted from now on\n", Done(launcher, "dirty"));
        launcher.Type("echo dir''ty\n");
        launcher.WaitUntil(() => launcher.Output.Contains("dir''ty", StringComparison.Ordinal), "the echo");
        string dirty = Done(launcher, "dirty");
        Assert.Matches(new System.Text.RegularExpressions.Regex("^[1-9][0-9]* pages written \\([0-9]+ KiB\\)\n(  0x[0-9a-f]{8}-0x[0-9a-f]{5}fff +[0-9]+\n)+$"), dirty);
        JsonElement none = JsonDocument.Parse(Done(launcher, "dirty", "--json")).RootElement;
        Assert.False(none.GetProperty("begins_now").GetBoolean());
        Assert.InRange(none.GetProperty("pages").GetInt32(), 0, int.Parse(dirty.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture));
        foreach (string words in (string[])["foo", "physical 0x1000", "irq 99"])
            Assert.Equal(1, Ctl(launcher, string.Empty, "monitor", words).Status);
        ProcessResult wrong = Ctl(launcher, string.Empty, "status", "json");
        Assert.Equal((1, "status is followed by nothing or --json, not by 'json'\n"), (wrong.Status, wrong.Output));
        string stats = Done(launcher, "stats");
        Assert.Contains("LGUEST_INIT", stats, StringComparison.Ordinal);
        Assert.Matches(new System.Text.RegularExpressions.Regex("\n  console +[1-9]"), stats);
        Assert.Contains("Type help", Done(launcher, "log"), StringComparison.Ordinal);
        Assert.Contains("ring 1 32-bit code", Done(launcher, "monitor", "gdt"), StringComparison.Ordinal);
        string trace = launcher.FileIn("trace");
        Assert.Equal(0, new FileInfo(trace).Length);
        Done(launcher, "trace", "on", "hypercalls,file=" + trace);
        launcher.Type("echo more\n");
        launcher.WaitUntil(() => launcher.Output.Contains("more", StringComparison.Ordinal), "the echo");
        Assert.Contains("tracing is off", Done(launcher, "trace", "off"), StringComparison.Ordinal);
        Assert.Contains("SEND_DMA", File.ReadAllText(trace), StringComparison.Ordinal);
        ProcessResult late = Ctl(launcher, string.Empty, "trace", "on", "hypercalls,file=" + launcher.FileIn("late"));
        Assert.Equal(1, late.Status);
        Assert.Contains("opens no more files: name it at the start", late.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(launcher.FileIn("late")));
        ProcessResult bogus = Ctl(launcher, string.Empty, "bogus");
        Assert.Equal(1, bogus.Status);
        Assert.Contains("there is no command 'bogus'", bogus.Output, StringComparison.Ordinal);
        launcher.Type("off\n");
        Assert.Equal(0, launcher.WaitForExit());
        Assert.False(File.Exists(launcher.ControlSocket));
        ProcessResult gone = Ctl(launcher, string.Empty, "status");
        Assert.Equal(1, gone.Status);
        Assert.Contains("no guest listens at", gone.Error, StringComparison.Ordinal);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void ALateConsoleSeesWhatWasSaidTypesAndDetaches()
    {
        using WaitingLauncher launcher = Start();
        string input = "echo from the side\n" + (char)ControlClient.DetachKey + "echo never\n";
        using Process console = LauncherProcess.Start("ctl", launcher.ControlSocket, "console");
        console.StandardInput.Write(input[..19]);
        console.StandardInput.Flush();
        launcher.WaitUntil(() => launcher.Output.Contains("\nfrom the side\n", StringComparison.Ordinal), "the echo");

        // The key is obeyed at once: whoever wants to see the echo waits until it is here, too, which may be later than at the launcher's own output.
        StringBuilder seen = new();
        Task echo = Task.Run(() =>
        {
            for (int next; !seen.ToString().Contains("\nfrom the side", StringComparison.Ordinal) && (next = console.StandardOutput.Read()) >= 0;)
                seen.Append((char)next);
        });
        Assert.True(echo.Wait(LauncherProcess.Patience));
        console.StandardInput.Write(input[19..]);
        console.StandardInput.Flush();
        Assert.True(console.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(0, console.ExitCode);
        string output = seen + console.StandardOutput.ReadToEnd();
        Assert.Contains("Type help", output, StringComparison.Ordinal);
        Assert.Contains("\nfrom the side", output.Replace("\r", string.Empty, StringComparison.Ordinal), StringComparison.Ordinal);

        // Detached: the guest runs on, and what came behind the key was not for it.
        launcher.Type("off\n");
        Assert.Equal(0, launcher.WaitForExit());
        Assert.DoesNotContain("never", launcher.Output, StringComparison.Ordinal);
    }

    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData(Signum.SIGTERM)]
    [InlineData(Signum.SIGHUP)]
    [InlineData(Signum.SIGINT)]
    [InlineData(Signum.SIGQUIT)]
    public void AConsoleThatIsKilledGivesTheTerminalBack(Signum signal)
    {
        using WaitingLauncher launcher = Start();
        using PseudoTerminal terminal = new();
        terminal.Start("ctl", launcher.ControlSocket, "console");
        terminal.WaitUntilRaw();
        terminal.Signal(signal);
        Assert.Equal(128 + NativeConvert.FromSignum(signal), terminal.WaitForExit());
        Assert.Equal(terminal.Before, terminal.Settings);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void PowerOffEndsTheLauncherInOrder()
    {
        using WaitingLauncher launcher = Start();
        Done(launcher, "poweroff");
        Assert.Equal(143, launcher.WaitForExit());
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void KillIsTheGuestsDeath()
    {
        using WaitingLauncher launcher = Start();
        Done(launcher, "kill");
        Assert.Equal(1, launcher.WaitForExit());
        Assert.EndsWith("lguest: killed by lguest ctl\n", launcher.Error, StringComparison.Ordinal);
    }

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void APausedGuestStillEndsBySignal()
    {
        using WaitingLauncher launcher = Start();
        Done(launcher, "pause");
        Mono.Unix.Native.Syscall.kill(launcher.Process.Id, Mono.Unix.Native.Signum.SIGTERM);
        Assert.Equal(143, launcher.WaitForExit());
    }

    [Fact]
    public void TheLogKeepsTheLast64KiB()
    {
        ConsoleLog log = new();
        byte[] text = [.. Enumerable.Range(0, 200_000).Select(static i => (byte)(i / 7))];
        for (int at = 0; at < text.Length; at += 999)
            log.Append(text.AsSpan(at, Math.Min(999, text.Length - at)));
        long seen = 0;
        byte[] kept = log.Read(ref seen, out long lost);
        Assert.Equal(text[^ConsoleLog.Capacity..], kept);
        Assert.Equal(text.Length - ConsoleLog.Capacity, lost);
        Assert.Equal(text.Length, seen);
        log.Append("end"u8);
        Assert.Equal("end", Encoding.ASCII.GetString(log.Read(ref seen, out lost)));
        Assert.Equal(0, lost);
        log.Append(text);
        Assert.Equal(text[^ConsoleLog.Capacity..], log.Read(ref seen, out lost));
        log.Close();
        Assert.False(log.WaitForMore(seen, static () => false));
    }

    /// <summary>Who has looked at the console of a guest that says nothing, and left, leaves nothing behind: however many did.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void VisitorsOfASilentConsoleAreForgotten()
    {
        const int visitors = 400;
        using WaitingLauncher launcher = Start();
        for (int i = 0; i < visitors; i++)
        {
            // All of it is read: else the server's own send would tell it that nobody is there.
            using Socket visitor = Visit(launcher, "console\n");
            Assert.StartsWith("ok\n", Hear(visitor, "Type help"), StringComparison.Ordinal);
        }

        Assert.Contains("asleep", Done(launcher, "status"), StringComparison.Ordinal);

        // One who only types no more still hears the answer.
        using Socket typist = Visit(launcher, "console\necho hel''lo\n");
        typist.Shutdown(SocketShutdown.Send);
        Hear(typist, "hel''lo");
    }

    private static Socket Visit(WaitingLauncher launcher, string line)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 60_000 };
        socket.Connect(new UnixDomainSocketEndPoint(launcher.ControlSocket));
        socket.Send(Encoding.Latin1.GetBytes(line));
        return socket;
    }

    private static string Hear(Socket socket, string until)
    {
        string heard = string.Empty;
        byte[] text = new byte[4096];
        while (!heard.Contains(until, StringComparison.Ordinal))
        {
            int count = socket.Receive(text);
            Assert.True(count > 0, $"'{until}' was awaited, and the connection ended after: {heard}");
            heard += Encoding.Latin1.GetString(text, 0, count);
        }

        return heard;
    }

    private static WaitingLauncher Start()
    {
        WaitingLauncher launcher = new("--control=unix:CONTROL", "--trace=off,file=DIR/trace", "16m", Needs.Guest("demo"));
        launcher.WaitUntil(() => launcher.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");

        // The prompt has no end of line, so that it does not show here: it comes a moment later.
        launcher.WaitUntil(() => Ctl(launcher, string.Empty, "status").Output.Contains("asleep", StringComparison.Ordinal), "the demo's prompt");
        return launcher;
    }

    private static string Done(WaitingLauncher launcher, params string[] command)
    {
        ProcessResult result = Ctl(launcher, string.Empty, command);
        Assert.True(result.Status == 0, result.Output + result.Error);
        return result.Output;
    }

    private static ProcessResult Ctl(WaitingLauncher launcher, string input, params string[] command) =>
        LauncherProcess.Run(input, ["ctl", launcher.ControlSocket, .. command]);
}
