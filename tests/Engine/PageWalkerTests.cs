// SPDX-License-Identifier: GPL-2.0-or-later
using FsCheck;
using FsCheck.Fluent;
using Lguest.Engine.Memory;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;

namespace Lguest.Tests.EngineParts;

/// <summary>The page walk against the rules written down once more, in the order in which the genuine host asks.</summary>
public sealed class PageWalkerTests : IDisposable
{
    private const uint Directory = 0x1000;
    private const uint Table = 0x2000;
    private const uint Bytes = 0x1_0000;
    private readonly MappedGuestMemory _memory = MappedGuestMemory.Create([new MemoryRange(0, Bytes), new MemoryRange(0x10_0000, 0x1000)]);

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void EveryWalkEndsAsTheRulesSay()
    {
        Gen<uint> frames = Gen.Elements(0u, 0x3000u, 0xF000u, Bytes, 0xF_F000u, 0x10_0000u, 0x10_1000u, 0xFFFF_F000u);
        Gen<uint> flags = Gen.Frequency((3, Gen.Choose(0, 0xFFF)), (3, Gen.Choose(0, 0x7F).Select(value => value & ~8)), (2, Gen.Elements(0x67, 7, 5, 3, 1)))
            .Select(value => (uint)value);
        Gen<uint> directoryEntries = Gen.Frequency((4, Gen.Constant(Table)), (1, frames)).Zip(flags).Select(pair => pair.Item1 | pair.Item2);
        Gen<uint> tableEntries = frames.Zip(flags).Select(pair => pair.Item1 | pair.Item2);
        Gen<uint> addresses = Gen.Elements(0u, 0x1234u, 0x4000_0000u, 0xC010_0FFFu, 0xFFBF_FFFFu, 0xFFC0_0000u, 0xFFFF_FFFFu);
        Gen<(uint Directory, uint Table, uint Linear, int Access)> cases =
            from directory in directoryEntries
            from table in tableEntries
            from linear in addresses
            from access in Gen.Choose(0, 3)
            select (directory, table, linear, access);
        Prop.ForAll(cases.ToArbitrary(), one => Agrees(one.Directory, one.Table, one.Linear, (one.Access & 1) != 0, (one.Access & 2) != 0))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(5000));
    }

    [Theory]
    [InlineData(Bytes)]
    [InlineData(0xFFFF_F000u)]
    public void ADirectoryThatIsNotTheGuestsKills(uint directory)
    {
        Assert.Equal(WalkResult.Kill, new PageWalker(_memory).Walk(directory, 0x40_0000, write: false, user: false, out Translation found));
        Assert.Equal($"bad read address 0x{directory + 4:x}", found.KillReason);
    }

    [Fact]
    public void TheDirectorysLowBitsAreNotPartOfItsAddress()
    {
        _memory.WriteUInt32(Directory, Table | 7);
        _memory.WriteUInt32(Table, 0x3007);
        Assert.Equal(WalkResult.Ok, new PageWalker(_memory).Walk(Directory | 0x18, 0x123, write: false, user: true, out Translation found));
        Assert.Equal(0x3000u, found.Frame);
    }

    private bool Agrees(uint directoryEntry, uint tableEntry, uint linear, bool write, bool user)
    {
        uint place = Table + ((linear >> 12 & 0x3FF) * 4);
        _memory.WriteUInt32(Directory + ((linear >> 22) * 4), directoryEntry);
        _memory.WriteUInt32(place, tableEntry);
        WalkResult result = new PageWalker(_memory).Walk(Directory, linear, write, user, out Translation found);
        uint after = _memory.ReadUInt32(place);
        (WalkResult expected, uint error, string? reason) = Expect(directoryEntry, linear, write, user, tableEntry);
        if (result != expected || found.ErrorCode != error || found.KillReason != reason)
            return false;
        if (expected != WalkResult.Ok)
            return after == tableEntry;
        return found.Frame == (tableEntry & ~0xFFFu) && after == (tableEntry | 0x20 | (write ? 0x40u : 0)) && (uint)found.Entry == (after & 0xFFF);
    }

    /// <summary>What must come out. A table elsewhere than <see cref="Table"/> is one of zeros.</summary>
    private static (WalkResult Result, uint Error, string? Reason) Expect(uint directoryEntry, uint linear, bool write, bool user, uint tableEntry)
    {
        uint access = (write ? 2u : 0) | (user ? 4u : 0);
        if ((directoryEntry & 1) == 0)
            return (WalkResult.Fault, access, null);
        if (linear >= 0xFFC0_0000)
            return (WalkResult.Kill, 0, "attempt to access switcher pages");
        if ((directoryEntry & 0xF98) != 0 || !Owned(directoryEntry & ~0xFFFu))
            return (WalkResult.Kill, 0, "bad page directory entry");
        if ((directoryEntry & ~0xFFFu) != Table || (tableEntry & 1) == 0)
            return (WalkResult.Fault, access, null);
        uint rights = directoryEntry & tableEntry;
        if ((write && (rights & 2) == 0) || (user && (rights & 4) == 0))
            return (WalkResult.Fault, access | 1, null);
        if ((tableEntry & 0x88) != 0 || !Owned(tableEntry & ~0xFFFu))
            return (WalkResult.Kill, 0, "bad page table entry");
        return (WalkResult.Ok, 0, null);
    }

    private static bool Owned(uint frame) => frame is < Bytes or 0x10_0000;
}
