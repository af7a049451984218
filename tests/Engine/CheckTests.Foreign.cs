// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>Page tables that another process writes: where the engines' writes go is then not theirs alone to decide.</summary>
public sealed unsafe partial class CheckTests
{
    /// <summary>
    /// Between the engines' turns another process maps the page elsewhere. The value was there before in either frame's place, or
    /// in the interpreter's: all agrees, until somebody writes beside the place that only the translator has written to.
    /// </summary>
    [Theory]
    [InlineData(1_000_000)]
    [InlineData(100)]
    public void AWriteThatOthersSentElsewhereIsNobodysFault(long wholeInterval)
    {
        const uint other = GuestPlan.Scratch + Page.Size;
        const uint entry = (GuestPlan.Scratch >> Page.Shift) * sizeof(uint);
        using CheckCore core = Start(
            static g =>
            {
                g.Asm.jmp(g.Here("steered"));
                g.Mark("steered");
                g.Asm.mov(__dword_ptr[Scratch], 0x77);
                g.Asm.jmp(g.Here("beside"));
                g.Mark("beside");
                g.Asm.inc(__dword_ptr[Scratch + Page.Size + 4]);
                g.Asm.jmp(g.Here("beside"));
            },
            wholeInterval);
        using ForeignPage table = new(_memory!, GuestPlan.KernelTable);
        TinyGuest.LayOut(_memory!);

        // Marked as used and written before, so that the engines' walks write nothing.
        core.Memory.WriteUInt32(GuestPlan.KernelTable + entry, GuestPlan.Scratch | GuestPlan.Mapped);
        core.Memory.WriteUInt32(GuestPlan.KernelTable + entry + sizeof(uint), other | GuestPlan.Mapped);
        core.FlushTlb();
        core.Memory.WriteUInt32(GuestPlan.Scratch, 0x77);
        core.Spoil = (check, block) =>
        {
            if (check.Blocks == 1)
                *(uint*)(table.Others + entry) = other | GuestPlan.Mapped;
        };
        Run(core, 3);
        Assert.Equal(0x77u, core.Memory.ReadUInt32(other));
        Assert.InRange(core.Memory.ReadUInt32(other + 4), 50u, 1000u);
    }
}
