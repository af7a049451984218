// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Lguest.Inspect.Control;
using Lguest.Inspect.Gdb;
using Lguest.Inspect.Monitor;
using Lguest.Inspect.Sockets;
using Lguest.Inspect.Statistics;
using Lguest.Inspect.Symbols;
using Lguest.Inspect.Target;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>
/// A mistake of ours in a session, whichever it is: the session ends and one sentence is said, the next caller is served, and the
/// launcher goes on. In these, <c>trace</c> is the mistake.
/// </summary>
public sealed unsafe partial class BrokenSessionTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly DebugTarget _target = new(new Lazy<SymbolTable>(SymbolTable.Empty));
    private readonly List<string> _said = [];

    public BrokenSessionTests() => _target.Close();

    private string Path => System.IO.Path.Combine(_directory.Path, "socket");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void AGdbSessionEndsAndTheNextBegins()
    {
        using GdbServer server = new(SocketAddress.ParseUnix("gdb", "unix:" + Path), _target, Monitor(), Say);
        for (int i = 0; i < 3; i++)
        {
            using GdbClient gdb = new(Path);
            Assert.StartsWith("T", gdb.Ask("?"), StringComparison.Ordinal);
            Assert.ThrowsAny<Exception>(() => gdb.Monitor("trace on"));
        }

        Assert.Equal(3, Said());
    }

    [Fact]
    public void AControlConnectionEndsAndTheNextBegins()
    {
        ControlCommands commands = new(_target, Monitor(), Mistake, new ConsoleLog(), () => new RunStatistics(), () => "off", 0);
        using ControlServer server = new(SocketAddress.ParseUnix("control", "unix:" + Path), _target, commands, new ConsoleLog(), Say);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal("", Talk("trace on\n"));
            Assert.StartsWith("ok\n", Talk("help\n"), StringComparison.Ordinal);
        }

        // Once: whoever makes it happen can make it happen a thousand times a second.
        Assert.Equal(1, Said());
    }

    /// <summary>A launcher that has no descriptor left takes its callers when it has some again.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void TooManyFilesAreNotForEver()
    {
        using WaitingLauncher launcher = new("--control=unix:CONTROL", "16m", Needs.Guest("demo"));
        launcher.WaitUntil(() => launcher.Output.Contains("Type help", StringComparison.Ordinal), "the demo's greeting");
        Assert.Equal(0, prlimit(launcher.Process.Id, Files, 0, out Limit before));
        Limit few = before with { Now = 3 };
        Assert.Equal(0, prlimit(launcher.Process.Id, Files, (nint)(&few), out _));
        using (Socket waits = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            waits.Connect(new UnixDomainSocketEndPoint(launcher.ControlSocket));
            waits.Send("status\n"u8);
            Thread.Sleep(500);
            Assert.Equal(0, prlimit(launcher.Process.Id, Files, (nint)(&before), out _));
            waits.ReceiveTimeout = 60_000;
            Assert.NotEqual(0, waits.Receive(new byte[64]));
        }

        ProcessResult status = LauncherProcess.Run("ctl", launcher.ControlSocket, "status");
        Assert.True(status.Status == 0, status.Error);
    }

    private const int Files = 7;

    private static string Mistake(string[] words) => throw new NotFiniteNumberException("a mistake");

    private MonitorCommands Monitor() => new(_target, Mistake, () => new RunStatistics());

    private void Say(string sentence)
    {
        lock (_said)
            _said.Add(sentence);
    }

    /// <summary>How often the mistake was told, a moment after it was made.</summary>
    private int Said()
    {
        Thread.Sleep(200);
        lock (_said)
        {
            Assert.All(_said, static sentence => Assert.Contains("NotFiniteNumberException: a mistake", sentence, StringComparison.Ordinal));
            return _said.Count;
        }
    }

    private string Talk(string line)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 60_000 };
        socket.Connect(new UnixDomainSocketEndPoint(Path));
        socket.Send(Encoding.ASCII.GetBytes(line));
        StringBuilder answer = new();
        byte[] piece = new byte[4096];
        for (int count; (count = socket.Receive(piece)) > 0;)
            answer.Append(Encoding.UTF8.GetString(piece, 0, count));
        return answer.ToString();
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int prlimit(int process, int resource, nint wanted, out Limit before);

    [StructLayout(LayoutKind.Sequential)]
    private struct Limit
    {
        public ulong Now;
        public ulong Most;
    }
}
