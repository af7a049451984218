// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Gdb;

/// <summary>What gdb asks of the other end before it asks of the guest: features, threads, verbs; and the monitor's commands.</summary>
public sealed partial class GdbSession
{
    private string Query(string packet)
    {
        const string features = "qXfer:features:read:target.xml:";
        if (packet.StartsWith("qSupported", StringComparison.Ordinal))
        {
            _saysWhichBreak = packet.Contains("swbreak+", StringComparison.Ordinal);
            return $"PacketSize={PacketSize:x};qXfer:features:read+;QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+";
        }

        if (packet.StartsWith(features, StringComparison.Ordinal))
        {
            return GdbPacket.TryRange(packet[features.Length..], out uint offset, out uint length)
                ? Piece(GdbRegisters.TargetDescription, offset, length)
                : BadRequest;
        }

        if (packet.StartsWith("qRcmd,", StringComparison.Ordinal))
            return Command(packet["qRcmd,".Length..]);
        if (packet.StartsWith("qThreadExtraInfo", StringComparison.Ordinal))
            return GdbPacket.Hex(_target.Ask(Describe));
        return packet switch
        {
            "qC" => "QC1",
            "qfThreadInfo" => "m1",
            "qsThreadInfo" => "l",

            // "Attached", not started by gdb: so quitting detaches, and does not kill.
            _ when packet.StartsWith("qAttached", StringComparison.Ordinal) => "1",
            _ when packet.StartsWith("qSymbol", StringComparison.Ordinal) => Ok,
            _ => string.Empty,
        };
    }

    private static string Describe(DebugTarget.Running running) =>
        running.Guest.IsHalted ? "halted" : running.Guest.Registers.Cpl == 3 ? "ring 3: a program" : "ring 1: the kernel";

    private static string Piece(string text, uint offset, uint length)
    {
        if (offset >= text.Length)
            return "l";
        int end = (int)Math.Min((ulong)text.Length, offset + (ulong)length);
        return (end == text.Length ? 'l' : 'm') + text[(int)offset..end];
    }

    private string Command(string hex)
    {
        if (GdbPacket.Bytes(hex) is not { } bytes)
            return BadRequest;
        string output = _monitor.Run(Encoding.UTF8.GetString(bytes));
        const int chunk = (PacketSize / 2) - 16;
        byte[] text = Encoding.UTF8.GetBytes(output);
        for (int at = 0; at < text.Length; at += chunk)
            _wire.Send("O" + GdbPacket.Hex(text.AsSpan(at, Math.Min(chunk, text.Length - at))));
        return Ok;
    }

    private string Set(string packet)
    {
        if (packet != "QStartNoAckMode")
            return string.Empty;
        _wire.NoAcknowledgements = true;
        return Ok;
    }

    private string? Verb(string packet)
    {
        if (packet == "vCont?")
            return "vCont;c;C;s;S";
        if (packet.StartsWith("vCont;", StringComparison.Ordinal))
        {
            // There is one thread: the first action is for it.
            return packet.AsSpan("vCont;".Length) switch
            {
                ['c' or 'C', ..] => Resume("c", step: false),
                ['s' or 'S', ..] => Resume("s", step: true),
                _ => BadRequest,
            };
        }

        if (packet.StartsWith("vKill", StringComparison.Ordinal))
        {
            Kill();
            return Ok;
        }

        return string.Empty;
    }
}
