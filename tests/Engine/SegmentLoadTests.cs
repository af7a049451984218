// SPDX-License-Identifier: GPL-2.0-or-later
using FsCheck;
using FsCheck.Fluent;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;

namespace Lguest.Tests.EngineParts;

/// <summary>Descriptors taken apart, against descriptors put together.</summary>
public sealed class SegmentLoadTests
{
    [Fact]
    public void WhatIsPutTogetherComesApartAgain()
    {
        Gen<uint> words = Gen.Choose(int.MinValue, int.MaxValue).Select(value => (uint)value);
        Gen<(uint Base, uint Limit, uint Access, uint Flags)> cases =
            from start in words
            from limit in words
            from access in Gen.Choose(0, 0xFF)
            from flags in Gen.Choose(0, 0xF)
            select (start, limit & 0xF_FFFF, (uint)access, (uint)flags);
        Prop.ForAll(
            cases.ToArbitrary(),
            one =>
            {
                ulong descriptor = Put(one.Base, one.Limit, one.Access, one.Flags);
                bool pages = (one.Flags & 8) != 0;
                return SegmentLoad.Base(descriptor) == one.Base
                    && SegmentLoad.Limit(descriptor) == (pages ? (one.Limit * 4096) + 4095 : one.Limit)
                    && SegmentLoad.Attributes(descriptor) == (one.Access | one.Flags << 12)
                    && SegmentLoad.Dpl(SegmentLoad.Attributes(descriptor)) == (one.Access >> 5 & 3);
            })
            .Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(3u)]
    public void TheNullSelectorIsUnusableWhateverTheDescriptor(uint selector)
    {
        SegmentRegister segment = new() { Base = 1, Limit = 2, Attributes = 3 };
        SegmentLoad.SetHidden(ref segment, selector, DescriptorTable.FlatData);
        Assert.Equal((selector, 0u, 0u, 0u), (segment.Selector, segment.Base, segment.Limit, segment.Attributes));
    }

    [Fact]
    public void TheFlatSegmentsAreWhatAGuestStartsWith()
    {
        foreach (ulong descriptor in new[] { DescriptorTable.FlatCode, DescriptorTable.FlatData })
        {
            Assert.Equal(0u, SegmentLoad.Base(descriptor));
            Assert.Equal(uint.MaxValue, SegmentLoad.Limit(descriptor));
            Assert.Equal(Selectors.GuestRing, SegmentLoad.Dpl(SegmentLoad.Attributes(descriptor)));
        }
    }

    [Theory]
    [InlineData(0u, false)]
    [InlineData(3u, false)]
    [InlineData(8u, true)]
    [InlineData(0xFBu, true)]
    [InlineData(0xFCu, false)]
    [InlineData(0x100u, false)]
    [InlineData(0xFFFFu, false)]
    public void OnlySelectorsOfTheTableAreFound(uint selector, bool found)
    {
        DescriptorTable table = new();
        table.Entries.Fill(0x1234);
        Assert.Equal(found, table.TryGet(selector, out ulong descriptor));
        Assert.Equal(found ? 0x1234u : 0u, descriptor);
    }

    private static ulong Put(uint start, uint limit, uint access, uint flags) =>
        (limit & 0xFFFF) | ((ulong)(start & 0xFF_FFFF) << 16) | ((ulong)access << 40) | ((ulong)(limit >> 16) << 48) | ((ulong)flags << 52)
        | ((ulong)(start >> 24) << 56);
}
