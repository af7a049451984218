// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Lguest.Inspect.Gdb;

namespace Lguest.Tests.Inspect;

/// <summary>The other end of the protocol: what gdb would send, packet by packet.</summary>
internal sealed class GdbClient : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 60_000 };

    public GdbClient(string path)
    {
        // The file is there a moment before anyone listens.
        for (int patience = 500; ; patience--)
        {
            try
            {
                _socket.Connect(new UnixDomainSocketEndPoint(path));
                return;
            }
            catch (SocketException refused) when (refused.SocketErrorCode == SocketError.ConnectionRefused && patience > 0)
            {
                Thread.Sleep(10);
            }
        }
    }

    /// <summary>Sends a packet and returns the answer.</summary>
    public string Ask(string packet)
    {
        Send(packet);
        return Receive();
    }

    public void Send(string packet) => _socket.Send(GdbPacket.Encode(packet));

    /// <summary>Sends no more, and reads until the launcher has closed the connection as well.</summary>
    public void Finish()
    {
        _socket.Shutdown(SocketShutdown.Send);
        byte[] answers = new byte[4096];
        while (_socket.Receive(answers) > 0)
            continue;
    }

    public void SendRaw(string bytes) => _socket.Send(Encoding.Latin1.GetBytes(bytes));

    /// <summary>The next packet's data.</summary>
    public string Receive()
    {
        while (ReadByte() != '$')
        {
        }

        StringBuilder data = new();
        for (int c; (c = ReadByte()) != '#';)
            data.Append((char)c);
        ReadByte();
        ReadByte();
        try
        {
            _socket.Send("+"u8);
        }
        catch (SocketException)
        {
            // The last words of a launcher that is gone by now.
        }

        return GdbPacket.Unescape(data.ToString());
    }

    /// <summary>A register of 32 bits.</summary>
    public uint Register(int number) => BitConverter.ToUInt32(Convert.FromHexString(Ask($"p{number:x}")));

    /// <summary>What a monitor command prints.</summary>
    public string Monitor(string command)
    {
        Send("qRcmd," + GdbPacket.Hex(command));
        StringBuilder text = new();
        while (Receive() is var answer && answer != "OK")
        {
            Assert.StartsWith("O", answer, StringComparison.Ordinal);
            text.Append(Encoding.UTF8.GetString(Convert.FromHexString(answer[1..])));
        }

        return text.ToString();
    }

    public static string Address(uint address) => address.ToString("x", CultureInfo.InvariantCulture);

    public void Dispose() => _socket.Dispose();

    private int ReadByte()
    {
        byte[] one = new byte[1];
        return _socket.Receive(one) == 1 ? one[0] : throw new EndOfStreamException("the launcher closed the connection");
    }
}
