// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Inspect.Gdb;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>
/// A session of gdb with a guest: a packet a line, wrapped as it should be; what begins with an exclamation mark is sent as it is. It
/// ends its session at most: the next one is served.
/// </summary>
internal sealed class GdbTarget : IFuzzTarget
{
    private const byte Raw = (byte)'!';
    private static readonly byte[] s_question = GdbPacket.Encode("?");
    private readonly FuzzedGuest _guest = new();

    public IEnumerable<byte[]> Seeds
    {
        get
        {
            string[] sessions =
            [
                "?\ng\nqSupported:swbreak+\nqC\nqfThreadInfo\nqsThreadInfo\nqAttached:1\nHg0\nT1", "QStartNoAckMode\nqXfer:features:read:target.xml:0,fff\nqXfer:features:read:target.xml:fff,fff",
                "p8\nP0=78563412\np10\nP23=000102030405060708090a0b0c0d0e0f\nG00000000", "mc0100000,40\nMc0100100,2:beef\nXc0100100,4:$#}*\nm0,4",
                "Z0,c0100020,1\nc\nz0,c0100020,1", "Z2,c0100100,4\nvCont;s:1\nvCont?\nvCont;c\ns\nC05;c0100020\nS05", "!\u0003\n!$m0,\n!-\n!+$g#67", "qRcmd,68656c70\nqRcmd,746f", "k", "vKill;1", "D",
                .. s_monitor.Select(command => "qRcmd," + GdbPacket.Hex(command)),
            ];
            return sessions.Select(Encoding.Latin1.GetBytes);
        }
    }

    public IReadOnlyList<byte[]> Words { get; } =
        [.. ((string[])["\n", "\nvCont;", "\nZ2,", "\nm", "\nX", "\nqRcmd,", "\nqXfer:features:read:target.xml:", "ffffffff", "c0100020", ",", ":", ";", "=", "!\u0003", "\nc", "\ns", "\nP", "00000000", "7fffffff", .. s_monitor.Select(GdbPacket.Hex)]).Select(Encoding.Latin1.GetBytes)];

    public int LongestCase => 2048;

    public ulong Run(byte[] bytes)
    {
        using MemoryStream sent = new();
        foreach (Range range in bytes.AsSpan().Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = bytes.AsSpan(range);
            if (line.Length > 0 && line[0] == Raw)
                sent.Write(line[1..]);
            else
                sent.Write(GdbPacket.Encode(Encoding.Latin1.GetString(line)));
        }

        byte[] answer = FuzzedGuest.Ask(_guest.GdbSocket, sent.ToArray());

        // The next one is served, and by then it is known how this one ended.
        byte[] next = FuzzedGuest.Ask(_guest.GdbSocket, s_question);
        _guest.ThrowIfBug();
        if (next.Length == 0)
            throw new FuzzFindException("the next session is not served");
        return Sign(Encoding.Latin1.GetString(answer));
    }

    /// <summary>Which kinds of answers came.</summary>
    private static ulong Sign(string answer)
    {
        const int kind = 3;
        ulong happened = 0;
        foreach (string packet in answer.Split('$'))
        {
            Signature signature = new();
            signature.AddSentence(packet.AsSpan(0, Math.Min(packet.Length, kind)));
            happened |= Signature.Bit(signature.Value, packet.Length);
        }

        return happened;
    }

    private static readonly string[] s_monitor =
    [
        "hypercalls", "translate 0xc0100000", "pagetables", "gdt", "idt", "lguest", "devices", "dma", "physical 0x1000 32", "irq 7", "trace off", "engine", "help",
    ];
}
