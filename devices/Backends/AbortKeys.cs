// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends;

/// <summary>
/// How to leave a guest that does not listen: three ^C within about a second. Each must come alone in a read: pasted text
/// does not do that, fingers do. The guest gets the ^C too, since in the normal case it is meant for it.
/// </summary>
/// <param name="clock">What time it is.</param>
public sealed class AbortKeys(TimeProvider clock)
{
    /// <summary>The byte that a terminal sends for ^C.</summary>
    public const byte ControlC = 3;

    /// <summary>How many.</summary>
    public const int Count = 3;

    /// <summary>From the first to the last.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(1.5);

    private readonly long[] _times = new long[Count];
    private int _seen;

    /// <summary>Takes note of what one read brought.</summary>
    /// <returns>True when this was the third of three.</returns>
    public bool Observe(ReadOnlySpan<byte> read)
    {
        if (read.Length != 1 || read[0] != ControlC)
        {
            _seen = 0;
            return false;
        }

        long now = clock.GetTimestamp();
        _times[_seen % Count] = now;
        _seen++;

        // The oldest of the last three is in the slot that the next one would take.
        return _seen >= Count && clock.GetElapsedTime(_times[_seen % Count], now) <= Window;
    }
}
