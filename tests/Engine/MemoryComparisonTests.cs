// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory.PageTables;

namespace Lguest.Tests.EngineParts;

/// <summary>Memory compared by the C library.</summary>
public sealed class MemoryComparisonTests
{
    [Fact]
    public void EachByteCountsAndSoDoesTheLength()
    {
        byte[] a = new byte[4096];
        for (int i = 0; i < a.Length; i++)
            a[i] = (byte)(i * 7);
        byte[] b = (byte[])a.Clone();
        Assert.True(MemoryComparison.AreEqual(a, b));
        Assert.True(MemoryComparison.AreEqual([], []));
        Assert.False(MemoryComparison.AreEqual(a, b.AsSpan(1)));
        Assert.False(MemoryComparison.AreEqual(a.AsSpan(0, 4095), b));
        for (int i = 0; i < b.Length; i++)
        {
            b[i] ^= 0x80;
            Assert.False(MemoryComparison.AreEqual(a, b));
            b[i] ^= 0x80;
        }
    }
}
