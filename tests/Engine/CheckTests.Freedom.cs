// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// Where a processor is free the engines may differ, in just that: each test makes the translator another maker's processor in
/// one thing, which is let pass, and in a thing beside it, which is found.
/// </summary>
public sealed unsafe partial class CheckTests
{
    private const uint StackSlot = GuestPlan.StackTop - 4;
    private const uint A = GuestPlan.PageOffset + 0x10_0000, B = A + Page.Size, Aliases = 0x40_0000;

    /// <summary>IMUL leaves S, Z, A and P undefined and sets C and O; PUSHF stores them all.</summary>
    [Theory]
    [InlineData(EFlags.Parity, true)]
    [InlineData(EFlags.Sign | EFlags.Zero | EFlags.Adjust | EFlags.Parity, true)]
    [InlineData(EFlags.Carry, false)]
    [InlineData(EFlags.Overflow | EFlags.Parity, false)]
    [InlineData(EFlags.Direction, false)]
    public void AnImageOfFlagsIsComparedLikeFlags(uint other, bool passes) =>
        Pass(passes, PushProduct, check =>
        {
            *(uint*)(check.Memory.Base + StackSlot) ^= other;
            check.Cpu->Arch.Flags ^= other;
        });

    /// <summary>The image is of the flags that are there.</summary>
    [Theory]
    [InlineData(EFlags.Parity)]
    [InlineData(EFlags.Zero | EFlags.Sign)]
    public void AnImageOfOtherFlagsIsFound(uint other) =>
        Pass(false, PushProduct, check => *(uint*)(check.Memory.Base + StackSlot) ^= other);

    /// <summary>A block that looks at undefined flags is judged in all else.</summary>
    [Fact]
    public void WhoLooksAtUndefinedFlagsIsStillJudged()
    {
        Pass(false, PushProduct, check => check.Cpu->Arch.Registers[(int)GeneralRegister.Ebx] ^= 1);
        Pass(false, PushProduct, check => check.Memory.Base[StackSlot + 3] ^= 1);
    }

    /// <summary>What is made of an undefined flag must be one of the two things that can be made of it.</summary>
    [Theory]
    [InlineData(0u, true)]
    [InlineData(1u, true)]
    [InlineData(2u, false)]
    public void ARegisterMadeOfAnUndefinedFlagHasOneOfTwoValues(uint value, bool passes) => Pass(
        passes,
        g =>
        {
            g.Mark("again");
            g.Asm.mov(eax, 5);
            g.Asm.imul(eax, eax, 3);
            g.Asm.mov(ecx, 0);
            g.Asm.setp(cl);
            g.Asm.jmp(g.Here("again"));
        },
        check =>
        {
            check.Cpu->Arch.Registers[(int)GeneralRegister.Ecx] = value;
            check.Cpu->Arch.Flags = (check.Cpu->Arch.Flags & ~EFlags.Parity) | (value == 0 ? 0 : EFlags.Parity);
        });

    /// <summary>OF is defined after a shift by one, and untouched after a shift by none; after others it is not.</summary>
    [Theory]
    [InlineData(0u, false)]
    [InlineData(1u, false)]
    [InlineData(5u, true)]
    public void TheCountDecidesWhatIsUndefined(uint count, bool passes) => Pass(
        passes,
        g =>
        {
            g.Asm.mov(ecx, count);
            g.Mark("again");
            g.Asm.test(edx, edx);
            g.Asm.mov(eax, 0x1234_5678);
            g.Asm.shl(eax, cl);
            g.Asm.jmp(g.Here("again"));
        },
        check => check.Cpu->Arch.Flags ^= EFlags.Overflow);

    /// <summary>The last x87 instruction's address may be anything in what FNSTENV stores; its other words may not.</summary>
    [Theory]
    [InlineData(12u, true)]
    [InlineData(4u, false)]
    public void WhereTheLastFloatingPointInstructionWasMayDiffer(uint offset, bool passes) => Pass(
        passes,
        g =>
        {
            g.Mark("again");
            g.Asm.fld1();
            g.Asm.fstp(st0);
            g.Asm.fnstenv(__[Scratch]);
            g.Asm.jmp(g.Here("again"));
        },
        check => check.Memory.Base[GuestPlan.Scratch + offset] ^= 0x10);

    /// <summary>The guest maps B's frame anew, does not flush, and reads B: the old page is right, and the new one.</summary>
    [Fact]
    public void AnEntryThatIsNotFlushedMayBeUsedOrNot()
    {
        using CheckCore core = Start(g =>
        {
            KnowB(g);
            g.Asm.mov(__dword_ptr[EntryOf(B)], 0x14_0000 | GuestPlan.Mapped);
            g.Asm.jmp(g.Here("use"));
            g.Mark("use");
            g.Asm.mov(edx, __dword_ptr[B]);
            g.Asm.add(__dword_ptr[B + 8], 1);
            g.Mark("end");
            g.Asm.jmp(g.Here("end"));
        });
        MapAliases(core);
        Run(core, 3);
        Assert.Equal(0L, core.Freedoms);
    }

    /// <summary>REP MOVSL over the page table that maps what it reads next.</summary>
    [Fact]
    public void ACopyOverItsOwnPageTablesIsNotJudged()
    {
        using CheckCore core = Start(CopyOverTables);
        MapAliases(core);
        Run(core, 3);
        Assert.Equal(1L, core.Freedoms);
    }

    /// <summary>After such a copy the engines are compared as before.</summary>
    [Fact]
    public void AfterItTheEnginesAreCompared()
    {
        using CheckCore core = Start(CopyOverTables);
        MapAliases(core);
        core.SpoilResult = check =>
        {
            if (check.Freedoms != 0)
                check.Cpu->Arch.Registers[(int)GeneralRegister.Ebx] ^= 1;
        };
        Assert.Matches("ebx .*<--", Find(core).Report);
    }

    /// <summary>Nor does writing to tables that are not in use, or were flushed, excuse anything.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TablesThatAreFlushedExcuseNothing(bool flush)
    {
        using CheckCore core = Start(g =>
        {
            KnowB(g);
            g.Asm.mov(__dword_ptr[EntryOf(B)], 0x14_0000 | GuestPlan.Mapped);
            g.Asm.jmp(g.Here("changed"));
            g.Mark("changed");
            g.Asm.jmp(g.Here("use"));
            g.Mark("use");
            g.Asm.mov(edx, __dword_ptr[B]);
            g.Mark("end");
            g.Asm.jmp(g.Here("end"));
        });
        MapAliases(core);
        bool wrong = false;
        core.SpoilResult = check =>
        {
            // A translator that has not heard of the flush, and still has the old page.
            if (check.Cpu->Arch.Registers[(int)GeneralRegister.Edx] == 0x2222_2222)
            {
                wrong = true;
                check.Cpu->Arch.Registers[(int)GeneralRegister.Edx] = 0x1111_1111;
            }
            else if (flush && *(uint*)(check.Memory.Base + PhysicalEntryOf(B)) >> 12 == 0x140)
            {
                check.FlushTlb();
            }
        };
        Assert.Matches("edx .*<--", Find(core).Report);
        Assert.True(wrong);
    }

    /// <summary>REP STOSB over the code after it, in more than one round: both go on in what is there then.</summary>
    [Fact]
    public void CodeThatIsWrittenOverOnTheWayIsComparedAsItIsThen()
    {
        using CheckCore core = Start(g =>
        {
            g.Asm.mov(edi, g.Address("next"));
            g.Asm.mov(ecx, 0x2000);
            g.Asm.mov(eax, 0x4343_4343); // inc %ebx
            g.Asm.cld();
            g.Asm.jmp(g.Here("write"));
            g.Mark("write");
            g.Asm.rep.stosb();
            g.Mark("next");
            g.Asm.dec(ebx);
            g.Asm.jmp(g.Here("next"));
        });
        for (int i = 0; i < 20; i++)
        {
            core.Cpu->Budget = 100;
            Assert.Equal(ExitKind.Attention, core.Run().Kind);
        }

        Assert.True((int)core.Cpu->Arch.Registers[(int)GeneralRegister.Ebx] > 1000);
        core.CompareAllMemory();
    }

    /// <summary>AMD's processors report the source of a repeated comparison, Intel's the target: nothing else is forgiven.</summary>
    [Theory]
    [InlineData(ProcessorVendor.Intel)]
    [InlineData(ProcessorVendor.Amd)]
    public void TheOrderOfAComparisonIsTheMakers(ProcessorVendor vendor)
    {
        using CheckCore core = Start(
            g =>
            {
                g.Asm.mov(esi, 0xC030_0000);
                g.Asm.mov(edi, 0xC031_0000);
                g.Asm.mov(ecx, 3);
                g.Asm.repe.cmpsb();
            },
            vendor: vendor);
        core.Cpu->Budget = 100;
        if (HostProcessor.Vendor == ProcessorVendor.Amd && vendor != ProcessorVendor.Amd)
            Assert.Throws<EngineDisagreementException>(() => core.Run());
        else
            Assert.Equal(ExitKind.Exception, core.Run().Kind);
    }

    /// <summary>An instruction that ends the guest has not run: what was undefined before it still is.</summary>
    [Fact]
    public void WhatKillsTheGuestDefinesNothing()
    {
        using CheckCore core = Start(g =>
        {
            g.Asm.mov(eax, 5);
            g.Asm.imul(eax, eax, 3);
            g.Asm.add(eax, __dword_ptr[0x1000_0000]);
        });
        core.Memory.WriteUInt32(GuestPlan.Directory + ((0x1000_0000 >> 22) * 4), 0xFFFF_F000 | (uint)PageFlags.Linear);
        core.SpoilResult = check => check.Cpu->Arch.Flags ^= EFlags.Zero;
        core.Cpu->Budget = 100;
        Assert.Equal(ExitKind.Killed, core.Run().Kind);
    }

    private static uint EntryOf(uint linear) => GuestPlan.Virtual(PhysicalEntryOf(linear));

    private static uint PhysicalEntryOf(uint linear) => GuestPlan.KernelTable + ((linear >> 12 & 0x3FF) * 4);

    private static void PushProduct(GuestProgram g)
    {
        g.Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
        g.Mark("again");
        g.Asm.mov(eax, 5);
        g.Asm.imul(eax, eax, 3);
        g.Asm.pushfd();
        g.Asm.lea(esp, __[esp + 4]);
        g.Asm.jmp(g.Here("again"));
    }

    /// <summary>The translator comes to know B; the interpreter too, but then finds a page at the same place of its table.</summary>
    private static void KnowB(GuestProgram g)
    {
        g.Asm.mov(esp, GuestPlan.Virtual(GuestPlan.StackTop));
        g.Asm.mov(eax, __dword_ptr[B]);
        g.Asm.mov(eax, __dword_ptr[B + Aliases]);
        g.Asm.xor(eax, eax);
        g.Asm.jmp(g.Here("known"));
        g.Mark("known");
    }

    private static void CopyOverTables(GuestProgram g)
    {
        // From the end of A, which holds B's new entry, on through B; to B's entry and those behind it.
        KnowB(g);
        g.Asm.mov(esi, A + Page.Size - 4);
        g.Asm.mov(edi, EntryOf(B));
        g.Asm.mov(ecx, 3);
        g.Asm.cld();
        g.Asm.rep.movsd();
        g.Asm.mov(edx, __dword_ptr[B]);
        g.Mark("end");
        g.Asm.inc(ebp);
        g.Asm.jmp(g.Here("end"));
    }

    /// <summary>Two frames for B, and all of the kernel's table a second time 4 MiB above.</summary>
    private static void MapAliases(CheckCore core)
    {
        core.Memory.WriteUInt32(GuestPlan.Directory + ((GuestPlan.PageOffset + Aliases) >> 22) * 4, GuestPlan.KernelTable | (uint)PageFlags.Linear);
        core.Memory.WriteUInt32(0x10_0FFC, 0x14_0000 | GuestPlan.Mapped);
        core.Memory.WriteUInt32(0x10_1000, 0x1111_1111 & ~1u);
        core.Memory.WriteUInt32(0x14_0000, 0x2222_2222);
        core.Memory.WriteUInt32(0x10_1004, 0x3333_3332);
        core.Memory.WriteUInt32(0x14_0004, 0x4444_4444);
        core.FlushTlb();
    }

    private static void Run(CheckCore core, int rounds)
    {
        for (int i = 0; i < rounds; i++)
        {
            core.Cpu->Budget = 100;
            Assert.Equal(ExitKind.Attention, core.Run().Kind);
        }

        core.CompareAllMemory();
    }

    private void Pass(bool passes, Action<GuestProgram> program, Action<CheckCore> differ)
    {
        using CheckCore core = Start(program);
        core.SpoilResult = check =>
        {
            // Not while the registers are set up.
            if (check.Blocks > 4)
                differ(check);
        };
        if (passes)
            Run(core, 3);
        else
            Find(core);
        _memory!.Dispose();
        _memory = null;
    }
}
