// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;
using Lguest.Engine.Time;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// The lockstep of both engines sees what it is there for: each test spoils the translator's work on purpose, in its emitted
/// code or in what it leaves behind, and reads the report.
/// </summary>
public sealed unsafe partial class CheckTests : IDisposable
{
    private const uint Scratch = GuestPlan.PageOffset + GuestPlan.Scratch;
    private MappedGuestMemory? _memory;

    public void Dispose() => _memory?.Dispose();

    [Fact]
    public void AgreementIsCounted()
    {
        using CheckCore core = Start(Loop);
        core.Cpu->Budget = 1000;
        Assert.Equal(ExitKind.Attention, core.Run().Kind);
        Assert.InRange(core.Instructions, 1000, 1100);
        Assert.InRange(core.Blocks, 100, 600);
        Assert.Contains("both engines agree", core.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public void WrongCodeIsReportedWithItsDisassembly()
    {
        using CheckCore core = Start(Loop);
        core.Spoil = (check, block) =>
        {
            // add eax, 5 becomes sub eax, 5 in what the translator emitted.
            byte* code = check.Translator.ToWritable(block.Host);
            for (int i = 0; i < 64; i++)
            {
                if (code[i] == 0x83 && code[i + 1] == 0xC0 && code[i + 2] == 5)
                    code[i + 1] = 0xE8;
                else if (code[i] == 0x05 && *(uint*)(code + i + 1) == 5)
                    code[i] = 0x2D;
            }
        };
        EngineDisagreementException found = Find(core);
        Assert.Contains("registers are different", found.Message, StringComparison.Ordinal);
        Assert.Matches("add +\\$0x5,%eax", found.Report);
        Assert.Matches("eax +0x00000000 +0x00000005 +0xfffffffb +<--", found.Report);
        Assert.Matches("eflags .*<--", found.Report);
    }

    [Fact]
    public void ARegisterThatIsSpoiltLaterIsReportedWithTheBlocksBefore()
    {
        using CheckCore core = Start(Loop);
        core.SpoilResult = check =>
        {
            if (check.Blocks == 40)
                check.Cpu->Arch.Registers[(int)GeneralRegister.Esi] ^= 0x100;
        };
        EngineDisagreementException found = Find(core);
        Assert.Matches("esi .*<--", found.Report);
        Assert.DoesNotMatch("eax .*<--", found.Report);
        Assert.Equal(16, found.Report.Split("instructions\n").Length - 1);
    }

    /// <summary>The translator inside gets no signal when time is up: amid a POP its state is none that can be compared.</summary>
    [Fact]
    public void ADeadlineInterruptsNoBlock()
    {
        using CheckCore core = Start(g =>
        {
            g.Asm.mov(esp, GuestPlan.Virtual(GuestPlan.UserStackTop));
            g.Mark("again");
            for (int i = 0; i < 20; i++)
            {
                g.Asm.push(ecx);
                g.Asm.pop(ebx);
                g.Asm.inc(ecx);
            }

            g.Asm.jmp(g.Here("again"));
        });
        for (int i = 1; i < 200; i++)
        {
            core.SetDeadline(i, 10_000);
            core.Cpu->Budget = 2000;
            Assert.Equal(ExitKind.Attention, core.Run().Kind);
        }

        Assert.Equal(0, core.Translator.Interruptions);

        // A signal that meets a block is too rare to be waited for: whether there will be one is what tells.
        Assert.Equal(0, core.Translator.Deadline);
    }

    /// <summary>All else that is said of the guest the translator inside hears.</summary>
    [Fact]
    public void WhatIsSaidOfTheGuestIsHandedOn()
    {
        using CheckCore core = Start(Loop);
        core.SetContext(core.Context with { StackPointer = 0x1234 });
        Assert.Equal(0x1234u, core.Context.StackPointer);
        Assert.Equal(core.Context, core.Translator.Context);
    }

    [Fact]
    public void AFlagIsSeen() => Assert.Matches("eflags .*<--", SpoilState(cpu => ((CpuState*)cpu)->Arch.Flags ^= EFlags.Zero).Report);

    [Fact]
    public void AnUndefinedFlagIsNot()
    {
        // AND leaves AF undefined.
        using CheckCore core = Start(g =>
        {
            g.Mark("again");
            g.Asm.and(eax, 3);
            g.Asm.jmp(g.Here("again"));
        });
        core.SpoilResult = check => check.Cpu->Arch.Flags ^= EFlags.Adjust;
        core.Cpu->Budget = 100;
        Assert.Equal(ExitKind.Attention, core.Run().Kind);
    }

    [Fact]
    public void FloatingPointIsSeen() => Assert.Contains(
        "floating point state", SpoilState(cpu => ((CpuState*)cpu)->Arch.FxState[FxImage.Place.Stack] ^= 1).Message, StringComparison.Ordinal);

    [Fact]
    public void ASegmentIsSeen() => Assert.Contains(
        "segment registers", SpoilState(cpu => ((CpuState*)cpu)->Arch.Gs.Base = 5).Message, StringComparison.Ordinal);

    [Fact]
    public void WrittenMemoryIsSeen()
    {
        using CheckCore core = Start(Loop);
        core.SpoilResult = check => check.Memory.Base[GuestPlan.Scratch] ^= 1;
        EngineDisagreementException found = Find(core);
        Assert.Contains("memory is different", found.Message, StringComparison.Ordinal);
        Assert.Contains($"guest physical 0x{GuestPlan.Scratch:x8}: before 00000000, interpreter 05000000, translator 04000000", found.Report, StringComparison.Ordinal);
    }

    [Fact]
    public void AWriteThatIsTooWideIsSeen()
    {
        using CheckCore core = Start(Loop);
        core.SpoilResult = check => check.Memory.Base[GuestPlan.Scratch + 4] ^= 1;
        Assert.Contains($"the translator alone has written at guest physical 0x{GuestPlan.Scratch + 4:x8}", Find(core).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AStrayWriteIsSeenInTheEnd()
    {
        using CheckCore core = Start(Loop, wholeInterval: 500);
        core.SpoilResult = check =>
        {
            if (check.Blocks == 10)
                check.Memory.Base[0x12_3456] = 0x77;
        };
        EngineDisagreementException found = Find(core);
        Assert.Contains("the translator alone has written at guest physical 0x00123456 (0x00 became 0x77)", found.Message, StringComparison.Ordinal);
        Assert.InRange(core.Instructions, 500, 600);
    }

    [Fact]
    public void WhatTheHostWritesIsItsOwnBusiness()
    {
        using CheckCore core = Start(Loop, wholeInterval: 500);
        core.Cpu->Budget = 100;
        core.Run();
        core.Memory.WriteUInt32(0x12_3456, 0x77);
        core.Cpu->Budget = 1000;
        Assert.Equal(ExitKind.Attention, core.Run().Kind);
        Assert.InRange(core.WholeComparisons, 1, 3);
    }

    [Fact]
    public void AFaultThatOnlyOneHasIsSeen()
    {
        using CheckCore core = Start(g => g.Asm.mov(eax, __dword_ptr[0x1234]));
        core.Spoil = (check, block) =>
        {
            // The displacement: from an address without a page to one with.
            byte* code = check.Translator.ToWritable(block.Host);
            for (int i = 0; i < 32; i++)
            {
                if (*(uint*)(code + i) == 0x1234)
                    *(uint*)(code + i) = Scratch;
            }
        };
        EngineDisagreementException found = Find(core);
        Assert.Contains("different reasons", found.Message, StringComparison.Ordinal);
        Assert.Contains("exception 14, error 0x0, address 0x00001234", found.Report, StringComparison.Ordinal);
    }

    private static EngineDisagreementException Find(CheckCore core) => Assert.Throws<EngineDisagreementException>(() =>
    {
        for (int i = 0; i < 100; i++)
        {
            core.Cpu->Budget = 1000;
            core.Run();
        }
    });

    private static void Loop(GuestProgram g)
    {
        g.Asm.xor(eax, eax);
        g.Mark("again");
        g.Asm.add(eax, 5);
        g.Asm.mov(__dword_ptr[Scratch], eax);
        g.Asm.test(eax, eax);
        g.Asm.jnz(g.Here("again"));
        g.Asm.jmp(g.Here("again"));
    }

    private EngineDisagreementException SpoilState(Action<nint> spoil)
    {
        using CheckCore core = Start(Loop);
        core.SpoilResult = check => spoil((nint)check.Cpu);
        return Find(core);
    }

    private CheckCore Start(Action<GuestProgram> program, long wholeInterval = 1_000_000, ProcessorVendor? vendor = null)
    {
        _memory = MappedGuestMemory.Create([new MemoryRange(0, GuestPlan.MemoryBytes)]);
        (byte[] code, _) = GuestProgram.Assemble(Generation.Linux2623, GuestPlan.Virtual(GuestPlan.Code), program);
        TinyGuest.LayOut(_memory);
        code.CopyTo(_memory.Write(GuestPlan.Code, (uint)code.Length));
        DescriptorTable gdt = new();
        gdt.Entries[Selectors.KernelCodeIndex] = DescriptorTable.FlatCode;
        gdt.Entries[Selectors.KernelDataIndex] = DescriptorTable.FlatData;
        CheckCore core = new(_memory, gdt, new HostTime()) { WholeComparisonInterval = wholeInterval, Vendor = vendor ?? HostProcessor.Vendor };
        core.SetSegment(SegmentName.Cs, Selectors.KernelCode);
        foreach (SegmentName data in (ReadOnlySpan<SegmentName>)[SegmentName.Ds, SegmentName.Es, SegmentName.Ss])
            core.SetSegment(data, Selectors.KernelData);
        core.Cpu->Arch.Eip = GuestPlan.Virtual(GuestPlan.Code);
        core.SetContext(new GuestContext { KernelStart = GuestPlan.PageOffset });
        core.LoadPageDirectory(GuestPlan.Directory);
        return core;
    }
}
