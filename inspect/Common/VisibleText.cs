// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;

namespace Lguest.Inspect.Common;

/// <summary>
/// Text of a guest as it may be printed: a terminal acts on control characters, and a line that the guest forged looks like one
/// of ours. Both become visible instead.
/// </summary>
public static class VisibleText
{
    /// <summary>The text on one line, with <c>\n</c>, <c>\x1b</c> and <c>\u202e</c> in place of what is not to be seen.</summary>
    public static string Of(string text)
    {
        int at = 0;
        while (at < text.Length && IsVisible(text[at]))
            at++;
        if (at == text.Length)
            return text;
        StringBuilder visible = new(text, 0, at, text.Length + 16);
        foreach (Rune rune in text.AsSpan(at).EnumerateRunes())
        {
            if (IsVisible(rune))
                visible.Append(rune.ToString());
            else
                visible.Append(Escape(rune.Value));
        }

        return visible.ToString();
    }

    private static bool IsVisible(char c) => c is >= ' ' and < '\u007f';

    private static bool IsVisible(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);

    private static string Escape(int value) => value switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        < 0x100 => string.Create(CultureInfo.InvariantCulture, $"\\x{value:x2}"),
        <= 0xFFFF => string.Create(CultureInfo.InvariantCulture, $"\\u{value:x4}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"\\U{value:x8}"),
    };
}
