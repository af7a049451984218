// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Fuzz.Targets;

namespace Lguest.Tests.Devices.Bus.Pci;

/// <summary>A hostile guest: a million accesses to ports, registers and configuration, and chains of anything, with memory that changes meanwhile.</summary>
public sealed class RandomAccessesTests
{
    /// <summary>No exception leaves the bus, and the disk keeps its length. The fuzzer goes on from here.</summary>
    [Fact]
    public void NothingLeavesTheBus()
    {
        const int cases = 5_000;
        const int bytes = 790;
        VirtioTarget target = new();

        // All four devices are up at the beginning, so that there is something to confuse.
        byte[] start = [0, 0, 0, 1, 0, 2, 0, 3];
        byte[] noise = new byte[bytes];
        Random random = new(413);
        HashSet<ulong> seen = [];
        long before = target.Accesses;
        for (int i = 0; i < cases; i++)
        {
            random.NextBytes(noise);
            seen.Add(target.Run([.. start, .. noise]));
        }

        Assert.InRange(target.Accesses - before, 1_000_000, long.MaxValue);
        Assert.InRange(seen.Count, 10, cases);
    }
}
