// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text.RegularExpressions;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;

namespace Lguest.Tests.GuestAbi;

/// <summary>The shared structure, in each of its layouts: as the document has them, and as bytes.</summary>
public sealed partial class GuestDataTests
{
    private const uint Address = 0x1F00;

    /// <summary>Rows of docs/abi.md §3.5 by how they begin, and what we call those fields.</summary>
    private static readonly (string Row, Func<GuestDataLayout, uint?[]> Places)[] s_rows =
    [
        ("u32 `irq_enabled`", static _ => [GuestDataLayout.IrqEnabled]),
        ("u32 `blocked_interrupts`", static _ => [GuestDataLayout.BlockedInterrupts]),
        ("u32 `cr2`", static _ => [GuestDataLayout.Cr2]),
        ("s32 seconds", static _ => [GuestDataLayout.TimeSeconds]),
        ("u32 `irq_pending`", static layout => [layout.IrqPending]),
        ("u8 `hcall_status[64]`", static layout => [layout.RingStatus]),
        ("`hcalls[64]`", static layout => [layout.Ring]),
        ("u32 `reserve_mem`", static layout => [layout.ReserveMem]),
        ("u16 `guestid`", static layout => [layout.GuestId]),
        ("u32 `tsc_khz`", static layout => [layout.TscKhz]),
        ("u32 `pgdir`", static layout => [layout.PageDirectory]),
        ("u32 `noirq_start`", static layout => [layout.NoIrqStart, layout.NoIrqEnd]),
        ("u32 `noirq_iret`", static layout => [layout.NoIrqReturn]),
        ("u32 `kernel_address`", static layout => [layout.KernelAddress]),
        ("u32 `syscall_vec`", static layout => [layout.SystemCallVector]),
        ("**size**", static layout => [layout.Size]),
    ];

    public static TheoryData<string> Layouts => [.. GuestDataLayout.All.Select(static layout => layout.Name)];

    [Theory]
    [MemberData(nameof(Layouts))]
    public void TheDocumentHasTheSameOffsets(string name)
    {
        GuestDataLayout layout = Layout(name);
        string[][] rows = AbiDocument.Rows("3.5");
        int column = Array.IndexOf(rows[0], name);
        Assert.True(column > 0, $"§3.5 has no column {name}");
        Assert.Equal(rows.Length - 1, s_rows.Length);
        foreach (string[] row in rows[1..])
        {
            (_, Func<GuestDataLayout, uint?[]> places) = s_rows.Single(known => row[0].StartsWith(known.Row, StringComparison.Ordinal));
            uint?[] expected = row[column] == "–" ? [null] : [.. InBrackets().Replace(row[column], string.Empty).Split(',').Select(static cell => (uint?)uint.Parse(cell, CultureInfo.InvariantCulture))];
            Assert.Equal((row[0], string.Join(' ', expected)), (row[0], string.Join(' ', places(layout).Distinct())));
        }
    }

    /// <summary>Each field goes to its own place, and to no other byte.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void FieldsAreWhereTheirLayoutHasThem(string name)
    {
        GuestDataLayout layout = Layout(name);
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 0x4000)]);
        memory.Write(0, 0x4000).Fill(0xA5);
        GuestData data = new(memory, Address, layout) { Cr2 = 0x1234_5678, ReserveMem = 0x40_0000, TscKhz = 1_000_000, GuestId = 0xBEEF, IrqEnabled = 0x200 };
        data.SetTime(1_172_000_000_123_456_789);
        data.SetDone(63);
        Assert.True(data.TakesInterrupts);
        Assert.Equal((1_172_000_000, 123_456_789), data.Time);
        Assert.False(data.IsPending(63));
        Assert.True(data.IsPending(62));
        Dictionary<uint, uint> words = new()
        {
            [0] = 0x200,
            [8] = 0x1234_5678,
            [12] = 1_172_000_000,
            [16] = 123_456_789,
            [layout.ReserveMem] = 0x40_0000,
            [layout.TscKhz] = 1_000_000,
            [layout.RingStatus + 60] = 0xFFA5_A5A5,
        };
        if (layout.GuestId is { } number)
            words[number] = 0xA5A5_BEEF;
        for (uint place = 0; place < layout.Size + 64; place += 4)
            Assert.Equal((place, words.GetValueOrDefault(place, 0xA5A5_A5A5)), (place, memory.ReadUInt32(Address + place)));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void WhatTheGuestSaysIsReadWhereItsLayoutHasIt(string name)
    {
        GuestDataLayout layout = Layout(name);
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 0x4000)]);
        GuestData data = new(memory, Address, layout);
        memory.WriteUInt32(Address + 4, 0xFFFF_FFFE);
        Assert.Equal(0xFFFF_FFFEu, data.BlockedInterrupts);
        if (layout is { NoIrqStart: { } start, NoIrqEnd: { } end })
        {
            memory.WriteUInt32(Address + start, 0xC000_1000);
            memory.WriteUInt32(Address + end, 0xC000_1010);
            Assert.Equal((0xC000_1000, 0xC000_1010), data.NoIrq);
        }
        else
        {
            Assert.Equal((0u, 0u), data.NoIrq);
        }
    }

    [Fact]
    public void ItMustAllBeTheGuests()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 0x4000)]);
        foreach (GuestDataLayout layout in GuestDataLayout.All)
        {
            Assert.Equal(0x4000 - layout.Size, new GuestData(memory, 0x4000 - layout.Size, layout).Address);
            Assert.Throws<GuestAddressException>(() => new GuestData(memory, 0x4000 - layout.Size + 1, layout));
        }
    }

    private static GuestDataLayout Layout(string name) => GuestDataLayout.All.Single(layout => layout.Name == name);

    [GeneratedRegex(@"\([^)]*\)")]
    private static partial Regex InBrackets();
}
