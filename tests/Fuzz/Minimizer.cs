// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;

namespace Lguest.Tests.Fuzz;

/// <summary>Makes a find shorter, as long as it stays the same find.</summary>
internal static class Minimizer
{
    /// <summary>Takes out pieces, large ones first.</summary>
    /// <param name="bytes">The case.</param>
    /// <param name="key">What it does.</param>
    /// <param name="time">When to be content.</param>
    /// <param name="keyOf">What a case does; null: nothing.</param>
    public static byte[] Minimize(byte[] bytes, string key, TimeSpan time, Func<byte[], string?> keyOf)
    {
        long start = Stopwatch.GetTimestamp();
        for (int piece = Math.Max(1, bytes.Length / 2); piece > 0; piece /= 2)
        {
            for (int at = 0; at < bytes.Length && Stopwatch.GetElapsedTime(start) < time;)
            {
                byte[] shorter = [.. bytes.AsSpan(0, at), .. bytes.AsSpan(Math.Min(bytes.Length, at + piece))];
                if (keyOf(shorter) == key)
                    bytes = shorter;
                else
                    at += piece;
            }
        }

        return bytes;
    }
}
