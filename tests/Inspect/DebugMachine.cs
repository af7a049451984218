// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Memory;
using Lguest.Engine.Time;
using Lguest.GuestAbi;

namespace Lguest.Tests.Inspect;

/// <summary>An interpreter in ring 1 with a megabyte mapped at its own addresses, and some code.</summary>
internal sealed unsafe class DebugMachine : IDisposable
{
    /// <summary>Where code goes.</summary>
    public const uint Code = 0x10000;

    /// <summary>Where nothing is yet.</summary>
    public const uint Data = 0x20000;

    private const uint Size = 1 << 20;
    private const uint PageDirectory = 0x1000;
    private const uint PageTable = 0x2000;
    private const uint StackTop = 0x80000;

    public DebugMachine(Action<Assembler> write)
    {
        Memory = MappedGuestMemory.Create([new MemoryRange(0, Size)]);
        const uint linear = (uint)PageFlags.Linear;
        Memory.WriteUInt32(PageDirectory, PageTable | linear);
        for (uint page = 0; page < Size; page += Page.Size)
            Memory.WriteUInt32(PageTable + (page >> Page.Shift) * 4, page | linear);
        DescriptorTable gdt = new();
        gdt.Entries[Selectors.KernelCodeIndex] = DescriptorTable.FlatCode;
        gdt.Entries[Selectors.KernelDataIndex] = DescriptorTable.FlatData;
        Core = new InterpreterCore(Memory, gdt, new HostTime());
        Core.LoadPageDirectory(PageDirectory);
        Core.SetSegment(SegmentName.Cs, Selectors.KernelCode);
        foreach (SegmentName data in (ReadOnlySpan<SegmentName>)[SegmentName.Ds, SegmentName.Es, SegmentName.Ss])
            Core.SetSegment(data, Selectors.KernelData);

        Assembler assembler = new(32);
        write(assembler);
        using MemoryStream code = new();
        assembler.Assemble(new StreamCodeWriter(code), Code);
        code.ToArray().CopyTo(Memory.Write(Code, (uint)code.Length));
        Cpu->Arch.Eip = Code;
        Cpu->Arch.Registers[(int)GeneralRegister.Esp] = StackTop;
        Cpu->Budget = 1_000_000;
    }

    public MappedGuestMemory Memory { get; }

    public InterpreterCore Core { get; }

    public CpuState* Cpu => Core.Cpu;

    public uint Eax => Cpu->Arch.Registers[(int)GeneralRegister.Eax];

    public CpuExit Run() => Core.Run();

    public void Dispose()
    {
        Core.Dispose();
        Memory.Dispose();
    }
}
