// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;
using Lguest.Engine.Memory;
using Lguest.Engine.Time;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// Code in memory that others write to while it is translated, as another guest does with the page of --sharenet: what runs is
/// what was looked at. Here ADD becomes SYSCALL and back, all the time; %eax is a system call of the host's that would be told
/// from the sum.
/// </summary>
public sealed unsafe class SharedPageTests
{
    private const int Tries = 200_000;
    private const uint Place = GuestPlan.Code + 6;
    private const uint GetProcessId = 39;

    [Fact]
    public void CodeIsReadOnce()
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create([new MemoryRange(0, GuestPlan.MemoryBytes)]);
        TinyGuest.LayOut(memory);
        DescriptorTable gdt = new();
        gdt.Entries[Selectors.KernelCodeIndex] = DescriptorTable.FlatCode;
        gdt.Entries[Selectors.KernelDataIndex] = DescriptorTable.FlatData;
        using TranslatorCore core = new(memory, gdt, new HostTime());
        core.SetContext(new GuestContext { KernelStart = GuestPlan.PageOffset });
        foreach (SegmentName name in (ReadOnlySpan<SegmentName>)[SegmentName.Cs, SegmentName.Ds, SegmentName.Es, SegmentName.Ss])
            core.SetSegment(name, name == SegmentName.Cs ? Selectors.KernelCode : Selectors.KernelData);
        core.LoadPageDirectory(GuestPlan.Directory);
        byte[] code = [0xB8, (byte)GetProcessId, 0, 0, 0, 0x90, 0x01, 0xD8, 0xCD, 0x80]; // mov eax, 39; nop; add eax, ebx; int 0x80
        code.CopyTo(memory.Write(GuestPlan.Code, (uint)code.Length));
        ushort* shared = (ushort*)(memory.Base + Place);
        bool over = false;
        Thread other = new(() =>
        {
            while (!Volatile.Read(ref over))
            {
                Volatile.Write(ref *shared, 0x050F);
                Thread.SpinWait(2);
                Volatile.Write(ref *shared, 0xD801);
                Thread.SpinWait(2);
            }
        });
        other.Start();
        try
        {
            for (int i = 0; i < Tries; i++)
            {
                // Written by the guest's own side, the block goes, and is translated anew.
                memory.WriteUInt32(GuestPlan.Code + 1, GetProcessId);
                core.Cpu->Arch.Eip = GuestPlan.Virtual(GuestPlan.Code);
                core.Cpu->Arch.Registers[(int)GeneralRegister.Ebx] = 1;
                CpuExit exit = Deadline.Run(core);
                if (exit.Kind == ExitKind.SoftwareInterrupt)
                    Assert.Equal(GetProcessId + 1, core.Cpu->Arch.Registers[(int)GeneralRegister.Eax]);
                else
                    Assert.Equal((ExitKind.Exception, (byte)6), (exit.Kind, exit.Vector));
            }
        }
        finally
        {
            Volatile.Write(ref over, true);
            other.Join();
        }
    }
}
