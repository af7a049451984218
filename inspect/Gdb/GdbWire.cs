// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;

namespace Lguest.Inspect.Gdb;

/// <summary>One connection's bytes as packets. Read by one thread; written by any, whole packets at a time.</summary>
/// <param name="stream">The connection.</param>
public sealed class GdbWire(Stream stream)
{
    /// <summary>What <see cref="Read"/> returns for the lone byte with which gdb interrupts a running guest.</summary>
    public const string Interrupt = "\u0003";

    /// <summary>Longer packets than this are nobody's who means well.</summary>
    private const int LongestPacket = 1 << 16;

    private readonly Lock _lock = new();
    private readonly byte[] _buffer = new byte[4096];
    private byte[] _lastSent = [];
    private int _next;
    private int _end;

    /// <summary>No acknowledgements any more: what QStartNoAckMode asks for, since TCP does not lose bytes.</summary>
    public bool NoAcknowledgements { get; set; }

    /// <summary>The next packet's data, escapes taken out, or <see cref="Interrupt"/>; null at the end of the connection.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public string? Read()
    {
        while (true)
        {
            switch (ReadByte())
            {
                case -1:
                    return null;
                case 3:
                    return Interrupt;
                case '-':
                    Write(_lastSent);
                    break;
                case '$':
                    if (ReadBody(out string? data))
                        return data;
                    break;
            }
        }
    }

    /// <summary>Sends a packet.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public void Send(string data)
    {
        byte[] packet = GdbPacket.Encode(data);
        lock (_lock)
            _lastSent = packet;
        Write(packet);
    }

    private bool ReadBody(out string? data)
    {
        StringBuilder text = new();
        int sum = 0;
        data = null;
        while (true)
        {
            int next = ReadByte();
            if (next < 0)
                return true;
            if (next == '#')
                break;
            if (next == '$' || text.Length == LongestPacket)
            {
                // Something was lost: start over.
                text.Clear();
                sum = 0;
                continue;
            }

            text.Append((char)next);
            sum += next;
        }

        int high = ReadByte();
        int low = ReadByte();
        if (low < 0)
            return true;
        bool right = byte.TryParse($"{(char)high}{(char)low}", NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte wanted) && wanted == (sum & 0xFF);
        if (!NoAcknowledgements)
            Write(right ? "+"u8 : "-"u8);
        if (!right)
            return false;
        data = GdbPacket.Unescape(text.ToString());
        return true;
    }

    private int ReadByte()
    {
        if (_next == _end)
        {
            _end = stream.Read(_buffer);
            _next = 0;
            if (_end == 0)
                return -1;
        }

        return _buffer[_next++];
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
            stream.Write(bytes);
    }
}
