// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net.Sockets;
using Lguest.Devices.Backends.Network;

namespace Lguest.Tests.Network;

/// <summary>
/// Somebody who has the right to be on a segment and behaves as badly as he can: takes a slot and publishes the promiscuous
/// address that gets him everything, never reads, and sends the others random messages, of every kind and length, on connections
/// that he opens and drops all the time.
/// </summary>
internal sealed class HostilePeer : IDisposable
{
    private readonly string _ports;
    private readonly SharedSegment _place;
    private readonly Random _random = new(20070704);

    public HostilePeer(string path)
    {
        _ports = path + ".ports";
        _place = SharedSegment.Join(path, 0);

        // Everybody's packets, please; and nobody will ever look at them.
        using FileStream page = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        page.Position = _place.Page.Slot * MacAddress.Size;
        page.Write([3, 0, 0, 0, 0, 66]);
    }

    /// <summary>Messages that the others' sockets took.</summary>
    public int Sent { get; private set; }

    public void Rage(CancellationToken enough)
    {
        while (!enough.IsCancellationRequested)
        {
            foreach (string socket in Directory.GetFileSystemEntries(_ports))
            {
                if (Path.GetFileName(socket) != _place.Page.Slot.ToString(CultureInfo.InvariantCulture))
                    Annoy(socket);
            }
        }
    }

    public void Dispose() => _place.Dispose();

    private void Annoy(string path)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            uint[] kinds = [SegmentMessage.Packet, SegmentMessage.Query, SegmentMessage.State, SegmentMessage.Report, (uint)_random.Next()];
            for (int i = 0; i < 40; i++)
            {
                byte[] message = new byte[_random.Next(12) switch { 0 => 1, 1 => 4, 2 => 5, 3 => 8, 4 => 20_000, _ => _random.Next(4, 1600) }];
                _random.NextBytes(message);
                if (message.Length >= 4)
                    BitConverter.TryWriteBytes(message, kinds[_random.Next(kinds.Length)]);
                socket.Send(message);
                Sent++;
            }
        }
        catch (SocketException)
        {
            // Thrown out, or no more room: back again.
        }
    }
}
