// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Lguest.Tests.Network;

/// <summary>
/// A server that gives random bytes to the first that connects and takes what the second has to send. It listens on the network
/// of the thread that makes it.
/// </summary>
internal sealed class TransferServer : IDisposable
{
    private readonly TcpListener _listener;
    private readonly Task<string> _work;

    public TransferServer(string address, int bytes)
    {
        byte[] content = new byte[bytes];
        new Random(1).NextBytes(content);
        Digest = Convert.ToHexStringLower(MD5.HashData(content));
        _listener = new TcpListener(IPAddress.Parse(address), 0);
        _listener.Start();
        _work = Task.Factory.StartNew(() => Serve(content), TaskCreationOptions.LongRunning);
    }

    /// <summary>Where it listens.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>MD5 of what it gives.</summary>
    public string Digest { get; }

    /// <summary>MD5 of what it was sent.</summary>
    public string Received() => _work.Wait(TimeSpan.FromSeconds(60)) ? _work.Result : throw new TimeoutException("nothing was sent");

    /// <summary>Throws what went wrong, if something did.</summary>
    public void AssertWell()
    {
        if (_work.IsFaulted)
            throw _work.Exception;
    }

    public void Dispose() => _listener.Stop();

    private string Serve(byte[] content)
    {
        using (Socket taker = _listener.AcceptSocket())
        {
            for (int done = 0; done < content.Length;)
                done += taker.Send(content.AsSpan(done));
            taker.Shutdown(SocketShutdown.Send);
        }

        using TcpClient giver = _listener.AcceptTcpClient();
        return Convert.ToHexStringLower(MD5.HashData(giver.GetStream()));
    }
}
