// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using Lguest.Devices;

namespace Lguest.Inspect.Sockets;

/// <summary>A socket that somebody may connect to; its name in the file system, if it has one, goes with it.</summary>
/// <param name="socket">The socket, listening.</param>
/// <param name="file">Its name; null for TCP.</param>
public sealed class Listener(Socket socket, SocketFile? file) : IDisposable
{
    /// <summary>Milliseconds before the next try, when taking a caller failed.</summary>
    private const int Pause = 100;

    private volatile bool _closed;

    /// <summary>Takes the next caller.</summary>
    /// <returns>The connection; null when the listener was closed.</returns>
    public Socket? Accept()
    {
        while (!_closed)
        {
            try
            {
                return socket.Accept();
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException or InvalidOperationException)
            {
                // Too many files are open, or the caller has gone already: neither is a reason never to listen again.
                if (!_closed)
                    Thread.Sleep(Pause);
            }
        }

        return null;
    }

    /// <summary>For poll: readable when somebody calls.</summary>
    public int Descriptor => (int)socket.Handle;

    /// <summary>Takes the caller whom poll announced.</summary>
    /// <returns>The connection; null when it has gone already, or too many files are open.</returns>
    public Socket? TryAccept()
    {
        try
        {
            socket.Blocking = false;
            return socket.Accept();
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _closed = true;
        socket.Dispose();
        file?.Dispose();
    }
}
