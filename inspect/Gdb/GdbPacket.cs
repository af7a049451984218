// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;

namespace Lguest.Inspect.Gdb;

/// <summary>
/// The wrapping of gdb's remote protocol ("Debugging with GDB", appendix E.1): <c>$data#checksum</c>, with <c>}</c> in front
/// of bytes that would be taken for something else. Data is kept as Latin-1 text, a character a byte.
/// </summary>
public static class GdbPacket
{
    private const char Escape = '}';
    private const char EscapeFlip = (char)0x20;

    /// <summary>The bytes of a packet.</summary>
    public static byte[] Encode(string data)
    {
        StringBuilder text = new(data.Length + 4);
        text.Append('$');
        foreach (char c in data)
        {
            if (c is '$' or '#' or '*' or Escape)
                text.Append(Escape).Append((char)(c ^ EscapeFlip));
            else
                text.Append(c);
        }

        int sum = 0;
        for (int i = 1; i < text.Length; i++)
            sum += text[i];
        text.Append('#').Append((sum & 0xFF).ToString("x2", CultureInfo.InvariantCulture));
        return Encoding.Latin1.GetBytes(text.ToString());
    }

    /// <summary>Takes the escapes out of a packet's data.</summary>
    public static string Unescape(string data)
    {
        if (!data.Contains(Escape, StringComparison.Ordinal))
            return data;
        StringBuilder text = new(data.Length);
        for (int i = 0; i < data.Length; i++)
            text.Append(data[i] == Escape && i + 1 < data.Length ? (char)(data[++i] ^ EscapeFlip) : data[i]);
        return text.ToString();
    }

    /// <summary>Bytes as hexadecimal digits.</summary>
    public static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);

    /// <summary>Text as hexadecimal digits.</summary>
    public static string Hex(string text) => Hex(Encoding.UTF8.GetBytes(text));

    /// <summary>Hexadecimal digits as bytes; null when they are none.</summary>
    public static byte[]? Bytes(string hex)
    {
        try
        {
            return Convert.FromHexString(hex);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>A hexadecimal number, as addresses and lengths are written.</summary>
    public static bool TryNumber(string text, out uint value) =>
        uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);

    /// <summary><c>ADDRESS,LENGTH</c>.</summary>
    public static bool TryRange(string text, out uint address, out uint length)
    {
        address = length = 0;
        int comma = text.IndexOf(',', StringComparison.Ordinal);
        return comma > 0 && TryNumber(text[..comma], out address) && TryNumber(text[(comma + 1)..], out length);
    }
}
