// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>Which pages were written: exactly those, whoever wrote them and however.</summary>
public sealed class DirtyTests
{
    private const uint Increment = 0xFFFF_FFFF;
    private const uint FirstPage = 0x7_0000;
    private const uint TrapStackPage = GuestPlan.TrapStackTop - Page.Size;
    private static readonly MemoryRange s_all = new(0, GuestPlan.MemoryBytes);

    [Theory]
    [InlineData(EngineKind.Interpreter, 1)]
    [InlineData(EngineKind.Interpreter, 3)]
    [InlineData(EngineKind.Translator, 1)]
    [InlineData(EngineKind.Translator, 3)]
    [InlineData(EngineKind.Check, 1)]
    [InlineData(EngineKind.Check, 3)]
    public void ThePagesThatAGuestWritesAreDirty(EngineKind kind, int ring)
    {
        using TinyGuest guest = Start(kind, ring);

        // Once through an empty list: the way to ring 3 needs the kernel's first stack.
        guest.Next();
        guest.Next();
        Random random = new(2007 + ring);
        guest.Guest.TrackWrites();
        for (int round = 0; round < 12; round++)
        {
            SortedSet<uint> expected = [GuestPlan.Data];
            if (ring == 3)
                expected.Add(TrapStackPage);
            Order(guest.Memory, random, expected);
            expected.Add(GuestPlan.Scratch);
            guest.Next();
            if (round % 3 == 2)
            {
                // Twice in a row: what was noted the first time is not written anew, and is still noted.
                guest.Next();
            }

            Same(expected, Pages(guest.Guest.TakeAndClear(s_all)));
            Same([], guest.Guest.TakeAndClear(s_all));
        }
    }

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    [InlineData(EngineKind.Check)]
    public void APageTableWhoseEntriesAreMarkedAsUsedIsDirty(EngineKind kind)
    {
        using TinyGuest guest = Start(kind, 1);
        guest.Next();
        guest.Guest.TrackWrites();
        guest.Memory.WriteUInt32(GuestPlan.KernelTable + (4 * (FirstPage >> Page.Shift)), FirstPage | (uint)PageFlags.Linear);
        guest.Memory.WriteValue(GuestPlan.Scratch, new Step { Address = GuestPlan.Virtual(FirstPage), Length = 0 });
        _ = guest.Guest.TakeAndClear(s_all);
        guest.Next();
        Same([GuestPlan.KernelTable, GuestPlan.Data], Pages(guest.Guest.TakeAndClear(s_all)));
        guest.Next();
        Same([GuestPlan.Data], Pages(guest.Guest.TakeAndClear(s_all)));
    }

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    [InlineData(EngineKind.Check)]
    public void APageWithCodeIsDirtyWhenItIsWritten(EngineKind kind)
    {
        using TinyGuest guest = Start(kind, 1);
        guest.Next();
        guest.Guest.TrackWrites();

        // Code has run in this page; and it is written at its end, where there is none.
        guest.Memory.WriteValue(GuestPlan.Scratch, new Step { Address = GuestPlan.Virtual(GuestPlan.Code + Page.Size - 8), Length = 4 });
        for (int i = 0; i < 3; i++)
        {
            guest.Next();
            Assert.Contains(GuestPlan.Code, Pages(guest.Guest.TakeAndClear(s_all)));
        }
    }

    [Fact]
    public void WhatTheHostWritesIsDirty()
    {
        using TinyGuest guest = Start(EngineKind.Interpreter, 1);
        guest.Guest.TrackWrites();
        guest.Memory.Write(0x5_0FFF, 2).Clear();
        _ = guest.Memory.ReadUInt32(0x5_4000);
        Same([new MemoryRange(0x5_0000, 2 * Page.Size)], guest.Guest.TakeAndClear(s_all));
    }

    [Fact]
    public void ARangeIsTakenAloneAndTheRestKeeps()
    {
        using TinyGuest guest = Start(EngineKind.Interpreter, 1);
        guest.Guest.TrackWrites();
        guest.Memory.WriteUInt32(0x5_0000, 1);
        guest.Memory.WriteUInt32(0x5_1000, 1);
        guest.Memory.WriteUInt32(GuestPlan.MemoryBytes - 4, 1);
        Same([new MemoryRange(0x5_0000, Page.Size)], guest.Guest.TakeAndClear(new MemoryRange(0x4_0000, 0x1_1000)));
        Same([new MemoryRange(0x5_1000, Page.Size), new MemoryRange(GuestPlan.MemoryBytes - Page.Size, Page.Size)], guest.Guest.TakeAndClear(s_all));
        Same([new MemoryRange(0x5_0000, 2 * Page.Size), new MemoryRange(GuestPlan.MemoryBytes - Page.Size, Page.Size)], guest.Guest.EverWritten(s_all));
    }

    [Fact]
    public void WithoutTrackingNothingIsKnown()
    {
        using TinyGuest guest = Start(EngineKind.Interpreter, 1);
        Assert.False(guest.Guest.TracksWrites);
        Assert.Throws<InvalidOperationException>(() => guest.Guest.TakeAndClear(s_all));
    }

    /// <summary>As text: natively, xunit does not compare collections of structures.</summary>
    private static void Same<T>(IEnumerable<T> expected, IEnumerable<T> found) => Assert.Equal(string.Join(", ", expected), string.Join(", ", found));

    /// <summary>Writes what the guest is to do next.</summary>
    private static void Order(GuestMemory memory, Random random, SortedSet<uint> expected)
    {
        Span<Step> steps = stackalloc Step[25];
        steps.Clear();
        for (int i = 0; i < steps.Length - 1; i++)
        {
            uint address = (uint)random.Next((int)FirstPage, (int)GuestPlan.MemoryBytes - 0x3000);
            uint length = random.Next(4) switch
            {
                0 => 0,
                1 => Increment,
                2 => (uint)random.Next(1, 16),
                _ => (uint)random.Next(1, 0x2800),
            };
            steps[i] = new Step { Address = GuestPlan.Virtual(address), Length = length };
            for (uint page = address & ~Page.OffsetMask; length != 0 && page < address + (length == Increment ? 4 : length); page += Page.Size)
                expected.Add(page);
        }

        for (int i = 0; i < steps.Length; i++)
            memory.WriteValue(GuestPlan.Scratch + ((uint)i * 8), steps[i]);
    }

    private static SortedSet<uint> Pages(IEnumerable<MemoryRange> runs) =>
        [.. runs.SelectMany(static run => Enumerable.Range(0, (int)(run.Length >> Page.Shift)).Select(i => run.Start + ((uint)i << Page.Shift)))];

    /// <summary>A guest that reads, increments or fills what a list says, reports, and begins again.</summary>
    private static TinyGuest Start(EngineKind kind, int ring) => new(
        kind,
        g =>
        {
            g.BootWithRings();
            g.Gate(Vectors.SystemCall, "trap128", interrupt: false, dpl: 3);
            g.Report(1);
            if (ring == 3)
                g.ToRing3("list");
            g.Mark("list");
            g.Asm.mov(esi, GuestPlan.Virtual(GuestPlan.Scratch));
            g.Mark("next");
            g.Asm.lodsd();
            g.Asm.test(eax, eax);
            g.Asm.je(g.Here("done"));
            g.Asm.mov(edi, eax);
            g.Asm.lodsd();
            g.Asm.cmp(eax, -1);
            g.Asm.je(g.Here("increment"));
            g.Asm.mov(ecx, eax);
            g.Asm.mov(eax, __dword_ptr[edi]);
            g.Asm.rep.stosb();
            g.Asm.jmp(g.Here("next"));
            g.Mark("increment");
            g.Asm.inc(__dword_ptr[edi]);
            g.Asm.jmp(g.Here("next"));
            g.Mark("done");
            if (ring == 3)
                g.Asm.@int(Vectors.SystemCall);
            else
                g.Report(2);
            g.Asm.jmp(g.Here("list"));
            g.Trap(Vectors.SystemCall);
        },
        prepare: static memory =>
        {
            // Used and written already: no walk marks anything.
            for (uint page = 0; page < GuestPlan.EntriesPerTable; page++)
                memory.WriteUInt32(GuestPlan.KernelTable + (4 * page), (page << Page.Shift) | GuestPlan.Mapped);
        });

    private struct Step
    {
        public uint Address;
        public uint Length;
    }
}
