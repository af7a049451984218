// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace Lguest.Tests.Fuzz;

/// <summary>Makes new cases of old ones, by the numbers of a seeded generator: the same seed makes the same cases.</summary>
/// <param name="random">The generator.</param>
/// <param name="words">Pieces that are put in now and then.</param>
/// <param name="longest">Bytes of a case at most.</param>
internal sealed class Mutator(Random random, IReadOnlyList<byte[]> words, int longest)
{
    private const int MostSteps = 5;

    private static readonly uint[] s_edges =
    [
        0, 1, 2, 4, 7, 8, 16, 31, 32, 63, 64, 127, 128, 255, 256, 0x1FF, 0x200, 0xFFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0xFFFF, 0x10000,
        0x10_0000, 0x3FFF_FFFF, 0x4000_0000, 0x7FFF_FFFF, 0x8000_0000, 0xC000_0000, 0xFFFF_F000, 0xFFFF_FFFE, 0xFFFF_FFFF,
    ];

    /// <summary>A case like this one, with pieces of another.</summary>
    public byte[] Mutate(byte[] old, byte[] other)
    {
        List<byte> bytes = [.. old];
        for (int steps = 1 << random.Next(MostSteps); steps > 0; steps--)
            Step(bytes, other);
        if (bytes.Count > longest)
            bytes.RemoveRange(longest, bytes.Count - longest);
        return [.. bytes];
    }

    private void Step(List<byte> bytes, byte[] other)
    {
        int at = random.Next(bytes.Count + 1);
        switch (random.Next(words.Count > 0 ? 11 : 9))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2 when at < bytes.Count:
                bytes[at] += (byte)random.Next(-4, 5);
                break;
            case 3:
                Edge(bytes, at);
                break;
            case 4:
                bytes.RemoveRange(at, Math.Min(Length(), bytes.Count - at));
                break;
            case 5:
                bytes.InsertRange(at, bytes.GetRange(at, Math.Min(Length(), bytes.Count - at)));
                break;
            case 6:
                int from = random.Next(other.Length + 1);
                bytes.InsertRange(at, other.AsSpan(from, Math.Min(Length(), other.Length - from)).ToArray());
                break;
            case 7:
                // Its end is another's.
                bytes.RemoveRange(at, bytes.Count - at);
                bytes.AddRange(other.AsSpan(random.Next(other.Length + 1)));
                break;
            case 8:
                byte[] noise = new byte[Length()];
                random.NextBytes(noise);
                bytes.InsertRange(at, noise);
                break;
            case 9 or 10:
                byte[] word = words[random.Next(words.Count)];
                if (random.Next(2) == 0)
                    bytes.RemoveRange(at, Math.Min(word.Length, bytes.Count - at));
                bytes.InsertRange(at, word);
                break;
        }
    }

    private int Length() => 1 + random.Next(1 << random.Next(9));

    private void Edge(List<byte> bytes, int at)
    {
        Span<byte> number = stackalloc byte[4];
        uint value = s_edges[random.Next(s_edges.Length)];
        if (random.Next(4) == 0)
            BinaryPrimitives.WriteUInt32BigEndian(number, value);
        else
            BinaryPrimitives.WriteUInt32LittleEndian(number, value);

        // Numbers stand where numbers stand: mostly aligned.
        if (random.Next(4) != 0)
            at &= ~3;
        int size = 1 << random.Next(3);
        for (int i = 0; i < size && at + i < bytes.Count; i++)
            bytes[at + i] = number[i];
    }
}
