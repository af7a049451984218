// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>What later kernels do all the time, and engines therefore have a way of their own for.</summary>
public abstract partial class EngineContract
{
    private const uint ShortSegment = 0x31;
    private const uint ShortStart = GuestPlan.PageOffset + GuestPlan.Scratch;

    /// <summary>Loads %gs with a segment of data, as kernels have one for their stack protector.</summary>
    private static void LoadShortSegment(GuestProgram g, uint limit, uint type = 0x90)
    {
        g.BootWithRings();
        g.Gate(13, "trap13");
        g.Call(HypercallKind.LoadGdtEntry, ShortSegment >> 3, (ShortStart << 16) | limit, (ShortStart & 0xFF00_0000) | 0x0040_0000 | (type << 8) | ((ShortStart >> 16) & 0xFF));
        g.Asm.mov(eax, ShortSegment);
        g.Asm.mov(gs, ax);
        g.Asm.jmp(g.Here("go"));
        g.Trap(13, hasError: true);
        g.Mark("go");
    }

    /// <summary>A segment that ends after its 24 bytes is read up to there, by any instruction that only reads.</summary>
    [Fact]
    public void AShortSegmentIsReadToItsEnd()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            LoadShortSegment(g, 0x18);
            for (int i = 0; i < 3; i++)
            {
                g.Asm.mov(esi, __dword_ptr.gs[0x14]);
                g.Asm.xor(esi, __dword_ptr.gs[0x10]);
                g.Asm.cmp(__byte_ptr.gs[0x17], 0x12);
                g.Asm.jne(g.Here("go"));
                g.Asm.push(__dword_ptr.gs[0x14]);
                g.Asm.pop(edi);
                g.Asm.add(esi, edi);
                g.Report(esi);
            }
        });
        guest.Memory.WriteUInt32(GuestPlan.Scratch + 0x10, 0x11);
        guest.Memory.WriteUInt32(GuestPlan.Scratch + 0x14, 0x1200_0000);
        Assert.Equal([0x2400_0011u, 0x2400_0011u, 0x2400_0011u], [guest.Next(), guest.Next(), guest.Next()]);
    }

    [Theory]
    [InlineData("beyond", 0x18u)]
    [InlineData("shorter", 0x13u)]
    [InlineData("write", 0x18u)]
    [InlineData("indexed", 0x18u)]
    public void BeyondAShortSegmentIsAFault(string access, uint limit)
    {
        using TinyGuest guest = StartLater(g =>
        {
            LoadShortSegment(g, limit);
            g.Asm.mov(ebp, 0x18);
            g.Mark("here");
            switch (access)
            {
                case "write":
                    g.Asm.mov(__dword_ptr.gs[0x14], esi);
                    break;
                case "indexed":
                    g.Asm.mov(esi, __dword_ptr.gs[ebp + 0]);
                    break;
                default:
                    g.Asm.mov(esi, __dword_ptr.gs[access == "beyond" ? 0x16 : 0x14]);
                    break;
            }
        });
        TrapFrame frame = guest.NextTrap(13);
        Assert.Equal((guest.Address("here"), 0u), (frame.Eip, frame.Error));
    }

    /// <summary>A kernel loads another segment and comes back to the short one: what was known of the one is not believed of the other.</summary>
    [Fact]
    public void SegmentsThatTakeTurnsAreToldApart()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            LoadShortSegment(g, 0x18);
            g.Asm.mov(ebp, 3);
            g.Mark("again");
            g.Asm.mov(eax, Selectors.KernelData);
            g.Asm.mov(gs, ax);
            g.Asm.mov(esi, __dword_ptr.gs[GuestPlan.Virtual(GuestPlan.Scratch) + 0x40]);
            g.Asm.mov(eax, ShortSegment);
            g.Asm.mov(gs, ax);
            g.Asm.add(esi, __dword_ptr.gs[0x14]);
            g.Report(esi);
            g.Asm.dec(ebp);
            g.Asm.jnz(g.Here("again"));
            g.Asm.xor(eax, eax);
            g.Asm.mov(gs, ax);
            g.Mark("null");
            g.Asm.mov(esi, __dword_ptr.gs[0x14]);
        });
        guest.Memory.WriteUInt32(GuestPlan.Scratch + 0x14, 5);
        guest.Memory.WriteUInt32(GuestPlan.Scratch + 0x40, 30);
        Assert.Equal([35u, 35u, 35u], [guest.Next(), guest.Next(), guest.Next()]);
        Assert.Equal(guest.Address("null"), guest.NextTrap(13).Eip);
    }

    [Fact]
    public void PopToMemoryAndFences()
    {
        using TinyGuest guest = StartLater(static g =>
        {
            g.BootWithRings();
            g.Gate(14, "trap14");
            g.Asm.mov(edi, esp);
            g.Asm.mov(ebx, GuestPlan.Virtual(GuestPlan.Scratch));
            g.Asm.push(7);
            g.Asm.push(8);
            g.Asm.push(9);
            g.Asm.stc();
            g.Asm.lfence();
            g.Asm.pop(__dword_ptr.ss[GuestPlan.Virtual(GuestPlan.Scratch)]);
            g.Asm.mfence();
            g.Asm.pop(__dword_ptr[ebx + 4]);
            g.Asm.sfence();
            g.Asm.pop(__dword_ptr[esp + 0]);
            g.Asm.sbb(esi, esi);
            g.Asm.sub(edi, esp);
            g.Asm.or(esi, edi);
            g.Report(esi);

            // What faults has not moved the stack pointer.
            g.Asm.mov(edi, esp);
            g.Asm.push(1);
            g.Asm.mov(ebx, 0x0800_0000);
            g.Mark("pop");
            g.Asm.pop(__dword_ptr[ebx]);
            g.Trap(14, hasError: true);
        });
        Assert.Equal(uint.MaxValue, guest.Next());
        Assert.Equal([9u, 8u], [guest.Memory.ReadUInt32(GuestPlan.Scratch), guest.Memory.ReadUInt32(GuestPlan.Scratch + 4)]);
        TrapFrame frame = guest.NextTrap(14);
        Assert.Equal((guest.Address("pop"), 2u, 0x0800_0000u), (frame.Eip, frame.Error, guest.Data.Cr2));
        Assert.Equal(1u, guest.Memory.ReadUInt32(frame.Esp - GuestPlan.PageOffset + 12));
    }
}
