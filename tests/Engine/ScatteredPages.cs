// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;
using Lguest.Engine.Time;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts;

/// <summary>A translator's guest that does little else than fault: it sums the first words of many pages, none of which is mapped, and counts in their second words.</summary>
internal static unsafe class ScatteredPages
{
    private const uint Pages = 2048;
    private const uint Tables = 0x4000;
    private const uint Pool = 0x80_0000;
    private const uint Start = 0xD000_0000;

    /// <summary>Sums and counts them, round after round.</summary>
    /// <param name="rounds">How often.</param>
    /// <param name="go">Called when the engine is there, before the first round.</param>
    public static void Sum(uint rounds, Action? go = null)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, Pool + (Pages << Page.Shift))]);
        TinyGuest.LayOut(memory);
        DescriptorTable gdt = new();
        gdt.Entries[Selectors.KernelCodeIndex] = DescriptorTable.FlatCode;
        gdt.Entries[Selectors.KernelDataIndex] = DescriptorTable.FlatData;
        using TranslatorCore core = new(memory, gdt, new HostTime());
        core.SetContext(new GuestContext { KernelStart = GuestPlan.PageOffset });
        foreach (SegmentName name in (ReadOnlySpan<SegmentName>)[SegmentName.Cs, SegmentName.Ds, SegmentName.Es, SegmentName.Ss])
            core.SetSegment(name, name == SegmentName.Cs ? Selectors.KernelCode : Selectors.KernelData);

        // xor eax, eax; mov esi, start; mov ecx, pages; l: add eax, [esi]; inc dword [esi + 4]; add esi, 4096; dec ecx; jnz l; int 0x80
        byte[] code =
        [
            0x31, 0xC0, 0xBE, .. BitConverter.GetBytes(Start), 0xB9, .. BitConverter.GetBytes(Pages),
            0x03, 0x06, 0xFF, 0x46, 0x04, 0x81, 0xC6, 0, 0x10, 0, 0, 0x49, 0x75, 0xF2, 0xCD, 0x80,
        ];
        code.CopyTo(memory.Write(GuestPlan.Code, (uint)code.Length));
        uint expected = 0;
        for (uint i = 0; i < Pages; i++)
        {
            memory.WriteUInt32(Pool + (i << Page.Shift), i * i);
            expected += i * i;
        }

        for (uint i = 0; i < Pages / GuestPlan.EntriesPerTable; i++)
            memory.WriteUInt32(GuestPlan.Directory + (((Start >> 22) + i) * 4), (Tables + (i << Page.Shift)) | GuestPlan.Mapped);
        core.LoadPageDirectory(GuestPlan.Directory);
        core.SetContext(core.Context with { StackSelector = Selectors.KernelData, StackPointer = GuestPlan.Virtual(GuestPlan.TrapStackTop) });
        go?.Invoke();
        for (uint round = 1; round <= rounds; round++)
        {
            // No page is used yet, so that each faults twice: read, then written.
            for (uint i = 0; i < Pages; i++)
                memory.WriteUInt32(Tables + (i * 4), (Pool + (i * 7919 % Pages << Page.Shift)) | (uint)(PageFlags.Present | PageFlags.Writable));
            core.FlushTlb();
            core.Cpu->Arch.Eip = GuestPlan.Virtual(GuestPlan.Code);
            CpuExit exit = Deadline.Run(core);
            Assert.Equal(ExitKind.SoftwareInterrupt, exit.Kind);
            Assert.Equal(GuestPlan.Virtual(GuestPlan.Code) + (uint)code.Length, core.Cpu->Arch.Eip);
            Assert.Equal(expected, core.Cpu->Arch.Registers[0]);
            for (uint i = 0; i < Pages; i++)
                Assert.Equal(round, memory.ReadUInt32(Pool + (i << Page.Shift) + 4));
        }
    }
}
