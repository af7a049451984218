// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>The level of PAE's tables that two-level tables do not have.</summary>
public sealed partial class OwnTablesTests
{
    /// <summary>A directory of PAE's middle level belongs to each space whose top table names it, and is announced once for all of them.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    [InlineData(EngineKind.Check)]
    public void AMiddleEntryIsAnnouncedForAllSpaces(EngineKind kind)
    {
        const uint kernel = 0xC0A0_0000;

        // The program's directory is the third page of tables: the kernel's directory and table come first.
        const uint swap = Tables + (2 * Page.Size) + ((Window >> 21 & 0x1FF) * 8);
        Generation abi = LaterGuest.Linux41;
        using TinyGuest guest = new(
            kind,
            g =>
            {
                g.Asm.mov(esp, GuestPlan.StackTop);
                g.Call(HypercallKind.LguestInit, GuestPlan.Data);
                ToVirtual(g);
                g.Call(HypercallKind.SetStack, Selectors.KernelData, GuestPlan.Virtual(GuestPlan.TrapStackTop), 1);
                foreach (uint index in (ReadOnlySpan<uint>)[Selectors.KernelCodeIndex, Selectors.KernelDataIndex, GuestPlan.UserCode >> 3, GuestPlan.UserData >> 3])
                {
                    g.Asm.mov(g.Argument(0), index);
                    g.Asm.mov(g.Argument(1), __dword_ptr[GuestPlan.Virtual(GuestPlan.Gdt + (index * 8))]);
                    g.Asm.mov(g.Argument(2), __dword_ptr[GuestPlan.Virtual(GuestPlan.Gdt + (index * 8) + 4)]);
                    g.CallNumber(abi.Calls.NumberOf(HypercallKind.LoadGdtEntry)!.Value);
                }

                g.Gate(0x80, "call", dpl: 3);
                for (uint i = 0; i < 6; i++)
                {
                    // Two spaces; the tables of the program's page change places before the third and the fifth time, which come in the
                    // space of the time before: a switch would look by itself.
                    if (i is 2 or 4)
                    {
                        g.Asm.mov(eax, __dword_ptr[GuestPlan.Virtual(swap)]);
                        g.Asm.mov(ebx, __dword_ptr[GuestPlan.Virtual(swap) + 8]);
                        g.Asm.mov(__dword_ptr[GuestPlan.Virtual(swap)], ebx);
                        g.Asm.mov(__dword_ptr[GuestPlan.Virtual(swap) + 8], eax);
                        g.Call(HypercallKind.SetPmdPae, swap & ~Page.OffsetMask, (swap & Page.OffsetMask) / 8);
                    }
                    else
                    {
                        g.Call(HypercallKind.NewPageTable, i is 1 or 5 ? SecondTop : Top);
                    }

                    g.Asm.mov(ebp, g.Address($"back{i}"));
                    g.ToRing3("user");
                    g.Mark($"back{i}");
                    g.Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
                    g.Asm.add(esi, __dword_ptr[kernel]);
                    g.Report(esi);
                }

                g.Mark("user");
                g.Asm.mov(esi, __dword_ptr[Window]);
                g.Asm.@int(0x80);
                g.Mark("call");
                g.Asm.jmp(ebp);
            },
            abi,
            prepare: memory =>
            {
                LayOut(memory, pae: true, Top, Tables);
                Enter(memory, pae: true, Top, Window, Other | Used);
                Enter(memory, pae: true, Top, Window + 0x20_0000, GuestPlan.Scratch | Used);
                Enter(memory, pae: true, Top, kernel, GuestPlan.Scratch + Page.Size | Used);
                memory.Read(Top, 32).CopyTo(memory.Write(SecondTop, 32));
                memory.WriteUInt32(Other, 40);
                memory.WriteUInt32(GuestPlan.Scratch, 10);
                memory.WriteUInt32(GuestPlan.Scratch + Page.Size, 1000);
                Assert.Equal(swap, (memory.ReadUInt32(Top + ((Window >> 30) * 8)) & ~Page.OffsetMask) + ((Window >> 21 & 0x1FF) * 8));
            });

        // The interpreter, going ahead with a program, would look at the tables.
        if (guest.Guest.Core is TranslatorCore translator)
            translator.InterpretsNewPages = false;
        Assert.Equal([1040u, 1040u, 1010u, 1010u, 1040u, 1040u], [guest.Next(), guest.Next(), guest.Next(), guest.Next(), guest.Next(), guest.Next()]);
    }
}
