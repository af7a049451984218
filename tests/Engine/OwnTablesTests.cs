// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// Guests that begin without page tables and make their own, of two levels or with PAE, in every engine and in lockstep. What they speak
/// otherwise is 2.6.23's: a generation is a record of parts, and this is one with another part.
/// </summary>
public sealed partial class OwnTablesTests
{
    /// <summary>Where the tests hang in pages of their own: for programs.</summary>
    private const uint Window = 0x0840_0000;

    private const uint Top = 0x10_0000;
    private const uint SecondTop = Top + 0x100;
    private const uint Tables = Top + Page.Size;
    private const uint Used = GuestPlan.Mapped;
    private const uint Other = GuestPlan.Scratch + (4 * Page.Size);

    private static readonly Generation s_generation = Generation.Linux2623 with { Name = "own tables", Boot = BootProtocol.Linux2623 with { StartsLinear = true }, Paging = PagingRules.Linux2631 };

    /// <summary>One that says where its kernel will be, in the layout that has a place for that.</summary>
    private static readonly Generation s_later = s_generation with { Name = "later", Data = GuestDataLayout.Linux2624 };

    public static TheoryData<EngineKind, bool> Ways
    {
        get
        {
            TheoryData<EngineKind, bool> ways = [];
            foreach (EngineKind kind in (ReadOnlySpan<EngineKind>)[EngineKind.Interpreter, EngineKind.Translator, EngineKind.Check])
            {
                ways.Add(kind, false);
                ways.Add(kind, true);
            }

            return ways;
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void AGuestComesFromPhysicalAddressesToItsOwn(EngineKind kind, bool pae)
    {
        using TinyGuest guest = Start(kind, pae, g =>
        {
            // Before: memory is where it is, all of it can be written, and code that is written over is code anew.
            g.Asm.mov(esp, GuestPlan.StackTop);
            g.Asm.mov(__dword_ptr[GuestPlan.Scratch], 0x1234);
            g.Call(HypercallKind.LguestInit, GuestPlan.Data);
            g.Asm.mov(esi, __dword_ptr[GuestPlan.Scratch]);
            g.Report(esi);
            ToVirtual(g);
            g.Asm.mov(esi, __dword_ptr[GuestPlan.Virtual(GuestPlan.Scratch)]);
            g.Report(esi);
            g.Asm.mov(esi, eax);
            g.Asm.inc(__dword_ptr[Window]);
            g.Asm.mov(esi, __dword_ptr[GuestPlan.Virtual(Other)]);
            g.Report(esi);
        });
        Assert.Equal(PagingFormat.Linear, guest.Guest.Core.Walker.Format);
        Assert.Equal([0x1234u, 0x1234u, 41u], [guest.Next(), guest.Next(), guest.Next()]);
        Assert.Equal(pae ? PagingFormat.Pae : PagingFormat.TwoLevel, guest.Guest.Core.Walker.Format);
        Assert.Equal(pae ? 3 : 2, guest.Guest.Look(Window).Levels.Count());
        Assert.Equal(Other, guest.Guest.Look(Window).Physical);
    }

    /// <summary>After the switch a physical address is one that nobody has mapped, or something else.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void WhatWasKnownOfPhysicalAddressesIsForgotten(EngineKind kind, bool pae)
    {
        using TinyGuest guest = Start(
            kind,
            pae,
            g =>
            {
                g.Asm.mov(esp, GuestPlan.StackTop);
                g.Call(HypercallKind.LguestInit, GuestPlan.Data);
                g.Asm.mov(esi, __dword_ptr[Other]);
                ToVirtual(g);
                g.Gate(14, "trap14");
                g.Asm.mov(esi, __dword_ptr[GuestPlan.Scratch]);
                g.Report(esi);
                g.Asm.mov(esi, __dword_ptr[Other]);
                g.Trap(14, hasError: true);
            },
            memory => Enter(memory, pae, Top, GuestPlan.Scratch, Other | Used));
        Assert.Equal(40u, guest.Next());
        TrapFrame fault = guest.NextTrap(14);
        Assert.Equal((0u, Other), (fault.Error, guest.Data.Cr2));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void ProgramsReadWriteAndFault(EngineKind kind, bool pae)
    {
        using TinyGuest guest = Start(
            kind,
            pae,
            g =>
            {
                Begin(g);
                g.Gate(14, "trap14");
                g.ToRing3("user");
                g.Mark("user");
                for (int i = 0; i < 3; i++)
                    g.Asm.inc(__dword_ptr[Window]);
                g.Asm.mov(eax, __dword_ptr[Window + Page.Size]);
                g.Asm.mov(__dword_ptr[Window + Page.Size], eax);
                g.Trap(14, hasError: true);
            },
            memory =>
            {
                Enter(memory, pae, Top, Window, Other | (uint)PageFlags.Linear);
                Enter(memory, pae, Top, Window + Page.Size, Other | (uint)(PageFlags.Present | PageFlags.User));
            });
        TrapFrame fault = guest.NextTrap(14);
        Assert.Equal((7u, Window + Page.Size), (fault.Error, guest.Data.Cr2));
        Assert.Equal(43u, guest.Memory.ReadUInt32(Other));
        Assert.Equal(Other | (uint)PageFlags.Linear | 0x60, EntryOf(guest.Memory, pae, Top, Window));
    }

    /// <summary>The kernel's own pages, and a program's, are put elsewhere, which is announced by page, by directory entry and as a whole.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void WhatIsAnnouncedIsSeen(EngineKind kind, bool pae)
    {
        const uint kernel = GuestPlan.PageOffset + GuestPlan.Scratch;
        using TinyGuest guest = Start(kind, pae, g =>
        {
            Begin(g);
            g.Asm.mov(esi, __dword_ptr[kernel]);
            g.Report(esi);
            foreach (Action announce in (ReadOnlySpan<Action>)
                [
                    () => g.Call(HypercallKind.SetPte, Top, kernel, 0),
                    () => g.Call(HypercallKind.SetPmd, Top, pae ? kernel >> 30 : kernel >> 22),
                    () => g.Call(HypercallKind.FlushTlb, 1),
                ])
            {
                // Two pages change places: the entry that is put in is the other one's.
                g.Asm.mov(eax, __dword_ptr[GuestPlan.Virtual(Place(pae, kernel))]);
                g.Asm.xor(eax, (int)(GuestPlan.Scratch ^ Other));
                g.Asm.mov(__dword_ptr[GuestPlan.Virtual(Place(pae, kernel))], eax);
                announce();
                g.Asm.mov(esi, __dword_ptr[kernel]);
                g.Report(esi);
            }
        });
        guest.Memory.WriteUInt32(GuestPlan.Scratch, 10);
        Assert.Equal([10u, 40u, 10u, 40u], [guest.Next(), guest.Next(), guest.Next(), guest.Next()]);
    }

    /// <summary>Two spaces with the same kernel; with PAE their tops are in one page, for they need not be alone there.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void AddressSpacesAreKeptApart(EngineKind kind, bool pae)
    {
        uint second = pae ? SecondTop : Tables + (32 * Page.Size);
        using TinyGuest guest = Start(
            kind,
            pae,
            g =>
            {
                Begin(g);
                g.Gate(0x80, "call", interrupt: false, dpl: 3);
                for (uint i = 0; i < 6; i++)
                {
                    g.Call(HypercallKind.NewPageTable, i % 2 == 0 ? Top : second);
                    g.Asm.mov(ebp, g.Address($"back{i}"));
                    g.ToRing3("user");
                    g.Mark($"back{i}");
                    g.Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
                    g.Report(esi);
                }

                g.Mark("user");
                g.Asm.inc(__dword_ptr[Window]);
                g.Asm.mov(esi, __dword_ptr[Window]);
                g.Asm.@int(0x80);
                g.Mark("call");
                g.Asm.jmp(ebp);
            },
            memory =>
            {
                LayOut(memory, pae, second, Tables + (33 * Page.Size));
                Enter(memory, pae, second, Window, (GuestPlan.Scratch + (5 * Page.Size)) | Used);
            });
        Assert.Equal([41u, 1u, 42u, 2u, 43u, 3u], [guest.Next(), guest.Next(), guest.Next(), guest.Next(), guest.Next(), guest.Next()]);
    }

    /// <summary>A switch to a space whose kernel has other tables.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void TheKernelsTablesMayBeOthers(EngineKind kind, bool pae)
    {
        const uint kernel = GuestPlan.PageOffset + GuestPlan.Scratch;
        const uint second = Tables + (32 * Page.Size);
        using TinyGuest guest = Start(
            kind,
            pae,
            g =>
            {
                Begin(g);
                for (uint i = 0; i < 4; i++)
                {
                    g.Asm.mov(esi, __dword_ptr[kernel]);
                    g.Report(esi);
                    g.Call(HypercallKind.NewPageTable, i % 2 == 0 ? second : Top);
                }
            },
            memory =>
            {
                LayOut(memory, pae, second, Tables + (33 * Page.Size));
                Enter(memory, pae, second, kernel, Other | Used);
                memory.WriteUInt32(GuestPlan.Scratch, 10);
            });
        Assert.Equal([10u, 40u, 10u, 40u], [guest.Next(), guest.Next(), guest.Next(), guest.Next()]);
    }

    /// <summary>With PAE an entry of the top table may be for programs and the kernel both: kernels have begun at 0xB0000000.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    [InlineData(EngineKind.Check)]
    public void AnEntryForProgramsAndTheKernelIsSeenByBoth(EngineKind kind)
    {
        const uint kernel = 0xB006_0000;
        using BareGuest guest = new(kind, ring: 1, static memory =>
        {
            LayOut(memory, pae: true, Top, Tables);
            Enter(memory, pae: true, Top, kernel, GuestPlan.Scratch | Used);
            memory.WriteUInt32(GuestPlan.Scratch, 10);
            memory.WriteUInt32(Other, 40);
        });
        guest.Core.SetPaging(PagingFormat.Pae);
        guest.Core.SetContext(new GuestContext { KernelStart = 0xB000_0000 });
        guest.Core.LoadPageDirectory(Top);
        guest.Write(GuestPlan.Code, [0xA1, .. BitConverter.GetBytes(kernel), 0xCD, 0x80]);
        guest.Run(GuestPlan.Virtual(GuestPlan.Code));
        Assert.Equal(10u, guest.Eax);
        Enter(guest.Memory, pae: true, Top, kernel, Other | Used);
        guest.Core.InvalidateDirectoryEntry(Top, kernel >> 30);
        guest.Run(GuestPlan.Virtual(GuestPlan.Code));
        Assert.Equal(40u, guest.Eax);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void TheKernelIsWhereItSays(EngineKind kind, bool pae)
    {
        using TinyGuest guest = Start(
            kind,
            pae,
            static g =>
            {
                Begin(g);
                g.Report(1);
            },
            static memory => memory.WriteUInt32(GuestPlan.Data + 1128, GuestPlan.PageOffset),
            s_later);
        Assert.Equal(1u, guest.Next());
        Assert.Equal(GuestPlan.PageOffset, guest.Guest.PageOffset);
    }

    [Theory]
    [InlineData(0xFFC0_0000u)]
    [InlineData(0xC000_1000u)]
    public void AKernelThatCannotBeThereDies(uint address)
    {
        using TinyGuest guest = Start(EngineKind.Interpreter, pae: true, Begin, memory => memory.WriteUInt32(GuestPlan.Data + 1128, address), s_later);
        Assert.Equal("bad kernel address", guest.Death());
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void WithoutTablesThereIsNothingAboveMemory(EngineKind kind, bool pae)
    {
        using TinyGuest guest = Start(kind, pae, g => g.Asm.mov(eax, __dword_ptr[GuestPlan.MemoryBytes]));
        Assert.Equal("bad page table entry", guest.Death());
    }

    private static TinyGuest Start(EngineKind kind, bool pae, Action<GuestProgram> program, Action<GuestMemory>? prepare = null, Generation? abi = null) =>
        new(kind, program, abi ?? s_generation, prepare: memory =>
        {
            LayOut(memory, pae, Top, Tables);
            Enter(memory, pae, Top, Window, Other | Used);
            memory.WriteUInt32(Other, 40);
            prepare?.Invoke(memory);
        });

    /// <summary>From the entry to virtual addresses, with descriptors and a stack for traps.</summary>
    private static void Begin(GuestProgram g)
    {
        g.Asm.mov(esp, GuestPlan.StackTop);
        g.Call(HypercallKind.LguestInit, GuestPlan.Data);
        ToVirtual(g);
        g.Call(HypercallKind.LoadGdt, GuestPlan.Gdt, Selectors.GdtEntries);
        g.Call(HypercallKind.SetStack, Selectors.KernelData, GuestPlan.Virtual(GuestPlan.TrapStackTop), 1);
    }

    private static void ToVirtual(GuestProgram g)
    {
        g.Call(HypercallKind.NewPageTable, Top);
        g.Asm.mov(eax, g.Address("virtual"));
        g.Asm.jmp(eax);
        g.Mark("virtual");
        g.Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
    }

    /// <summary>Tables of a kernel: all memory at the page offset, and the page of the first instructions where it is.</summary>
    private static void LayOut(GuestMemory memory, bool pae, uint top, uint tables)
    {
        _next = tables;
        for (uint frame = 0; frame < GuestPlan.MemoryBytes; frame += Page.Size)
            Enter(memory, pae, top, GuestPlan.PageOffset + frame, frame | Used);
        Enter(memory, pae, top, GuestPlan.Code, GuestPlan.Code | Used);
    }

    [ThreadStatic]
    private static uint _next;

    private static void Enter(GuestMemory memory, bool pae, uint top, uint linear, uint entry)
    {
        uint at = top;
        if (pae)
        {
            at = Below(at + ((linear >> 30) * 8), 1);
            at = Below(at + ((linear >> 21 & 0x1FF) * 8), (uint)PageFlags.Linear);
            memory.WriteValue<ulong>(at + ((linear >> 12 & 0x1FF) * 8), entry);
        }
        else
        {
            at = Below(at + ((linear >> 22) * 4), (uint)PageFlags.Linear);
            memory.WriteUInt32(at + ((linear >> 12 & 0x3FF) * 4), entry);
        }

        uint Below(uint place, uint flags)
        {
            if (memory.ReadUInt32(place) == 0)
            {
                memory.WriteUInt32(place, _next | flags);
                _next += Page.Size;
            }

            return memory.ReadUInt32(place) & ~Page.OffsetMask;
        }
    }

    private static uint EntryOf(GuestMemory memory, bool pae, uint top, uint linear) => pae
        ? memory.ReadUInt32((memory.ReadUInt32((memory.ReadUInt32(top + ((linear >> 30) * 8)) & ~Page.OffsetMask) + ((linear >> 21 & 0x1FF) * 8)) & ~Page.OffsetMask) + ((linear >> 12 & 0x1FF) * 8))
        : memory.ReadUInt32((memory.ReadUInt32(top + ((linear >> 22) * 4)) & ~Page.OffsetMask) + ((linear >> 12 & 0x3FF) * 4));

    /// <summary>Where the kernel's page has its entry: the tables of the page offset are the first that are made, after the directory.</summary>
    private static uint Place(bool pae, uint linear) => pae
        ? Tables + Page.Size + ((linear >> 12 & 0x1FF) * 8)
        : Tables + ((linear >> 12 & 0x3FF) * 4);
}
