// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>Instructions that lie in two pages, of which the second is another one, or none, or the host's.</summary>
public abstract partial class EngineContract
{
    /// <summary>Two bytes before the end of what a guest can map: the last 4 MiB are the host's.</summary>
    private const uint LastBytes = 0xFFC0_0000 - 2;

    /// <summary>What a disk does to the second page of a program's instruction, which is run both straight and by a jump to it.</summary>
    [Fact]
    public void TheHostMayChangeTheSecondHalfOfAProgramsInstruction()
    {
        const uint rounds = 20;
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Gate(Vectors.SystemCall, "call", interrupt: false, dpl: 3);
                g.ToRing3("user");
                g.Mark("call");
                g.Report(esi);
                g.Asm.iretd();
                g.Mark("user");
                g.Asm.mov(eax, Window + CrossingAt);
                g.Asm.call(eax);
                g.Asm.@int(0x80);
                g.Asm.mov(eax, Window);
                g.Asm.call(eax);
                g.Asm.@int(0x80);
                g.Asm.jmp(g.Here("user"));
            },
            prepare: memory =>
            {
                TwoSpaces(memory);
                memory.Write(SharedPage, 1)[0] = 0xE9;
                memory.WriteUInt32(SharedPage + 1, CrossingAt - 5);
                memory.Write(SharedPage + CrossingAt, 1)[0] = 0xBE; // mov esi, imm32
                memory.Write(FirstRest + 3, 1)[0] = 0xC3;
            });
        for (uint i = 0; i < rounds; i++)
        {
            new byte[] { (byte)i, 0, 0 }.CopyTo(guest.Memory.Write(FirstRest, 3));
            Assert.Equal(i << 8, guest.Next());
            Assert.Equal(i << 8, guest.Next());
        }
    }

    /// <summary>An instruction at the end of what a guest can map faults where it goes on, be its beginning translated or not.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void AnInstructionDoesNotCrossIntoTheHostsPart(int ring)
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Gate(14, "trap14");
                g.Asm.mov(eax, LastBytes - 8);
                if (ring == 3)
                {
                    g.Asm.mov(ebx, eax);
                    g.ToRing3("user");
                    g.Mark("user");
                    g.Asm.jmp(ebx);
                }

                g.Asm.jmp(eax);
                g.Trap(14, hasError: true);
            },
            prepare: LastPage);
        for (int i = 0; i < 3; i++)
        {
            TrapFrame frame = guest.NextTrap(14);
            Assert.Equal((LastBytes, LastBytes + 2), (frame.Eip, guest.Data.Cr2));
            Assert.Equal(ring == 3 ? 4u : 0u, frame.Error);
        }
    }

    /// <summary>The same where the guest has dared to map the host's part: that is the end of it.</summary>
    [Theory]
    [InlineData(0u)]
    [InlineData(2u)]
    [InlineData(0x0040_0001u)]
    public void WhoMapsTheHostsPartDoesNotRunThere(uint distance)
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.mov(eax, LastBytes + distance);
                g.Asm.jmp(eax);
            },
            prepare: memory =>
            {
                LastPage(memory);
                memory.WriteUInt32(GuestPlan.Directory + (1023 * 4), GuestPlan.SpareTable | (uint)PageFlags.Linear);
            });
        Assert.Contains("switcher", guest.Death(), StringComparison.Ordinal);
    }

    private static void LastPage(GuestMemory memory)
    {
        memory.WriteUInt32(GuestPlan.Directory + (1022 * 4), GuestPlan.SpareTable | (uint)PageFlags.Linear);
        memory.WriteUInt32(GuestPlan.SpareTable + (1023 * 4), GuestPlan.Scratch | GuestPlan.Mapped);
        memory.Write(GuestPlan.Scratch, Page.Size).Fill(0x90);
        memory.Write(GuestPlan.Scratch + Page.Size - 2, 1)[0] = 0xBE; // mov esi, imm32
    }
}
