// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Fuzz;

/// <summary>Cases worth mutating again: one for each behaviour that was seen.</summary>
internal sealed class Corpus(Random random)
{
    private const int Most = 4000;
    private readonly List<byte[]> _cases = [];
    private readonly HashSet<ulong> _seen = [];

    /// <summary>Cases kept.</summary>
    public int Count => _cases.Count;

    /// <summary>Keeps a case if nothing like it was seen.</summary>
    public void Offer(byte[] bytes, ulong signature)
    {
        if (!_seen.Add(signature))
            return;
        if (_cases.Count < Most)
            _cases.Add(bytes);
        else
            _cases[random.Next(Most)] = bytes;
    }

    /// <summary>One of them, new ones more often than old ones.</summary>
    public byte[] Pick() => _cases.Count == 0 ? [] : _cases[Math.Max(random.Next(_cases.Count), random.Next(_cases.Count))];
}
