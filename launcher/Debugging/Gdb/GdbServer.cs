// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using Lguest.Launcher.Debugging.Monitor;

namespace Lguest.Launcher.Debugging.Gdb;

/// <summary>Listens for gdb, and serves one after the other: they come and go while the guest runs.</summary>
public sealed class GdbServer : IDisposable
{
    private readonly SocketAddress _address;
    private readonly DebugTarget _target;
    private readonly MonitorCommands _monitor;
    private readonly Socket _listener;
    private readonly Thread _thread;
    private readonly Lock _lock = new();
    private GdbSession? _session;
    private bool _stopping;

    /// <summary>Starts to listen.</summary>
    /// <param name="address">Where.</param>
    /// <param name="target">The guest.</param>
    /// <param name="monitor">What gdb's <c>monitor</c> command can do.</param>
    /// <exception cref="LaunchException">The address cannot be had.</exception>
    public GdbServer(SocketAddress address, DebugTarget target, MonitorCommands monitor)
    {
        _address = address;
        _target = target;
        _monitor = monitor;
        _listener = address.Listen("gdb");
        _thread = new Thread(Serve) { IsBackground = true, Name = "gdb" };
        _thread.Start();
    }

    /// <summary>The guest is over for good: a gdb that waits for it hears so.</summary>
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
        if (_address.Path != null)
            File.Delete(_address.Path);
    }

    private void Serve()
    {
        while (true)
        {
            Socket connection;
            try
            {
                connection = _listener.Accept();
            }
            catch (Exception end) when (end is SocketException or ObjectDisposedException)
            {
                return;
            }

            if (connection.ProtocolType == ProtocolType.Tcp)
                connection.NoDelay = true;
            using GdbSession session = new(connection, _target, _monitor);
            lock (_lock)
            {
                if (_stopping)
                    return;
                _session = session;
            }

            session.Run();
            lock (_lock)
                _session = null;
        }
    }
}
