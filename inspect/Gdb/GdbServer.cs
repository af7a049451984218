// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using Lguest.Inspect.Common;
using Lguest.Inspect.Monitor;
using Lguest.Inspect.Sockets;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Gdb;

/// <summary>Listens for gdb, and serves one after the other: they come and go while the guest runs.</summary>
public sealed class GdbServer : IDisposable
{
    private static readonly TimeSpan WritePatience = TimeSpan.FromSeconds(5);

    private readonly DebugTarget _target;
    private readonly MonitorCommands _monitor;
    private readonly Action<string> _say;
    private readonly Listener _listener;
    private readonly PeerCheck? _check;
    private readonly Thread _thread;
    private readonly Lock _lock = new();
    private GdbSession? _session;
    private bool _stopping;

    /// <summary>Starts to listen.</summary>
    /// <param name="address">Where.</param>
    /// <param name="target">The guest.</param>
    /// <param name="monitor">What gdb's <c>monitor</c> command can do.</param>
    /// <param name="say">Hears of callers that are refused, and of sessions that end by a mistake of ours.</param>
    /// <exception cref="InspectException">The address cannot be had.</exception>
    public GdbServer(SocketAddress address, DebugTarget target, MonitorCommands monitor, Action<string> say)
    {
        _target = target;
        _monitor = monitor;
        _say = say;
        _listener = address.Listen("gdb");

        // A Unix socket is the user's own by its rights.
        _check = address.Path == null ? new PeerCheck(say) : null;
        _thread = new Thread(Serve) { IsBackground = true, Name = "gdb" };
        _thread.Start();
    }

    /// <summary>The guest has ended, and no other follows: a gdb that waits for it is told so.</summary>
    /// <param name="status">The launcher's exit status.</param>
    public void GuestExited(int status)
    {
        lock (_lock)
            _session?.Exited(status);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _stopping = true;
            _session?.Dispose();
        }

        _listener.Dispose();
        _check?.Dispose();
    }

    private void Serve()
    {
        while (_listener.Accept() is { } connection)
        {
            try
            {
                using (connection)
                    Serve(connection);
            }
            catch (Exception broken) when (broken is IOException or SocketException or ObjectDisposedException)
            {
                // He was gone before the session had begun.
            }
            catch (Exception bug)
            {
                // Whatever somebody sends ends his session at most: the next one finds us listening, and the guest goes on.
                _say($"the session with gdb ended by an internal error, please report it: {bug.GetType().Name}: {bug.Message}");
            }
        }
    }

    private void Serve(Socket connection)
    {
        if (_check != null && !_check.Admits(connection))
            return;
        using GdbSession session = new(connection, _target, _monitor);
        if (connection.ProtocolType == ProtocolType.Tcp)
            connection.NoDelay = true;

        // A gdb that does not read must not hold up the guest's owner, who reports a stop.
        connection.SendTimeout = (int)WritePatience.TotalMilliseconds;
        lock (_lock)
        {
            if (_stopping)
                return;
            _session = session;
        }

        try
        {
            session.Run();
        }
        finally
        {
            lock (_lock)
                _session = null;
        }
    }
}
