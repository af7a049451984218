// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.Engine.Memory;

namespace Lguest.Tests.EngineParts;

/// <summary>A table whose entries stay where they are while it grows.</summary>
public sealed class GrowingTableTests
{
    [Fact]
    public void EntriesStayWhereTheyAre()
    {
        const int entries = 100_000;
        GrowingTable<long> table = new();
        table.MakeRoom(0);
        ref long first = ref table[0];
        for (int i = 0; i < entries; i++)
        {
            table.MakeRoom(i);
            Assert.Equal(0, table[i]);
            table[i] = i + 1;
        }

        Assert.True(Unsafe.AreSame(ref first, ref table[0]));
        for (int i = 0; i < entries; i++)
            Assert.Equal(i + 1, table[i]);

        // Begun again: what was there is still there, and nothing is made a second time.
        table.MakeRoom(0);
        Assert.Equal(1, table[0]);
    }
}
