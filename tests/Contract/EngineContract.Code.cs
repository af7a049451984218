// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>Code that changes, code in odd places, and more code than an engine can keep.</summary>
public abstract partial class EngineContract
{
    [Fact]
    public void AnInstructionMayChangeTheNextOne()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.mov(edi, 3);
            g.Mark("again");
            g.Asm.mov(__byte_ptr[g.Address("next")], 0x46);
            g.Mark("next");
            g.Asm.dec(esi);
            g.Asm.dec(edi);
            g.Asm.jnz(g.Here("again"));
            g.Report(esi);
        });

        // inc esi (0x46) written over dec esi (0x4E), each time before it runs.
        Assert.Equal(3u, guest.Next());
    }

    [Fact]
    public void AStringInstructionMayWriteTheCodeBehindIt()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                for (uint round = 0; round < 3; round++)
                {
                    g.Asm.mov(esi, GuestPlan.Virtual(GuestPlan.Scratch) + (round * 8));
                    g.Asm.mov(edi, g.Address("patched"));
                    g.Asm.mov(ecx, 6);
                    g.Asm.call(g.Here("copy"));
                }

                g.Asm.hlt();
                g.Mark("copy");
                g.Asm.cld();
                g.Asm.rep.movsb();
                g.Mark("patched");
                g.Asm.mov(edi, 0);
                g.Asm.nop();
                g.Report(edi);
                g.Asm.ret();
            },
            prepare: memory =>
            {
                for (uint round = 0; round < 3; round++)
                {
                    byte[] move = [0xBF, (byte)(round + 5), 0, 0, 0, 0x90];
                    move.CopyTo(memory.Write(GuestPlan.Scratch + (round * 8), 6));
                }
            });
        Assert.Equal([5u, 6u, 7u], [guest.Next(), guest.Next(), guest.Next()]);
    }

    [Fact]
    public void DataBesideCodeIsWrittenAndCodeStaysRight()
    {
        // A counter in the page of the loop that counts it: slow for an engine that keeps code, but it must come out right.
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.mov(ecx, 10_000);
            g.Mark("again");
            g.Asm.inc(__dword_ptr[g.Address("counter")]);
            g.Asm.dec(ecx);
            g.Asm.jnz(g.Here("again"));
            g.Asm.mov(esi, __[g.Address("counter")]);
            g.Report(esi);
            g.Mark("counter");
            g.Asm.dd(0u);
        });
        Assert.Equal(10_000u, guest.Next());
    }

    [Fact]
    public void TheSecondHalfOfACrossingInstructionMayChange()
    {
        const uint page = GuestPlan.Scratch + Page.Size;
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.mov(edi, 0);
                g.Mark("again");
                g.Asm.mov(eax, GuestPlan.Virtual(page) - 3);
                g.Asm.call(eax);
                g.Report(esi);
                g.Asm.add(__byte_ptr[GuestPlan.Virtual(page)], 1);
                g.Asm.jmp(g.Here("again"));
            },
            prepare: memory =>
            {
                byte[] code = [0xBE, 0x01, 0x02, 0x03, 0x04, 0xC3];
                code.CopyTo(memory.Write(page - 3, 6));
            });
        Assert.Equal([0x0403_0201u, 0x0404_0201u, 0x0405_0201u], [guest.Next(), guest.Next(), guest.Next()]);
    }

    [Fact]
    public void CodePagesCanBeFilledWithOtherCodeByTheHost()
    {
        // What a disk read does to a page that a program was run from before.
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Mark("again");
                g.Asm.mov(eax, GuestPlan.Virtual(GuestPlan.Scratch));
                g.Asm.call(eax);
                g.Report(esi);
                g.Asm.jmp(g.Here("again"));
            },
            prepare: memory => Routine(memory, 0));
        Assert.Equal(0u, guest.Next());
        for (uint value = 1; value < 50; value++)
        {
            Routine(guest.Memory, value);
            Assert.Equal(value, guest.Next());
        }

        static void Routine(GuestMemory memory, uint value)
        {
            Span<byte> page = memory.Write(GuestPlan.Scratch, Page.Size);
            page.Clear();

            // Each time a little further into the page: nops, mov esi, value; ret.
            int at = (int)(value % 16);
            page[..at].Fill(0x90);
            page[at] = 0xBE;
            page[at + 1] = (byte)value;
            page[at + 5] = 0xC3;
        }
    }

    [Fact]
    public void OneFrameAtManyAddressesIsOneCode()
    {
        // The same routine is called through 64 mappings, changed through one, and called through all again.
        const uint mappings = 64;
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.xor(edi, edi);
                for (int round = 0; round < 3; round++)
                {
                    string name = $"round{round}";
                    g.Asm.mov(ebp, Window);
                    g.Mark(name);
                    g.Asm.call(ebp);
                    g.Asm.add(edi, esi);
                    g.Asm.add(ebp, Page.Size);
                    g.Asm.cmp(ebp, Window + (mappings * Page.Size));
                    g.Asm.jne(g.Here(name));
                    g.Report(edi);
                    g.Asm.inc(__byte_ptr[Window + (17 * Page.Size) + 1]);
                }
            },
            prepare: memory =>
            {
                for (uint i = 0; i < mappings; i++)
                    Map(memory, GuestPlan.Scratch | GuestPlan.Mapped);
                for (uint i = 0; i < mappings; i++)
                    memory.WriteUInt32(GuestPlan.SpareTable + (i * 4), GuestPlan.Scratch | GuestPlan.Mapped);
                byte[] code = [0xBE, 1, 0, 0, 0, 0xC3];
                code.CopyTo(memory.Write(GuestPlan.Scratch, 6));
            });
        Assert.Equal(mappings, guest.Next());
        Assert.Equal(mappings * 3, guest.Next());
        Assert.Equal(mappings * 6, guest.Next());
    }

    [Fact]
    public void OneAddressWithManyFramesIsManyCodes()
    {
        const uint frames = 32;
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.xor(edi, edi);
                for (uint i = 0; i < frames * 2; i++)
                {
                    uint entry = (GuestPlan.Scratch + (i % frames * Page.Size)) | GuestPlan.Mapped;
                    g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.SpareTable)], entry);
                    g.Call(HypercallKind.SetPte, GuestPlan.Directory, Window, entry);
                    g.Asm.mov(eax, Window);
                    g.Asm.call(eax);
                    g.Asm.add(edi, esi);
                }

                g.Report(edi);
            },
            prepare: memory =>
            {
                Map(memory, GuestPlan.Scratch | GuestPlan.Mapped);
                for (uint i = 0; i < frames; i++)
                {
                    byte[] code = [0xBE, (byte)i, 0, 0, 0, 0xC3];
                    code.CopyTo(memory.Write(GuestPlan.Scratch + (i * Page.Size), 6));
                }
            });
        Assert.Equal(frames * (frames - 1), guest.Next());
    }

    [Fact]
    public void MoreCodeThanAnEngineKeepsIsStillRun()
    {
        // 1.4 MiB of `inc esi; jmp +0`, entered at each of its instructions: half a million little blocks, twice.
        const uint from = 0x8_0000;
        const uint bytes = 0x16_0000;
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Asm.xor(esi, esi);
                for (int i = 0; i < 2; i++)
                {
                    g.Asm.mov(eax, GuestPlan.Virtual(from));
                    g.Asm.call(eax);
                    g.Report(esi);
                }
            },
            prepare: memory =>
            {
                Span<byte> code = memory.Write(from, bytes);
                for (int i = 0; i + 4 < code.Length; i += 3)
                {
                    code[i] = 0x46;
                    code[i + 1] = 0xEB;
                    code[i + 2] = 0;
                }

                code[^2..].Fill(0xC3);
            });
        uint each = guest.Next();
        Assert.InRange(each, (bytes / 3) - 2, bytes / 3);
        Assert.Equal(each * 2, guest.Next());
    }

    [Fact]
    public void ALoopThatRewritesItselfGoesOnForLong()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            g.Asm.mov(ecx, 20_000);
            g.Asm.xor(edi, edi);
            g.Mark("again");
            g.Asm.mov(__[g.Address("patched") + 1], ecx);
            g.Mark("patched");
            g.Asm.mov(esi, 0);
            g.Asm.add(edi, esi);
            g.Asm.dec(ecx);
            g.Asm.jnz(g.Here("again"));
            g.Report(edi);
        });
        Assert.Equal(20_000u * 20_001 / 2, guest.Next());
    }
}
