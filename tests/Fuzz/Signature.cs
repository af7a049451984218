// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Fuzz;

/// <summary>A hash of behaviour (FNV-1a), put together from what is worth telling apart.</summary>
internal struct Signature()
{
    private const ulong Prime = 0x100_0000_01B3;

    /// <summary>The hash so far.</summary>
    public ulong Value { get; private set; } = 0xCBF2_9CE4_8422_2325;

    public void Add(ulong number) => Value = (Value ^ number) * Prime;

    /// <summary>A count: only how large it is, roughly.</summary>
    public void AddCount(long count) => Add((ulong)(64 - long.LeadingZeroCount(count)));

    /// <summary>What happened, in whatever order and however often: one of a few dozen bits for each.</summary>
    public static ulong Bit(ulong what, long count) => 1UL << (int)((((what * 31) + (ulong)(64 - long.LeadingZeroCount(count))) * Prime >> 20) % 64);

    /// <summary>A sentence without its names and numbers: which sentence it is.</summary>
    public void AddSentence(ReadOnlySpan<char> text)
    {
        const int enough = 200;
        bool quoted = false;
        foreach (char c in text[..Math.Min(text.Length, enough)])
        {
            if (c == '\'')
                quoted = !quoted;
            else if (!quoted && char.IsAsciiLetter(c))
                Add(c);
        }
    }
}
