// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>What begins, ends or goes at the edges of pages and of the address space.</summary>
public abstract partial class EngineContract
{
    /// <summary>
    /// The kernel's code outside of its own part: a jump that crosses into the next page and goes to address 0. Nobody knows when it
    /// is decoded where it goes: 0 is an address like any other, and no sign of "not known".
    /// </summary>
    [Fact]
    public void ACrossingJumpMayGoToAddressZero()
    {
        const uint at = Page.Size + Page.Size - 2;
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                for (int i = 0; i < 3; i++)
                {
                    string back = $"back{i}";
                    g.Asm.mov(ebp, g.Address(back));
                    g.Asm.mov(esi, 0);
                    g.Asm.mov(edi, at);
                    g.Asm.jmp(edi);
                    g.Mark(back);
                    g.Report(esi);
                }
            },
            prepare: memory =>
            {
                memory.WriteUInt32(GuestPlan.Directory, GuestPlan.SpareTable | (uint)PageFlags.Linear);
                for (uint page = 0; page < 3; page++)
                    memory.WriteUInt32(GuestPlan.SpareTable + (page * 4), (GuestPlan.Scratch + (page * Page.Size)) | GuestPlan.Mapped);
                byte[] zero = [0xBE, 0x34, 0x12, 0x00, 0x00, 0xFF, 0xE5]; // mov esi, 0x1234; jmp ebp
                zero.CopyTo(memory.Write(GuestPlan.Scratch, (uint)zero.Length));
                byte[] jump = [0xE9, .. BitConverter.GetBytes(-(int)(at + 5))];
                jump.CopyTo(memory.Write(GuestPlan.Scratch + at, (uint)jump.Length));
            });
        Assert.Equal([0x1234u, 0x1234u, 0x1234u], [guest.Next(), guest.Next(), guest.Next()]);
    }
}
