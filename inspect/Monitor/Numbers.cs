// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;

namespace Lguest.Inspect.Monitor;

/// <summary>Numbers as people type them: 0x for hexadecimal, else decimal.</summary>
internal static class Numbers
{
    /// <exception cref="MonitorException">It is none, or has more than 32 bits.</exception>
    public static uint Parse(string text)
    {
        bool hex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        if (uint.TryParse(hex ? text[2..] : text, hex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out uint value))
            return value;
        throw new MonitorException($"'{text}' is no 32-bit number (0x... or decimal)");
    }
}
