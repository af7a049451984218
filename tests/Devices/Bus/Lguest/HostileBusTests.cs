// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Fuzz.Targets;

namespace Lguest.Tests.Devices.Bus.Lguest;

/// <summary>
/// Descriptors, rings and calls that no driver would make, two hundred thousand steps of them: none throws, and what is promised of
/// irqs and disk holds (<see cref="LguestBusTarget"/>, which the fuzzer drives for longer).
/// </summary>
public sealed class HostileBusTests
{
    private const int Cases = 3000;

    [Fact]
    public void NothingThatAGuestWritesThrows()
    {
        LguestBusTarget target = new();
        Random random = new(20150208);
        HashSet<ulong> seen = [];
        foreach (byte[] seed in target.Seeds)
            seen.Add(target.Run(seed));
        for (int i = 0; i < Cases; i++)
        {
            byte[] noise = new byte[target.LongestCase];
            random.NextBytes(noise);
            seen.Add(target.Run(noise));
        }

        // Noise that never reaches a device tests nothing.
        Assert.InRange(seen.Count, 100, int.MaxValue);
    }
}
