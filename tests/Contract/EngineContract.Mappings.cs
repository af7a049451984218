// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.Contract;

/// <summary>
/// An engine may remember what the tables said as long as nobody tells it that they changed: programs in address spaces that
/// share some of their pages, and the kernel's own pages put elsewhere and back.
/// </summary>
public abstract partial class EngineContract
{
    private const uint SharedPage = GuestPlan.Scratch;
    private const uint FirstRest = GuestPlan.Scratch + Page.Size;
    private const uint SecondRest = GuestPlan.Scratch + (2 * Page.Size);
    private const uint SecondTable = GuestPlan.Scratch + (3 * Page.Size);

    /// <summary>
    /// Where a jump begins whose last three bytes are in the next page. They say how far back in its own page it goes: nothing
    /// else of the next page is ever run.
    /// </summary>
    private const uint CrossingAt = Page.Size - 2;

    /// <summary>A page of the kernel's that nothing is in.</summary>
    private const uint FreeKernelPage = GuestPlan.MemoryBytes - Page.Size;
    private const uint KernelEntry = GuestPlan.KernelTable + ((FreeKernelPage >> Page.Shift) * 4);

    /// <summary>To ring 3 at an address, and back with the next system call, whose handler jumps to %ebp. %esi goes to the test.</summary>
    private static void VisitRing3(GuestProgram g, uint address, string back)
    {
        g.Asm.mov(ebp, g.Address(back));
        g.Asm.mov(eax, GuestPlan.UserData);
        g.Asm.mov(ds, ax);
        g.Asm.mov(es, ax);
        g.Asm.push(GuestPlan.UserData);
        g.Asm.push(GuestPlan.Virtual(GuestPlan.UserStackTop));
        g.Asm.push(0x202);
        g.Asm.push(GuestPlan.UserCode);
        g.Asm.push(address);
        g.Asm.iretd();
        g.Mark(back);
        g.Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
        g.Report(esi);
    }

    /// <summary>Two address spaces with the same first page at Window, and a second page of their own each.</summary>
    private static void TwoSpaces(GuestMemory memory)
    {
        Map(memory, SharedPage | GuestPlan.Mapped);
        memory.WriteUInt32(GuestPlan.SpareTable + 4, FirstRest | GuestPlan.Mapped);
        memory.WriteUInt32(GuestPlan.SecondDirectory + (GuestPlan.PageOffset >> 22) * 4, GuestPlan.KernelTable | (uint)PageFlags.Linear);
        memory.WriteUInt32(GuestPlan.SecondDirectory + (Window >> 22) * 4, SecondTable | (uint)PageFlags.Linear);
        memory.WriteUInt32(SecondTable, SharedPage | GuestPlan.Mapped);
        memory.WriteUInt32(SecondTable + 4, SecondRest | GuestPlan.Mapped);
    }

    [Fact]
    public void AFlushOfEverythingIsOneOfAllSpaces()
    {
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Gate(Vectors.SystemCall, "call", interrupt: false, dpl: 3);
                for (int i = 0; i < 3; i++)
                    VisitRing3(g, Window, $"before{i}");
                g.Call(HypercallKind.NewPageTable, GuestPlan.SecondDirectory);
                VisitRing3(g, Window, "second");
                g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.SpareTable) + 4], SecondRest | GuestPlan.Mapped);
                g.Call(HypercallKind.FlushTlb, 1);
                g.Call(HypercallKind.NewPageTable, GuestPlan.Directory);
                VisitRing3(g, Window, "after");
                g.Mark("call");
                g.Asm.jmp(ebp);
            },
            prepare: memory =>
            {
                TwoSpaces(memory);
                byte[] code = [0x8B, 0x35, 0, 0, 0, 0, 0xCD, 0x80]; // mov (Window + 0x1000),%esi; int $0x80
                code.CopyTo(memory.Write(SharedPage, (uint)code.Length));
                memory.WriteUInt32(SharedPage + 2, Window + Page.Size);
                memory.WriteUInt32(FirstRest, 100);
                memory.WriteUInt32(SecondRest, 200);
            });
        Assert.Equal([100u, 100u, 100u, 200u, 200u], Enumerable.Range(0, 5).Select(_ => guest.Next()).ToArray());
    }

    [Fact]
    public void AProgramsCrossingInstructionIsThatOfItsOwnPages()
    {
        using TinyGuest guest = Start(
            g =>
            {
                int visits = 0;
                g.BootWithRings();
                g.Gate(Vectors.SystemCall, "call", interrupt: false, dpl: 3);
                g.Gate(14, "trap14");
                for (int i = 0; i < 3; i++)
                    visit();
                g.Call(HypercallKind.NewPageTable, GuestPlan.SecondDirectory);
                visit();
                visit();
                g.Call(HypercallKind.NewPageTable, GuestPlan.Directory);
                visit();

                // Another page, told of; back; other bytes in both pages; another page, flushed.
                change(SecondRest);
                g.Call(HypercallKind.SetPte, GuestPlan.Directory, Window + Page.Size, SecondRest | GuestPlan.Mapped);
                visit();
                change(FirstRest);
                g.Call(HypercallKind.SetPte, GuestPlan.Directory, Window + Page.Size, FirstRest | GuestPlan.Mapped);
                visit();
                g.Asm.mov(__byte_ptr[GuestPlan.Virtual(FirstRest)], Back(3) >> 8 & 0xFF);
                visit();
                g.Asm.mov(__byte_ptr[GuestPlan.Virtual(SharedPage + CrossingAt + 1)], (Back(0) - 0x10) & 0xFF);
                visit();
                change(SecondRest);
                g.Call(HypercallKind.FlushTlb, 0);
                visit();

                // Changed while the guest is in the other space.
                g.Call(HypercallKind.NewPageTable, GuestPlan.SecondDirectory);
                visit();
                change(FirstRest);
                g.Call(HypercallKind.FlushTlb, 1);
                g.Call(HypercallKind.NewPageTable, GuestPlan.Directory);
                visit();
                g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.SpareTable) + 4], 0);
                g.Call(HypercallKind.SetPte, GuestPlan.Directory, Window + Page.Size, 0);
                visit();
                g.Mark("call");
                g.Asm.jmp(ebp);
                g.Trap(14, hasError: true);

                void change(uint frame) =>
                    g.Asm.mov(__dword_ptr[GuestPlan.Virtual(GuestPlan.SpareTable) + 4], frame | GuestPlan.Mapped);

                // By a jump within the page and from the instruction before, in turn, then straight.
                void visit()
                {
                    foreach (uint entry in new uint[] { 0, CrossingAt - 4, CrossingAt })
                        VisitRing3(g, Window + entry, $"back{visits++}");
                }
            },
            prepare: memory =>
            {
                TwoSpaces(memory);
                memory.Write(SharedPage, (int)Page.Size).Fill(0x90);
                memory.Write(SharedPage, 1)[0] = 0xE9;
                memory.WriteUInt32(SharedPage + 1, CrossingAt - 5);
                new byte[] { 0xE9, (byte)Back(0) }.CopyTo(memory.Write(SharedPage + CrossingAt, 2));
                foreach ((uint frame, uint place) in new[] { (FirstRest, 1u), (SecondRest, 2u) })
                    memory.WriteUInt32(frame, Back(place) >> 8);
                for (uint place = 1; place <= 3; place++)
                {
                    new byte[] { 0xBE, (byte)place, 0, 0, 0, 0xCD, 0x80 }.CopyTo(memory.Write(SharedPage + (place * 0x100), 7));
                    new byte[] { 0xBE, (byte)place, 1, 0, 0, 0xCD, 0x80 }.CopyTo(memory.Write(SharedPage + (place * 0x100) - 0x10, 7));
                }
            });
        uint[] expected = [1, 1, 1, 2, 2, 1, 2, 1, 3, 0x103, 0x102, 0x102, 0x103];
        Assert.Equal(expected.SelectMany(value => Enumerable.Repeat(value, 3)), Enumerable.Range(0, expected.Length * 3).Select(_ => guest.Next()).ToArray());
        TrapFrame fault = guest.NextTrap(14);
        Assert.Equal(Window + CrossingAt, fault.Eip);
        Assert.Equal(4u, fault.Error);
        Assert.Equal(Window + Page.Size, guest.Data.Cr2);

        // The jump's distance to 0x100 times a number, whose lowest byte is always the same.
        static uint Back(uint place) => (place * 0x100) - (CrossingAt + 5);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void APageOfTheKernelsCanBePutElsewhereAndBack(bool flush)
    {
        uint linear = GuestPlan.Virtual(FreeKernelPage);
        using TinyGuest guest = Start(
            g =>
            {
                g.BootWithRings();
                g.Gate(14, "trap14");
                uint[] frames = [FreeKernelPage, FirstRest, FreeKernelPage, SecondRest, FirstRest, 0];
                foreach (uint frame in frames)
                {
                    uint entry = frame == 0 ? 0 : frame | GuestPlan.Mapped;
                    g.Asm.mov(__dword_ptr[GuestPlan.Virtual(KernelEntry)], entry);
                    if (flush)
                        g.Call(HypercallKind.FlushTlb, 1);
                    else
                        g.Call(HypercallKind.SetPte, GuestPlan.Directory, linear, entry);
                    for (int i = 0; i < 3; i++)
                    {
                        g.Asm.mov(edi, linear);
                        g.Asm.mov(esi, __[edi + 0x100]);
                        g.Report(esi);
                        g.Asm.call(edi);
                        g.Report(esi);
                    }
                }

                g.Trap(14, hasError: true);
            },
            prepare: memory =>
            {
                uint number = 0;
                foreach (uint frame in new[] { FreeKernelPage, FirstRest, SecondRest })
                {
                    new byte[] { 0xBE, (byte)++number, 0, 0, 0, 0xC3 }.CopyTo(memory.Write(frame, 6));
                    memory.WriteUInt32(frame + 0x100, number * 100);
                }
            });
        foreach (uint number in new uint[] { 1, 2, 1, 3, 2 })
        {
            for (int i = 0; i < 3; i++)
                Assert.Equal([number * 100, number], [guest.Next(), guest.Next()]);
        }

        Assert.Equal(0u, guest.NextTrap(14).Error);
    }

    [Fact]
    public void APageThatCameAndWentBetweenTwoFlushesIsGone()
    {
        uint linear = GuestPlan.Virtual(FreeKernelPage);
        using TinyGuest guest = Start(g =>
        {
            g.BootWithRings();
            g.Gate(14, "trap14");
            g.Asm.mov(edi, linear);
            g.Asm.mov(esi, __[edi + Page.Size - 0x2000]);
            set(0);
            g.Call(HypercallKind.FlushTlb, 1);
            set(FirstRest | GuestPlan.Mapped);
            g.Asm.mov(esi, __[edi]);
            set(0);
            g.Call(HypercallKind.FlushTlb, 1);
            g.Mark("gone");
            g.Asm.mov(esi, __[edi]);
            g.Trap(14, hasError: true);

            void set(uint entry) => g.Asm.mov(__dword_ptr[GuestPlan.Virtual(KernelEntry)], entry);
        });
        Assert.Equal(guest.Address("gone"), guest.NextTrap(14).Eip);
    }
}
