// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Memory;
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Paging;
using Lguest.Tests.Contract;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>Guests that get page tables of the host's making from their first call, in every engine and in lockstep; and the tables themselves.</summary>
public sealed class MadeTablesTests
{
    private const uint TablesEnd = GuestPlan.MemoryBytes - 0x4000;
    private const uint Top = TablesEnd - Page.Size;

    /// <summary>Where <see cref="GuestDataLayout.Linux2631"/> has what is read here.</summary>
    private const uint PageDirectory = GuestPlan.Data + 1376;
    private const uint KernelAddress = GuestPlan.Data + 1388;
    private const uint RingStatus = GuestPlan.Data + 24;

    private static readonly Generation s_both = Generation.Linux2623 with
    {
        Name = "made tables",
        Boot = BootProtocol.Linux2624,
        Data = GuestDataLayout.Linux2631,
        Paging = PagingRules.Linux2631,
    };

    private static readonly byte[] s_paeLoop = [0x83, 0xC2, 8, 0xB9, 0, 2, 0, 0, 0xAB, 0x93, 0xAB, 0x93];
    private static readonly byte[] s_plainLoop = [0x83, 0xC2, 4, 0xB9, 0, 4, 0, 0, 0xAB, 5, 0, 0x10, 0, 0];

    public static TheoryData<EngineKind, bool> Ways => OwnTablesTests.Ways;

    [Theory]
    [MemberData(nameof(Ways))]
    public void AGuestGoesOnAtItsOwnAddresses(EngineKind kind, bool pae)
    {
        using TinyGuest guest = Start(kind, pae, g =>
        {
            g.Asm.mov(esp, GuestPlan.StackTop);
            g.Call(HypercallKind.LguestInit, GuestPlan.Data);

            // At the physical address still, by the identity; then at the kernel's.
            g.Asm.mov(esi, __dword_ptr[PageDirectory]);
            g.Report(esi);
            g.Asm.mov(eax, g.Address("virtual"));
            g.Asm.jmp(eax);
            g.Mark("virtual");
            g.Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
            g.Asm.inc(__dword_ptr[GuestPlan.Virtual(GuestPlan.Scratch)]);
            g.Asm.mov(esi, __dword_ptr[GuestPlan.Scratch]);
            g.Report(esi);

            // They are the guest's to change: the identity goes.
            g.Gate(14, "trap14");
            g.Asm.mov(__dword_ptr[GuestPlan.Virtual(Top)], 0);
            g.Call(HypercallKind.FlushTlb, 1);
            g.Asm.mov(esi, __dword_ptr[GuestPlan.Scratch]);
            g.Trap(14, hasError: true);
        });
        Assert.Equal(PagingFormat.Linear, guest.Guest.Core.Walker.Format);
        Assert.Equal(Top, guest.Next());
        Assert.Equal(pae ? PagingFormat.Pae : PagingFormat.TwoLevel, guest.Guest.Core.Walker.Format);
        Assert.Equal(GuestPlan.PageOffset, guest.Guest.PageOffset);
        Assert.Equal(41u, guest.Next());
        TrapFrame fault = guest.NextTrap(14);
        Assert.Equal((0u, GuestPlan.Scratch), (fault.Error, guest.Data.Cr2));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(0x1000u)]
    [InlineData(GuestPlan.MemoryBytes + Page.Size)]
    public void WithoutRoomForTablesAGuestDies(uint tablesEnd)
    {
        using TinyGuest guest = Start(EngineKind.Interpreter, pae: false, static g => g.Call(HypercallKind.LguestInit, GuestPlan.Data), tablesEnd: tablesEnd);
        Assert.Equal("no room for first page tables", guest.Death());
    }

    /// <summary>Either loop may be anywhere before the call, and other code may look like it.</summary>
    [Fact]
    public void TheStartupCodeSaysWhichFormat()
    {
        byte[] code = new byte[10_000];
        Assert.False(StartupCode.IsPae(code));
        s_paeLoop.CopyTo(code, 4_321);
        Assert.True(StartupCode.IsPae(code));
        s_plainLoop.CopyTo(code, 77);
        Assert.False(StartupCode.IsPae(code));
    }

    [Theory]
    [InlineData(false, 0xC000_0000u, 0x0400_0000u)]
    [InlineData(true, 0xC000_0000u, 0x0400_0000u)]
    [InlineData(false, 0xB000_0000u, 0x0401_2000u)]
    [InlineData(true, 0x8000_0000u, 0x0401_2000u)]
    public void AllMemoryIsMapped(bool pae, uint kernel, uint bytes)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, bytes)]);
        const uint end = 0x0300_0000;
        PagingFormat format = pae ? PagingFormat.Pae : PagingFormat.TwoLevel;
        uint? top = WholeMemoryTables.Make(memory, format, end, bytes >> Page.Shift, kernel, 0xFFC0_0000);
        Assert.Equal(end - Page.Size, top);
        foreach (uint page in (uint[])[0, Page.Size, 0x0200_0000, 0x021F_F000, bytes - Page.Size])
        {
            Assert.Equal((page, true), Look(page));
            Assert.Equal((page, true), Look(kernel + page));
        }

        Assert.False(Look(bytes).Present);
        Assert.False(Look(kernel + bytes).Present);
        Assert.Equal(0u, memory.ReadUInt32(end));
        uint lowest = end - (uint)WholeMemoryTables.BytesFor(bytes);
        Assert.Equal(-1, memory.Read(0, lowest).IndexOfAnyExcept((byte)0));

        (uint Physical, bool Present) Look(uint linear)
        {
            PageLookup found = pae ? Pae.Look(memory, top!.Value, linear) : TwoLevel.Look(memory, top!.Value, linear);
            return (found.Physical ?? 0, found.Physical != null);
        }
    }

    /// <summary>Memory that reaches beyond what is the guest's of the address space is mapped as far as that goes.</summary>
    [Theory]
    [InlineData(false, 0x3FC0_0000u)]
    [InlineData(true, 0x3FC0_0000u)]
    public void NothingOfTheHostsIsMapped(bool pae, uint mapped)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 0x6000_0000)]);
        uint? top = WholeMemoryTables.Make(memory, pae ? PagingFormat.Pae : PagingFormat.TwoLevel, 0x3000_0000, 0x6_0000, 0xC000_0000, 0xFFC0_0000);
        PageLookup Look(uint linear) => pae ? Pae.Look(memory, top!.Value, linear) : TwoLevel.Look(memory, top!.Value, linear);
        Assert.Equal(mapped - Page.Size, Look(0xC000_0000 + mapped - Page.Size).Physical);
        Assert.Null(Look(0xC000_0000 + mapped).Physical);
        Assert.Equal(mapped - Page.Size, Look(mapped - Page.Size).Physical);
    }

    /// <summary>At 1 GiB the identity of more memory than that would be where the kernel is: the kernel wins.</summary>
    [Fact]
    public void TheKernelGoesBeforeTheIdentity()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, 0x6000_0000)]);
        uint? top = WholeMemoryTables.Make(memory, PagingFormat.TwoLevel, 0x3000_0000, 0x6_0000, 0x4000_0000, 0xFFC0_0000);
        Assert.Equal((0x0010_0000u, 0x5FFF_F000u, 0x0010_0000u), (TwoLevel.Look(memory, top!.Value, 0x4010_0000).Physical, TwoLevel.Look(memory, top.Value, 0x9FFF_F000).Physical, TwoLevel.Look(memory, top.Value, 0x0010_0000).Physical));
    }

    private static TinyGuest Start(EngineKind kind, bool pae, Action<GuestProgram> program, uint tablesEnd = TablesEnd) =>
        new(
            kind,
            program,
            s_both,
            prepare: memory =>
            {
                (pae ? s_paeLoop : s_plainLoop).CopyTo(memory.Write(GuestPlan.Code - 0x100, 0x100));
                memory.Write(RingStatus, GuestData.RingSize).Fill(GuestData.RingDone);
                memory.WriteUInt32(KernelAddress, GuestPlan.PageOffset);
                memory.WriteUInt32(GuestPlan.Scratch, 40);
            },
            tablesEnd: tablesEnd);
}
