// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using Lguest.Inspect.Sockets;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Run.Console;

/// <summary>One client at a time on a Unix socket; the next one waits its turn in the socket's queue.</summary>
internal sealed class SocketConsole : IConsolePeer
{
    private readonly Listener _listener;
    private Socket? _client;

    /// <summary>Starts to listen.</summary>
    /// <exception cref="LaunchException">The address cannot be listened at.</exception>
    public SocketConsole(SocketAddress address) => _listener = address.Listen("console");

    /// <inheritdoc/>
    public int Arrivals => _listener.Descriptor;

    /// <inheritdoc/>
    public int Descriptor => _client is { } client ? (int)client.Handle : -1;

    /// <inheritdoc/>
    public void Look()
    {
        _client = _listener.TryAccept();
        if (_client != null)
            _client.Blocking = false;
    }

    /// <inheritdoc/>
    public void Leave()
    {
        _client?.Dispose();
        _client = null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Leave();
        _listener.Dispose();
    }
}
