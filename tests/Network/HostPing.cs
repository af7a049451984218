// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Lguest.Tests.Network;

/// <summary>What the host does on a network with a guest. To be called inside the network (<see cref="NetworkNamespace.Run"/>).</summary>
internal static class HostPing
{
    /// <summary>Pings with that many bytes, and compares what comes back.</summary>
    public static bool Once(string address, int bytes)
    {
        byte[] payload = [.. Enumerable.Range(0, bytes).Select(i => (byte)(i * 3))];
        using Ping ping = new();
        const int Patience = 30_000;
        PingReply reply = ping.Send(IPAddress.Parse(address), Patience, payload, new PingOptions { DontFragment = true });
        return reply.Status == IPStatus.Success && reply.Buffer.AsSpan().SequenceEqual(payload);
    }

    /// <summary>Sends datagrams to the guest's echo, with no more than <paramref name="window"/> on the way at any time.</summary>
    /// <param name="address">The guest's.</param>
    /// <param name="count">How many.</param>
    /// <param name="window">How many at once.</param>
    /// <param name="bytes">Bytes in each.</param>
    /// <param name="lost">How many will not come back, as far as is known now.</param>
    /// <returns>How many different ones came back, whole.</returns>
    public static int Flood(string address, int count, int window, int bytes, Func<int> lost)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);

        // Room for every answer at once, beyond what the host allows to others than root: what is lost here is no loss of ours.
        const int SocketLevel = 1;
        const int ForceReceiveBuffer = 33;
        socket.SetRawSocketOption(SocketLevel, ForceReceiveBuffer, BitConverter.GetBytes(64 << 20));
        const int EchoPort = 7;
        const int Pause = 300;
        const int Pauses = 100;
        socket.Connect(IPAddress.Parse(address), EchoPort);
        socket.ReceiveTimeout = Pause;
        byte[] message = new byte[bytes];
        byte[] answer = new byte[2048];
        HashSet<int> back = [];
        int sent = 0;
        int pauses = 0;
        while (sent < count || back.Count < count)
        {
            if (sent < count && sent - back.Count < window)
            {
                BitConverter.TryWriteBytes(message, sent++);
                socket.Send(message);
                continue;
            }

            try
            {
                if (socket.Receive(answer) == bytes)
                    back.Add(BitConverter.ToInt32(answer));
            }
            catch (SocketException)
            {
                // All is quiet: nothing is on the way any more, or a busy machine has left the guest without a processor.
                if (back.Count + lost() >= count || ++pauses > Pauses)
                    break;
            }
        }

        return back.Count;
    }
}
