// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Differential;

/// <summary>xorshift64* (Vigna): the same numbers for the same seed, everywhere and for ever.</summary>
internal sealed class XorShift
{
    private static readonly uint[] s_edges =
    [
        0, 1, 2, 3, 7, 8, 9, 0xF, 0x10, 0x1F, 0x20, 0x21, 0x7F, 0x80, 0x81, 0x99, 0x9A, 0xFF, 0x100, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x10000,
        0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FF7F, 0xFFFF_FF80, 0xFFFF_8000, 0xFFFF_FFFE, 0xFFFF_FFFF,
    ];

    private ulong _state;

    public XorShift(ulong seed)
    {
        // splitmix64: neighbouring seeds must not make similar sequences, and the state must not be 0.
        ulong z = seed + 0x9E37_79B9_7F4A_7C15;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        _state = (z ^ (z >> 31)) | 1;
    }

    public ulong Next()
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return _state * 0x2545_F491_4F6C_DD1D;
    }

    public uint Word() => (uint)(Next() >> 32);

    /// <summary>0 … <paramref name="limit"/> − 1.</summary>
    public int Below(int limit) => (int)((Next() >> 32) * (ulong)limit >> 32);

    public bool OneIn(int n) => Below(n) == 0;

    public T Pick<T>(IReadOnlyList<T> from) => from[Below(from.Count)];

    /// <summary>An operand: often one at which something changes.</summary>
    public uint Operand() => Below(8) switch
    {
        < 4 => s_edges[Below(s_edges.Length)],
        4 => (uint)(Below(512) - 256),
        5 => (Word() & 0x7777_7777) | (Word() & 0x0808_0808 & Word()),
        _ => Word(),
    };
}
