// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// The translator's guests stay inside: every form in which an instruction can name memory, in both rings, with addresses at
/// all the edges. Both engines must come to the same, fault or result; and host memory that an access would hit if it left
/// the window (the same address without the window's base, and what the 4 GiB wrap around to) must be untouched in the end.
/// docs/engine.md says why it should be.
/// </summary>
[Collection(LowMemory.Name)]
public sealed class ContainmentTests
{
    /// <summary>Prefixes for each segment, or none.</summary>
    private static readonly byte[][] s_segments = [[], [0x26], [0x2E], [0x36], [0x3E], [0x64], [0x65]];

    /// <summary>Instructions with a ModR/M operand in memory: opcode bytes, then its reg field; −1: any.</summary>
    private static readonly (byte[] Opcode, int Reg)[] s_instructions =
    [
        ([0x8B], -1), ([0x89], -1), ([0x01], -1), ([0x8A], -1), ([0x88], -1), ([0x66, 0x8B], -1), ([0x66, 0x11], -1), ([0x8D], -1), ([0x84], -1),
        ([0xFF], 6), ([0x8F], 0), ([0xFF], 2), ([0xFF], 4), ([0xFF], 0), ([0xFE], 1), ([0xF7], 2), ([0xF7], 3), ([0xF7], 4), ([0xF7], 6), ([0x66, 0xFF], 6), ([0x66, 0x8F], 0),
        ([0x87], -1), ([0x62], -1), ([0x63], -1), ([0xD1], 4), ([0xD3], 5), ([0xD2], 0), ([0xFF], 3), ([0xFF], 5), ([0x8C], 3), ([0x8E], 4), ([0xC4], -1),
        ([0x0F, 0xC7], 1), ([0xF0, 0x0F, 0xB1], -1), ([0x0F, 0xC1], -1), ([0x0F, 0xA3], -1), ([0x0F, 0xAB], -1), ([0x0F, 0xBC], -1), ([0x0F, 0xAF], -1),
        ([0x0F, 0xB6], -1), ([0x0F, 0xBF], -1), ([0x0F, 0x44], -1), ([0x0F, 0x94], 0), ([0x0F, 0xA5], -1), ([0x0F, 0xAD], -1), ([0x0F, 0xC3], -1), ([0x0F, 0x0D], 1), ([0x0F, 0x18], 1),
        ([0x0F, 0xAE], 0), ([0x0F, 0xAE], 1), ([0x0F, 0xAE], 2), ([0x0F, 0xAE], 3), ([0x0F, 0xAE], 7), ([0x0F, 0x01], 0), ([0x0F, 0x00], 4),
        ([0xD9], 0), ([0xD9], 3), ([0xD9], 4), ([0xD9], 5), ([0xD9], 6), ([0xD9], 7), ([0xDB], 5), ([0xDB], 7), ([0xDD], 0), ([0xDD], 3), ([0xDD], 4), ([0xDD], 6), ([0xDD], 7), ([0xDF], 4), ([0xDF], 6), ([0xDF], 7), ([0xD8], 6), ([0xDC], 1), ([0xDA], 7),
        ([0x0F, 0x10], -1), ([0x0F, 0x11], -1), ([0x0F, 0x28], -1), ([0x0F, 0x29], -1), ([0x0F, 0x2B], -1), ([0x0F, 0x12], -1), ([0x0F, 0x17], -1), ([0x0F, 0x58], -1), ([0xF3, 0x0F, 0x10], -1), ([0xF2, 0x0F, 0x11], -1), ([0xF3, 0x0F, 0x5A], -1),
        ([0x66, 0x0F, 0x6F], -1), ([0xF3, 0x0F, 0x6F], -1), ([0x66, 0x0F, 0x7F], -1), ([0xF3, 0x0F, 0x7F], -1), ([0x0F, 0x6F], -1), ([0x0F, 0x7F], -1), ([0x0F, 0xE7], -1), ([0x66, 0x0F, 0xE7], -1), ([0x66, 0x0F, 0xD6], -1), ([0x0F, 0x6E], -1), ([0x66, 0x0F, 0x7E], -1), ([0x0F, 0xFC], -1), ([0x66, 0x0F, 0x61], -1), ([0x0F, 0xC4], -1), ([0x66, 0x0F, 0x2A], -1), ([0xF2, 0x0F, 0x2C], -1),
    ];

    /// <summary>Instructions that reach memory without saying where.</summary>
    private static readonly byte[][] s_implicit =
    [
        [0x50], [0x54], [0x5C], [0x58], [0x66, 0x50], [0x66, 0x58], [0x6A, 0x80], [0x68, 1, 2, 3, 4], [0x66, 0x6A, 0x80], [0x60], [0x61], [0x66, 0x60], [0x66, 0x61],
        [0x9C], [0x9D], [0x66, 0x9C], [0x66, 0x9D], [0xC9], [0x66, 0xC9], [0xC8, 8, 0, 0], [0xC8, 8, 0, 1], [0xC8, 0xFF, 0xFF, 31], [0xC8, 0, 0, 2], [0xC3], [0xC2, 4, 0], [0xC2, 0xFF, 0xFF], [0x66, 0xC3],
        [0xE8, 0, 0, 0, 0], [0xE8, 0xFF, 0xFF, 0xFF, 0x7F], [0xFF, 0xD0], [0xFF, 0xD4], [0xFF, 0xE4], [0x06], [0x0E], [0x16], [0x1E], [0x0F, 0xA0], [0x0F, 0xA8], [0x07], [0x17], [0x1F], [0x0F, 0xA1], [0x0F, 0xA9],
        [0xCB], [0xCA, 8, 0], [0xCF], [0x66, 0xCF], [0xD7], [0x67, 0xD7], [0x0F, 0xF7, 0xC1], [0x66, 0x0F, 0xF7, 0xC1], [0x9A, 0, 0, 0, 0x20, 0x73, 0], [0xCD, 0x80], [0xCD, 0x0D], [0xCC], [0xCE],
        [0xE2, 0x7F], [0xE3, 0x80], [0x67, 0xE2, 0xF0], [0xEB, 0xFE], [0x74, 0x80], [0x0F, 0x85, 0, 0, 0, 0x70],
    ];

    private static readonly byte[] s_strings = [0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF];

    /// <summary>Every ModR/M and SIB byte for memory, with and without the address size prefix, in every segment; instructions take turns.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void EveryWayToNameMemory(int ring)
    {
        using ContainmentGuest guest = new(ring, seed: 1 + ring);
        int next = 0;
        foreach (byte[] segment in s_segments)
        {
            for (int size = 0; size < 2; size++)
            {
                for (int modRm = 0; modRm < 0xC0; modRm += (modRm & 7) == 7 ? 0x39 : 1)
                {
                    bool hasSib = size == 0 && (modRm & 7) == 4;
                    for (int sib = 0; sib < (hasSib ? 256 : 1); sib++)
                    {
                        (byte[] opcode, int reg) = s_instructions[next++ % s_instructions.Length];
                        reg = reg < 0 ? guest.Random(8) : reg;
                        List<byte> code = [.. size == 0 ? [] : (ReadOnlySpan<byte>)[0x67], .. segment, .. opcode, (byte)(modRm | (reg << 3))];
                        if (hasSib)
                            code.Add((byte)sib);
                        guest.RunOperand(code, modRm, sib, is16: size == 1);
                    }
                }
            }
        }

        // Cases that all end the same way would test nothing.
        Assert.True(guest.Faults > next / 5 && guest.Ends > next / 5, $"{guest.Faults} of {next} fault, {guest.Ends} do not");
    }

    /// <summary>Every instruction of the list with every simple form, so that no pair of an instruction and an edge is left to chance alone.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void EveryInstructionAtTheEdges(int ring)
    {
        using ContainmentGuest guest = new(ring, seed: 10 + ring);
        foreach ((byte[] opcode, int reg) in s_instructions)
        {
            for (int modRm = 0; modRm < 0xC0; modRm += (modRm & 7) == 7 ? 0x39 : 1)
            {
                foreach (byte[] segment in (ReadOnlySpan<byte[]>)[[], [0x64], [0x65]])
                {
                    List<byte> code = [.. segment, .. opcode, (byte)(modRm | ((reg < 0 ? guest.Random(8) : reg) << 3))];
                    int sib = guest.Random(256);
                    if ((modRm & 7) == 4)
                        code.Add((byte)sib);
                    guest.RunOperand(code, modRm, sib);
                }
            }
        }
    }

    /// <summary>Absolute addresses: the moffs forms.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void AbsoluteAddresses(int ring)
    {
        using ContainmentGuest guest = new(ring, seed: 20 + ring);
        foreach (byte[] segment in s_segments)
        {
            foreach (byte opcode in (ReadOnlySpan<byte>)[0xA0, 0xA1, 0xA2, 0xA3])
            {
                foreach (byte[] prefix in (ReadOnlySpan<byte[]>)[[], [0x66], [0x67], [0x66, 0x67]])
                {
                    foreach (uint edge in ContainmentGuest.Edges)
                        guest.Run([.. segment, .. prefix, opcode, .. BitConverter.GetBytes(edge)]);
                }
            }
        }
    }

    /// <summary>Stacks with %esp and %ebp at the edges, and branches to wherever.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void StacksAndBranches(int ring)
    {
        using ContainmentGuest guest = new(ring, seed: 30 + ring);
        foreach (byte[] code in s_implicit)
        {
            foreach (uint edge in ContainmentGuest.Edges)
            {
                guest.RunStack([.. code], edge);
                guest.RunStack([.. s_segments[guest.Random(7)], .. code], edge);
            }
        }
    }

    /// <summary>Strings in both directions, repeated and not, with pointers at the edges.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Strings(int ring)
    {
        using ContainmentGuest guest = new(ring, seed: 40 + ring);
        foreach (byte opcode in s_strings)
        {
            foreach (byte[] prefix in (ReadOnlySpan<byte[]>)[[], [0xF3], [0xF2], [0x66], [0x66, 0xF3], [0x67], [0x67, 0xF3], [0x64, 0xF3], [0x65, 0xF2], [0x2E, 0xF3]])
            {
                foreach (uint edge in ContainmentGuest.Edges)
                {
                    foreach (byte direction in (ReadOnlySpan<byte>)[0xFC, 0xFD])
                        guest.RunString([direction, .. prefix, opcode], edge);
                }
            }
        }
    }

    /// <summary>Bytes that are several instructions, depending on where one begins; entered at each, and written over between.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void IntoTheMiddleOfInstructions(int ring)
    {
        using ContainmentGuest guest = new(ring, seed: 50 + ring);
        for (int i = 0; i < 300; i++)
            guest.RunFromEverywhere(20);
    }

    /// <summary>Code that patches itself, one byte and one instruction ahead, at once and over a page's end, also into INT 0x80.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void PatchedCode(int ring)
    {
        using ContainmentGuest guest = new(ring, seed: 60 + ring);
        for (int i = 0; i < 900; i++)
            guest.RunPatching(i);
    }
}
