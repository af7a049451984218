// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Memory;
using Lguest.Engine.Time;
using Lguest.GuestAbi;

namespace Lguest.Tests.Differential;

/// <summary>The interpreter, with page tables that show a snippet what <see cref="Layout"/> says, at privilege level 3.</summary>
internal sealed unsafe class InterpreterRunner : ISnippetRunner, IDisposable
{
    private const uint PageDirectory = 0x1000;
    private const uint PageTable = 0x2000;
    private const uint FirstPage = 0x10000;
    private const uint Image = FirstPage + Layout.PageSize;
    private const int UserCode = 14, UserData = 15, Gs = 6;
    private const uint Rpl = 3;

    private readonly MappedGuestMemory _memory;
    private readonly InterpreterCore _core;

    /// <param name="quietly">Page faults are taken back instead of thrown.</param>
    public InterpreterRunner(bool quietly = false)
    {
        _memory = MappedGuestMemory.Create([new MemoryRange(0, 0x20000)]);
        const uint present = 1, writable = 2, user = 4;
        _memory.WriteUInt32(PageDirectory + (4 * (Layout.Code >> 22)), PageTable | present | writable | user);
        for (int page = 0; page < Layout.Pages.Count; page++)
        {
            (uint linear, bool canWrite) = Layout.Pages[page];
            uint entry = (FirstPage + ((uint)page * Layout.PageSize)) | present | user | (canWrite ? writable : 0);
            _memory.WriteUInt32(PageTable + (4 * ((linear >> 12) & 0x3FF)), entry);
        }

        DescriptorTable gdt = new();
        const ulong ring3 = 3UL << 45, granular = 1UL << 55;
        gdt.Entries[UserCode] = DescriptorTable.FlatCode | ring3;
        gdt.Entries[UserData] = DescriptorTable.FlatData | ring3;
        gdt.Entries[Gs] = ((DescriptorTable.FlatData | ring3) & ~granular & ~0x000F_0000_0000_FFFFul)
            | (Layout.GsLimit & 0xFFFF) | ((ulong)(Layout.Data & 0xFF_FFFF) << 16) | ((ulong)(Layout.Data >> 24) << 56);
        _core = new InterpreterCore(_memory, gdt, new HostTime());
        _core.Quietly = quietly;
        _core.LoadPageDirectory(PageDirectory);
        _core.SetSegment(SegmentName.Cs, (UserCode << 3) | Rpl);
        foreach (SegmentName data in new[] { SegmentName.Ds, SegmentName.Es, SegmentName.Ss })
            _core.SetSegment(data, (UserData << 3) | Rpl);
        _core.SetSegment(SegmentName.Gs, (Gs << 3) | Rpl);
    }

    /// <summary>For tests that break it on purpose.</summary>
    public CpuState* Cpu => _core.Cpu;

    /// <inheritdoc/>
    public void Run(Snippet snippet, Outcome outcome)
    {
        snippet.WriteCode(_memory.Write(FirstPage, Layout.PageSize));
        snippet.Memory.CopyTo(_memory.Write(Image, Layout.ImageBytes));
        CpuState* cpu = _core.Cpu;
        snippet.Before.Registers.CopyTo(new Span<uint>(cpu->Arch.Registers, 8));
        snippet.Before.Fx.CopyTo(new Span<byte>(cpu->Arch.FxState, FxImage.ByteSize));
        cpu->Arch.Flags = snippet.Before.Flags;
        cpu->Arch.Eip = snippet.Start;
        cpu->Budget = 100_000;

        CpuExit exit = _core.Run();

        new Span<uint>(cpu->Arch.Registers, 8).CopyTo(outcome.After.Registers);
        new Span<byte>(cpu->Arch.FxState, FxImage.ByteSize).CopyTo(outcome.After.Fx);
        _memory.Read(Image, Layout.ImageBytes).CopyTo(outcome.Memory);
        outcome.After.Flags = cpu->Arch.Flags;
        outcome.After.Eip = cpu->Arch.Eip;
        outcome.FaultAddress = exit.Vector == 14 ? exit.FaultAddress : 0;
        outcome.Vector = exit.Kind switch
        {
            ExitKind.Exception when exit.Vector == 13 && cpu->Arch.Eip == snippet.End => Outcome.NoVector,
            ExitKind.Exception or ExitKind.SoftwareInterrupt => exit.Vector,
            _ => throw new InvalidOperationException($"the interpreter stopped with {exit.Kind} {exit.Reason} at 0x{exit.InstructionEip:x8}"),
        };
        outcome.ErrorCode = outcome.Vector == Outcome.NoVector ? 0 : exit.ErrorCode;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _core.Dispose();
        _memory.Dispose();
    }
}
