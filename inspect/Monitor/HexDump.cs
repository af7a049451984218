// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;

namespace Lguest.Inspect.Monitor;

/// <summary>Bytes as people read them: 16 a line, in hexadecimal and as text.</summary>
internal static class HexDump
{
    private const int LineBytes = 16;

    public static string Of(uint address, ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new();
        for (int at = 0; at < bytes.Length; at += LineBytes)
        {
            ReadOnlySpan<byte> line = bytes.Slice(at, Math.Min(LineBytes, bytes.Length - at));
            text.Append($"{address + (uint)at:x8} ");
            for (int i = 0; i < LineBytes; i++)
                text.Append(i == LineBytes / 2 ? " " : "").Append(i < line.Length ? $" {line[i]:x2}" : "   ");
            text.Append("  ");
            foreach (byte b in line)
                text.Append(b is >= 0x20 and < 0x7F ? (char)b : '.');
            text.Append('\n');
        }

        return text.ToString();
    }
}
