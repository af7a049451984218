// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.Engine.Memory;
using Lguest.Engine.Native;
using Lguest.Engine.Time;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts;

/// <summary>A processor in some ring without a hypervisor: runs code to its INT 0x80, or to the fault that it ends with.</summary>
internal sealed unsafe class BareGuest : IDisposable
{
    private readonly int _ring;

    /// <param name="kind">The engine.</param>
    /// <param name="ring">1 or 3.</param>
    /// <param name="prepare">Changes memory before the start.</param>
    /// <param name="codeBytes">The translator's room for code.</param>
    public BareGuest(EngineKind kind, int ring, Action<MappedGuestMemory>? prepare = null, nuint codeBytes = CodeSlots.SlotSize)
    {
        _ring = ring;
        Memory = MappedGuestMemory.Create([new MemoryRange(0, GuestPlan.MemoryBytes)]);
        TinyGuest.LayOut(Memory);
        prepare?.Invoke(Memory);
        DescriptorTable gdt = new();
        const ulong ring3 = 3UL << 45;
        gdt.Entries[Selectors.KernelCodeIndex] = DescriptorTable.FlatCode;
        gdt.Entries[Selectors.KernelDataIndex] = DescriptorTable.FlatData;
        gdt.Entries[(int)(GuestPlan.UserCode >> 3)] = DescriptorTable.FlatCode | ring3;
        gdt.Entries[(int)(GuestPlan.UserData >> 3)] = DescriptorTable.FlatData | ring3;
        Core = kind switch
        {
            EngineKind.Interpreter => new InterpreterCore(Memory, gdt, new HostTime()),
            EngineKind.Check => new CheckCore(Memory, gdt, new HostTime()),
            _ => new TranslatorCore(Memory, gdt, new HostTime(), codeBytes) { InterpretsNewPages = false },
        };
        Core.SetContext(new GuestContext { KernelStart = GuestPlan.PageOffset });
        Core.LoadPageDirectory(GuestPlan.Directory);
    }

    public MappedGuestMemory Memory { get; }

    public ExecutionCore Core { get; }

    /// <summary>Blocks that were translated, whichever engine it is in.</summary>
    public long BlocksTranslated => Core switch
    {
        TranslatorCore translator => translator.BlocksTranslated,
        CheckCore check => check.Translator.BlocksTranslated,
        _ => 0,
    };

    public uint Eax => Core.Cpu->Arch.Registers[(int)GeneralRegister.Eax];

    /// <summary>Writes code, as the guest or a device would.</summary>
    public void Write(uint physical, params ReadOnlySpan<byte> bytes) => bytes.CopyTo(Memory.Write(physical, (uint)bytes.Length));

    /// <summary>Runs from an EIP on.</summary>
    /// <param name="eip">Where.</param>
    /// <param name="eax">In %eax.</param>
    public CpuExit Run(uint eip, uint eax = 0)
    {
        bool user = _ring == 3;
        Core.SetSegment(SegmentName.Cs, user ? GuestPlan.UserCode : Selectors.KernelCode);
        foreach (SegmentName name in (ReadOnlySpan<SegmentName>)[SegmentName.Ds, SegmentName.Es, SegmentName.Ss])
            Core.SetSegment(name, user ? GuestPlan.UserData : Selectors.KernelData);
        Core.Cpu->Arch.Cpl = (uint)_ring;
        Core.Cpu->Arch.Eip = eip;
        Core.Cpu->Arch.Flags = EFlags.Interrupt | EFlags.Fixed;
        Core.Cpu->Arch.Registers[(int)GeneralRegister.Eax] = eax;
        Core.Cpu->Arch.Registers[(int)GeneralRegister.Esp] = GuestPlan.Virtual(GuestPlan.UserStackTop);
        return GoOn();
    }

    /// <summary>Runs from where it is.</summary>
    public CpuExit GoOn()
    {
        using Deadline deadline = new(Core.RequestAttention);
        CpuExit exit;
        do
        {
            deadline.Check(Core.Cpu);
            Core.Cpu->Attention = 0;
            Core.Cpu->Budget = 1000;
            exit = Core.Run();
        }
        while (exit.Kind == ExitKind.Attention);
        return exit;
    }

    public void Dispose()
    {
        Core.Dispose();
        Memory.Dispose();
    }
}
