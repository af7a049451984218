// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// The interpreter's cache of translations is a processor's: what it holds stays in force until the guest says that it
/// changed, and not longer. No guest may build on the first half, but one that was sped up by it must not be slowed down.
/// </summary>
public sealed class TranslationCacheTests
{
    private const uint Window = 0x1000_0000;
    private const uint Other = GuestPlan.Scratch + Page.Size;

    [Fact]
    public void AnOldTranslationStaysUntilThePageIsNamed()
    {
        using TinyGuest guest = Start(g =>
        {
            g.Boot();
            Look(g, Window);
            Remap(g, 0, Other);
            Look(g, Window);
            g.Call(HypercallKind.SetPte, GuestPlan.Directory, Window + Page.Size, 0);
            Look(g, Window);
            g.Call(HypercallKind.SetPte, GuestPlan.Directory, Window + 0x123, Other | GuestPlan.Mapped);
            Look(g, Window);
        });
        Assert.Equal([1u, 1u, 1u, 2u], [guest.Next(), guest.Next(), guest.Next(), guest.Next()]);
    }

    /// <summary>A branch that was linked to code that is then patched leads to what is made of it anew, without leaving each time.</summary>
    [Fact]
    public void LinksFollowCodeThatIsPatched()
    {
        using TinyGuest guest = new(EngineKind.Translator, g =>
        {
            g.Boot();
            g.Asm.xor(esi, esi);
            g.Asm.mov(ebp, 20);
            g.Mark("patch");
            g.Asm.mov(ecx, 1000);
            g.Mark("again");
            g.Asm.call(g.Here("called"));
            g.Asm.dec(ecx);
            g.Asm.jnz(g.Here("again"));
            g.Asm.inc(__byte_ptr[g.Address("called") + 2]);
            g.Asm.dec(ebp);
            g.Asm.jnz(g.Here("patch"));
            g.Report(esi);
            for (int i = 0; i < 64; i++)
                g.Asm.nop();
            g.Mark("called");
            g.Asm.add(esi, 1);
            g.Asm.ret();
        });
        Assert.Equal(1000u * (20 * 21 / 2), guest.Next());
        Assert.InRange(guest.Guest.Core.Counters.First(static counter => counter.Name == "left to enter a block").Value, 0, 500);
    }

    [Fact]
    public void PagesThatShareAPlaceInTheCacheDoNotShareATranslation()
    {
        // 1024 pages apart is the same entry of the cache.
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                for (int i = 0; i < 3; i++)
                {
                    Look(g, Window);
                    Look(g, Window + 0x40_0000);
                }

                g.Asm.mov(__dword_ptr[Window], 7);
                g.Asm.mov(__dword_ptr[Window + 0x40_0000], 8);
                Look(g, Window);
            },
            memory =>
            {
                memory.WriteUInt32(GuestPlan.Directory + ((Window >> 22) + 1) * 4, GuestPlan.SecondDirectory | (uint)PageFlags.Linear);
                memory.WriteUInt32(GuestPlan.SecondDirectory, Other | GuestPlan.Mapped);
            });
        Assert.Equal([1u, 2u, 1u, 2u, 1u, 2u, 7u], [.. Enumerable.Range(0, 7).Select(_ => guest.Next())]);
        Assert.Equal(8u, guest.Memory.ReadUInt32(Other));
    }

    [Fact]
    public void ReadingDoesNotMakeAPageWritable()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                g.Gate(14, "trap14");
                Look(g, Window);
                g.Asm.mov(__dword_ptr[Window], 9);
                g.Trap(14, hasError: true);
            },
            memory => memory.WriteUInt32(GuestPlan.SpareTable, GuestPlan.Scratch | (uint)(PageFlags.Present | PageFlags.User)));
        Assert.Equal(1u, guest.Next());
        Assert.Equal(3u, guest.NextTrap(14).Error);
    }

    [Fact]
    public void TheKernelsTranslationsAreNotRing3s()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Gate(14, "trap14");
                Look(g, Window);
                g.ToRing3("user");
                g.Mark("user");
                g.Asm.mov(ecx, __[Window]);
                g.Trap(14, hasError: true);
            },
            memory => memory.WriteUInt32(GuestPlan.SpareTable, GuestPlan.Scratch | (uint)(PageFlags.Present | PageFlags.Writable)));
        Assert.Equal(1u, guest.Next());
        Assert.Equal(5u, guest.NextTrap(14).Error);
    }

    [Fact]
    public void TheFirstWriteMarksThePageThoughItWasReadBefore()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.Boot();
                Look(g, Window);
                g.Asm.mov(__dword_ptr[Window], 9);
                g.Report(0);
            },
            memory => memory.WriteUInt32(GuestPlan.SpareTable, GuestPlan.Scratch | (uint)PageFlags.Linear));
        guest.Next();
        Assert.Equal(0u, guest.Memory.ReadUInt32(GuestPlan.SpareTable) & (uint)PageFlags.Dirty);
        guest.Next();
        Assert.Equal((uint)PageFlags.Dirty, guest.Memory.ReadUInt32(GuestPlan.SpareTable) & (uint)PageFlags.Dirty);
    }

    private static void Look(GuestProgram g, uint address)
    {
        g.Asm.mov(esi, __[address]);
        g.Report(esi);
    }

    private static void Remap(GuestProgram g, uint index, uint frame) =>
        g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.SpareTable) + (index * 4)], frame | GuestPlan.Mapped);

    private static TinyGuest Start(Action<GuestProgram> program, Action<GuestMemory>? prepare = null) => new(
        EngineKind.Interpreter,
        program,
        prepare: memory =>
        {
            memory.WriteUInt32(GuestPlan.Directory + (Window >> 22) * 4, GuestPlan.SpareTable | (uint)PageFlags.Linear);
            memory.WriteUInt32(GuestPlan.SpareTable, GuestPlan.Scratch | GuestPlan.Mapped);
            memory.WriteUInt32(GuestPlan.Scratch, 1);
            memory.WriteUInt32(Other, 2);
            prepare?.Invoke(memory);
        });
}
