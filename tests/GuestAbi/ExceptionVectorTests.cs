// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text.RegularExpressions;
using Lguest.GuestAbi;
using Lguest.Tests.Support;

namespace Lguest.Tests.GuestAbi;

/// <summary>The one table of exceptions, against literals (Intel SDM vol. 3A, table 6-1) and our own guests' stubs.</summary>
public sealed partial class ExceptionVectorTests
{
    [Fact]
    public void TheLinesAreInTheirNumbersOrder()
    {
        Assert.Equal(20, ExceptionVector.All.Length);
        for (int i = 0; i < ExceptionVector.All.Length; i++)
            Assert.Equal(i, ExceptionVector.All[i].Number);
    }

    [Fact]
    public void EachColumnHasItsVectors()
    {
        Check(static vector => vector is 8 or (>= 10 and <= 14) or 17, ExceptionVector.PushesErrorCode);
        Check(static vector => vector is not (1 or 3 or 4) && vector < 32, ExceptionVector.PushesResumeFlag);
        Check(static vector => vector is 2 or 8 or 15, ExceptionVector.IsHosts);
        Check(static vector => vector is 7 or 13 or 14, ExceptionVector.IsSeenFirst);

        static void Check(Func<uint, bool> expected, Func<uint, bool> column)
        {
            for (uint vector = 0; vector < 256; vector++)
                Assert.Equal((vector, expected(vector)), (vector, column(vector)));
        }
    }

    [Theory]
    [InlineData(0u, "divide error")]
    [InlineData(14u, "page fault")]
    [InlineData(19u, "SIMD error")]
    [InlineData(20u, "vector 20")]
    [InlineData(0x1Fu, "hypercall")]
    [InlineData(32u, "irq 0")]
    [InlineData(63u, "irq 31")]
    [InlineData(64u, "vector 64")]
    [InlineData(0x80u, "system call")]
    public void EveryVectorHasAName(uint vector, string name) => Assert.Equal(name, Vectors.NameOf(vector));

    /// <summary>guest/lib/traps-asm.S: a stub for each exception whose gate a guest may set, which knows whether there is an error code.</summary>
    [Fact]
    public void OurGuestsHaveTheSameStubs()
    {
        string text = File.ReadAllText(Path.Combine(Needs.Root, "guest/lib/traps-asm.S"));
        Match[] stubs = Stub().Matches(text).ToArray();
        Assert.True(stubs.Length >= ExceptionVector.All.Length);
        for (int i = 0; i < ExceptionVector.All.Length; i++)
        {
            ExceptionVector vector = ExceptionVector.All[i];
            string expected = vector.Gate == GateOwner.Host ? "no_stub" : string.Create(CultureInfo.InvariantCulture, $"trap_stub {i}, {(vector.HasErrorCode ? 1 : 0)}");
            Assert.Equal(expected, stubs[i].Value.Trim());
        }
    }

    [GeneratedRegex(@"^\t(trap_stub \d+, [01]|no_stub)", RegexOptions.Multiline)]
    private static partial Regex Stub();
}
