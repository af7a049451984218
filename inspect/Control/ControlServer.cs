// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using System.Text;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Common;
using Lguest.Inspect.Sockets;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Control;

/// <summary>
/// The guest's end of <c>lguest ctl</c>: a Unix socket that takes one line a connection. The answer's first line is <c>ok</c>
/// or <c>error</c>, what follows is for the user; after <c>console</c>, the connection is the console.
/// </summary>
public sealed class ControlServer : IDisposable
{
    /// <summary>First line of an answer to something that was done.</summary>
    public const string Done = "ok\n";

    /// <summary>First line of an answer to something that was not.</summary>
    public const string Failed = "error\n";

    private const int LongestLine = 4096;

    /// <summary>Connections at once: each has a thread or two.</summary>
    private const int MostConnections = 256;
    private static readonly TimeSpan FullBufferPause = TimeSpan.FromMilliseconds(20);

    private readonly DebugTarget _target;
    private readonly ControlCommands _commands;
    private readonly ConsoleLog _log;
    private readonly Listener _listener;
    private readonly Action<string> _say;
    private readonly List<Socket> _connections = [];
    private bool _failureTold;

    /// <summary>Starts to listen.</summary>
    /// <exception cref="InspectException">The address cannot be had.</exception>
    public ControlServer(SocketAddress address, DebugTarget target, ControlCommands commands, ConsoleLog log, Action<string> say)
    {
        _target = target;
        _commands = commands;
        _log = log;
        _say = say;
        _listener = address.Listen("control");
        new Thread(Accept) { IsBackground = true, Name = "control" }.Start();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _log.Close();
        _listener.Dispose();
        lock (_connections)
        {
            // What the guest said last has been sent when the writers are through; they are given a moment for it.
            for (int i = 0; i < 50 && _connections.Count > 0; i++)
                System.Threading.Monitor.Wait(_connections, 10);
            foreach (Socket connection in _connections)
                connection.Dispose();
        }
    }

    private void Accept()
    {
        while (_listener.Accept() is { } connection)
        {
            try
            {
                lock (_connections)
                    _connections.Add(connection);
                if (_connections.Count > MostConnections)
                    throw new InvalidOperationException($"more than {MostConnections} connections at once");
                new Thread(() => Serve(connection)) { IsBackground = true, Name = "ctl" }.Start();
            }
            catch (Exception failure)
            {
                // No thread is available, for instance. This caller is out of luck; the next one may not be.
                Tell(failure);
                Forget(connection);
            }
        }
    }

    /// <summary>Says what went wrong, the first time: whoever made it happen may make it happen again and again.</summary>
    private void Tell(Exception failure)
    {
        if (!Interlocked.Exchange(ref _failureTold, true))
            _say($"a connection to the control socket failed: {failure.GetType().Name}: {failure.Message}");
    }

    private void Forget(Socket connection)
    {
        connection.Dispose();
        lock (_connections)
        {
            _connections.Remove(connection);
            System.Threading.Monitor.PulseAll(_connections);
        }
    }

    private void Serve(Socket connection)
    {
        try
        {
            string line = ReadLine(connection);
            if (line == "console")
            {
                connection.Send(Encoding.ASCII.GetBytes(Done));
                Console(connection);
            }
            else
            {
                bool done = _commands.Run(line, out string text);
                connection.Send(Encoding.UTF8.GetBytes((done ? Done : Failed) + text));
                _commands.AfterAnswer(line);
            }

            connection.Shutdown(SocketShutdown.Both);
        }
        catch (Exception broken) when (broken is SocketException or ObjectDisposedException)
        {
            // Whoever it was has gone.
        }
        catch (Exception bug)
        {
            // Ends this connection, and nothing else.
            Tell(bug);
        }
        finally
        {
            Forget(connection);
        }
    }

    private static string ReadLine(Socket connection)
    {
        StringBuilder line = new();
        byte[] one = new byte[1];
        while (line.Length < LongestLine && connection.Receive(one) == 1 && one[0] != '\n')
            line.Append((char)one[0]);
        return line.ToString().TrimEnd('\r');
    }

    /// <summary>Replays what was said, then passes on both ways until one side ends.</summary>
    private void Console(Socket connection)
    {
        bool gone = false;
        Thread input = new(() =>
        {
            Type(connection);
            WaitForHangUp(connection);
            Volatile.Write(ref gone, true);
            _log.Wake();
        })
        { IsBackground = true, Name = "ctl input" };
        input.Start();
        long seen = 0;
        while (_log.WaitForMore(seen, () => Volatile.Read(ref gone)))
        {
            byte[] text = _log.Read(ref seen, out long lost);
            if (lost > 0)
                connection.Send(Encoding.ASCII.GetBytes($"[{lost} bytes are not kept any more]\r\n"));
            connection.Send(text);
        }
    }

    /// <summary>
    /// Waits until the caller has really gone: one who only types no more may still want to read. A guest that says nothing would
    /// else keep the connections of all who ever looked at its console.
    /// </summary>
    private static void WaitForHangUp(Socket connection)
    {
        try
        {
            // A hang-up ends any poll; nothing else ends this one.
            _ = connection.Poll(Timeout.Infinite, SelectMode.SelectError);
        }
        catch (Exception end) when (end is SocketException or ObjectDisposedException)
        {
        }
    }

    private void Type(Socket connection)
    {
        byte[] keys = new byte[256];
        try
        {
            for (int count; (count = connection.Receive(keys)) > 0;)
            {
                for (int given = 0; given < count;)
                {
                    ArraySegment<byte> rest = new(keys, given, count - given);
                    int taken = _target.Ask(running => running.Console.Inject(rest));
                    _target.Current?.LookAfterDevices();

                    // The guest does not read: what was typed waits here, as it would in a terminal.
                    if (taken == 0)
                        Thread.Sleep(FullBufferPause);
                    given += taken;
                }
            }
        }
        catch (Exception end) when (end is SocketException or ObjectDisposedException or GuestGoneException)
        {
        }
        catch (Exception bug)
        {
            Tell(bug);
        }
    }
}
