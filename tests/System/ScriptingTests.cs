// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.WholeSystem;

/// <summary>What a script or a CI job wants of a launcher: an end that comes, and a status that says how it was.</summary>
public sealed class ScriptingTests : IDisposable
{
    private const string Memory = "16m";

    private readonly TemporaryDirectory _directory = new();
    private readonly string _demo = Needs.Guest("demo");

    /// <inheritdoc/>
    public void Dispose() => _directory.Dispose();

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void TheTimeIsLimited()
    {
        // Its input never ends, so the guest would wait for ever.
        using Process process = LauncherProcess.Start("--timeout=300ms", Memory, _demo);
        Task<string> error = process.StandardError.ReadToEndAsync();
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal((124, "lguest: the guest was ended: it has run for the 0.3 s of --timeout\n"), (process.ExitCode, error.Result));
    }

    /// <summary>A guest that is done in time is not touched.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AGuestThatEndsInTimeEndsAsEver() =>
        Assert.Equal(0, LauncherProcess.Run("--timeout=1h", Memory, _demo, "run=off").Status);

    /// <summary>The guest does what was piped in, and ends after it.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void InputThatEndsEndsTheGuest()
    {
        ProcessResult result = LauncherProcess.Run("echo to be or not\n", ["--eof=poweroff", Memory, _demo]);
        Assert.Equal(0, result.Status);
        Assert.Contains("\nto be or not", result.Output.Replace("\r", string.Empty, StringComparison.Ordinal), StringComparison.Ordinal);
    }

    /// <summary>This guest takes no notice of ^D: it sleeps, and says nothing.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AGuestThatSleepsAfterItsInputIsEnded() =>
        Assert.Equal(0, LauncherProcess.Run("--eof=poweroff", Memory, Needs.Guest("conformance/console-input")).Status);

    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("echo lguest: exit status 5\noff\n", 5)]
    [InlineData("echo lguest: exit status 5\necho lguest: exit status 0\noff\n", 0)]
    [InlineData("crash exit status 7\n", 7)]
    [InlineData("off\n", 1)]
    [InlineData("echo lguest: exit status 5\ncrash and burn\n", 1)]
    public void TheGuestGivesTheStatus(string commands, int status) =>
        Assert.Equal(status, LauncherProcess.Run(commands, ["--exit-status", Memory, _demo]).Status);

    /// <summary>Nobody asked: the guest's words are words.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void WithoutTheOptionWordsAreWords() =>
        Assert.Equal(0, LauncherProcess.Run("echo lguest: exit status 5\noff\n", [Memory, _demo]).Status);

    [FactNeeding(Need.Launcher, Need.Guests)]
    public void TheConsoleGoesToAFile()
    {
        string file = Path.Combine(_directory.Path, "console.txt");
        ProcessResult result = LauncherProcess.Run("echo out of the way\noff\n", [$"--console={file}", Memory, _demo]);
        Assert.Equal((0, string.Empty), (result.Status, result.Output));
        Assert.Contains("out of the way", File.ReadAllText(file), StringComparison.Ordinal);
    }

    /// <summary>Whoever connects gets what was said before, and can type; a second client gets its turn.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void TheConsoleIsOnASocket()
    {
        string path = Path.Combine(_directory.Path, "console");
        using Process process = LauncherProcess.Start($"--console=unix:{path}", Memory, _demo);
        using (Socket first = Connect(path))
            WaitFor(first, "demo> ");
        using (Socket second = Connect(path))
        {
            WaitFor(second, "demo> ");
            second.Send("echo never more\roff\r"u8);
            WaitFor(second, "never more");
            WaitFor(second, "Good-bye.");
        }

        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal((0, string.Empty), (process.ExitCode, process.StandardOutput.ReadToEnd()));
        Assert.False(File.Exists(path));
    }

    /// <summary>A guest that floods a console at which nobody listens goes on.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void NobodyNeedsToListen()
    {
        string path = Path.Combine(_directory.Path, "console");
        string words = "run=" + string.Join(',', Enumerable.Repeat("tour", 30)) + ",off";
        ProcessResult result = LauncherProcess.Run($"--console=unix:{path}", Memory, _demo, words);
        Assert.Equal((0, string.Empty), (result.Status, result.Output));
    }

    /// <summary>Several times: the guest's last words once arrived in six of seven.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void TheConsoleIsOnAPseudoTerminal()
    {
        for (int i = 0; i < 20; i++)
            TalkToADemoByPseudoTerminal();
    }

    /// <summary>An option after the guest's first word goes to the guest; the user hears of it.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AMisplacedOptionIsNoted()
    {
        ProcessResult result = LauncherProcess.Run(Memory, _demo, "run=off", "--block=disk.img");
        Assert.Equal(0, result.Status);
        Assert.StartsWith("lguest: note: '--block=disk.img'", result.Error, StringComparison.Ordinal);
        Assert.Equal(string.Empty, LauncherProcess.Run(Memory, _demo, "--", "run=off", "--block=disk.img").Error);
    }

    /// <summary>A job as docs/scripting.md has it, by a user without any rights.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void AnOrdinaryUserRunsAJob()
    {
        string log = Path.Combine(_directory.Path, "console.log");
        File.WriteAllText(log, string.Empty);
        File.SetUnixFileMode(log, (UnixFileMode)0x1B6);
        File.SetUnixFileMode(_directory.Path, (UnixFileMode)0x1ED);
        string[] job = [Needs.LauncherPath, "--exit-status", "--no-reboot", "--timeout=2m", $"--console={log}", Memory, _demo];
        string[] command = Environment.UserName == "root" ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", .. job] : job;
        using Process process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardError = true })!;
        process.StandardInput.Write("echo lguest: exit status 42\noff\n");
        process.StandardInput.Close();
        string error = process.StandardError.ReadToEnd();
        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal((42, string.Empty), (process.ExitCode, error));
        Assert.Contains("Good-bye.", File.ReadAllText(log), StringComparison.Ordinal);
    }

    private static Socket Connect(string path)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                socket.Connect(new UnixDomainSocketEndPoint(path));
                return socket;
            }
            catch (SocketException) when (Stopwatch.GetElapsedTime(start) < LauncherProcess.Patience)
            {
                socket.Dispose();
                Thread.Sleep(20);
            }
        }
    }

    private static void WaitFor(Socket socket, string text)
    {
        StringBuilder heard = new();
        byte[] one = new byte[1];
        socket.ReceiveTimeout = (int)LauncherProcess.Patience.TotalMilliseconds;
        while (!heard.ToString().Contains(text, StringComparison.Ordinal))
        {
            Assert.True(socket.Receive(one) == 1, heard.ToString());
            heard.Append((char)one[0]);
        }
    }

    private void TalkToADemoByPseudoTerminal()
    {
        using Process process = LauncherProcess.Start("--console=pty", Memory, _demo);
        string said = process.StandardError.ReadLine()!;
        string name = said[said.LastIndexOf(' ')..].Trim();
        using (FileStream terminal = new(name, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0))
        {
            terminal.Write("off\r"u8);
            StringBuilder heard = new();
            byte[] buffer = new byte[4096];
            while (!heard.ToString().Contains("Good-bye.", StringComparison.Ordinal))
            {
                int count = terminal.Read(buffer);
                Assert.True(count > 0, heard.ToString());
                heard.Append(Encoding.ASCII.GetString(buffer, 0, count));
            }
        }

        Assert.True(process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal((0, string.Empty), (process.ExitCode, process.StandardOutput.ReadToEnd()));
    }
}
