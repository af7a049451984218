// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Cpu;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>Translated code that has to go: when there is no room for more, and when nobody but a walk of the page tables writes to it.</summary>
public sealed unsafe class TranslatedCodeTests
{
    private const uint Window = 0xD000_0000;

    /// <summary>
    /// A page full of short blocks is written over as a whole, again and again, so that the room for code runs out at any stage
    /// of it. Whoever is linked to its first block must find the new one.
    /// </summary>
    [FactNeeding(Need.Translator)]
    public void AFullArenaLeavesNoBlockReachable()
    {
        const int cycles = 150;
        const uint blocks = 1200;
        const uint callerBytes = 8;
        using BareGuest guest = new(EngineKind.Translator, 1, codeBytes: 1 << 20);
        byte[] code = new byte[Page.Size];
        for (uint cycle = 0; cycle < cycles; cycle++)
        {
            // A caller of its own for each cycle: it is linked to the first block of now.
            uint caller = GuestPlan.Code + (cycle * callerBytes);
            guest.Write(caller, [0xE8, .. BitConverter.GetBytes(GuestPlan.Scratch - (caller + 5)), 0xCD, 0x80]); // call; int $0x80
            for (uint value = 0; value < 2; value++)
            {
                uint first = (cycle * 2) + value;
                byte[] head = [0xB8, .. BitConverter.GetBytes(first), 0xEB, 0]; // mov eax, first; jmp on
                byte[] next = [0x40, 0xEB, 0]; // inc eax; jmp on
                head.CopyTo(code, 0);
                for (uint i = 0; i < blocks; i++)
                    next.CopyTo(code, head.Length + (next.Length * i));
                code[head.Length + (next.Length * blocks)] = 0xC3;
                guest.Write(GuestPlan.Scratch, code);
                for (int again = 0; again < 2; again++)
                {
                    Assert.Equal(ExitKind.SoftwareInterrupt, guest.Run(GuestPlan.Virtual(caller)).Kind);
                    Assert.Equal(first + blocks, guest.Eax);
                }
            }
        }

        // That it was full, and often.
        Assert.True(((TranslatorCore)guest.Core).Flushes > 5);
    }

    /// <summary>
    /// System calls of a program go to its kernel and back in emitted code. That it works does not show this: without, each of them
    /// goes by the hypervisor, and takes five times as long.
    /// </summary>
    [FactNeeding(Need.Translator)]
    public void SystemCallsNeedNoHypervisor()
    {
        const int calls = 1000;
        using TinyGuest guest = new(EngineKind.Translator, static g =>
        {
            g.BootWithRings();
            g.Gate(Vectors.SystemCall, "call", interrupt: false, dpl: 3);
            g.Interrupts(on: true);
            g.ToRing3("user");
            g.Mark("user");
            g.Asm.mov(esi, calls);
            g.Mark("again");
            g.Asm.@int(Vectors.SystemCall);
            g.Asm.dec(esi);
            g.Asm.jne(g.Here("again"));
            g.Asm.@int(3);
            g.Mark("call");
            g.Asm.iretd();
        });
        Assert.StartsWith("unhandled trap 13", guest.Death(), StringComparison.Ordinal);
        Assert.InRange(guest.Guest.Core.DirectSystemCalls, calls - 20, calls);
    }

    /// <summary>Descriptors of a thread that change are loaded as they are now, from ring 3 too, where that is emitted code.</summary>
    [FactNeeding(Need.Translator)]
    public void ADescriptorThatChangedIsLoadedAnew()
    {
        const uint selector = (Selectors.TlsFirst << 3) | 3;
        using TinyGuest guest = new(
            EngineKind.Translator,
            static g =>
            {
                g.BootWithRings();
                g.Asm.mov(edi, 8);
                g.Mark("again");
                for (uint i = 0; i < 2; i++)
                {
                    g.Call(HypercallKind.LoadTls, GuestPlan.Tls + (i * 24));
                    g.Asm.mov(eax, selector);
                    g.Asm.mov(gs, ax);
                    g.Asm.mov(esi, __dword_ptr.gs[0]);
                    g.Asm.xor(eax, eax);
                    g.Asm.mov(gs, ax);
                    g.Report(esi);
                }

                g.Asm.dec(edi);
                g.Asm.jne(g.Here("again"));
            },
            prepare: static memory =>
            {
                for (uint i = 0; i < 2; i++)
                {
                    uint start = GuestPlan.Virtual(GuestPlan.Scratch + (i * 64));
                    memory.WriteUInt32(GuestPlan.Scratch + (i * 64), 10 + i);
                    memory.WriteValue(GuestPlan.Tls + (i * 24), 0x00CF_F200_0000_FFFFUL | ((ulong)(start & 0xFF_FFFF) << 16) | ((ulong)(start >> 24) << 56));
                }
            });
        for (uint i = 0; i < 16; i++)
            Assert.Equal(10 + (i % 2), guest.Next());
    }

    /// <summary>A walk marks entries as used and written: where an entry is part of an instruction, that is another one then.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter, 1)]
    [InlineData(EngineKind.Interpreter, 3)]
    [InlineData(EngineKind.Translator, 1)]
    [InlineData(EngineKind.Translator, 3)]
    [InlineData(EngineKind.Check, 1)]
    [InlineData(EngineKind.Check, 3)]
    public void AMarkInAPageTableIsAWriteToIt(EngineKind kind, int ring)
    {
        const uint index = 5;
        const uint entry = GuestPlan.Scratch | (uint)(PageFlags.Present | PageFlags.Writable | PageFlags.User);
        const uint at = GuestPlan.SpareTable + (index * 4);
        using BareGuest guest = new(kind, ring, memory =>
            memory.WriteUInt32(GuestPlan.Directory + ((Window >> 22) * 4), GuestPlan.SpareTable | (uint)PageFlags.Linear));
        guest.Write(at - 1, [0xB8, .. BitConverter.GetBytes(entry), 0xC3]); // mov eax, entry; ret
        byte[] Call(uint from) => [0xE8, .. BitConverter.GetBytes(at - 1 - (GuestPlan.Code + from + 5))];
        byte[] Touch(byte opcode) => [opcode, 0x0D, .. BitConverter.GetBytes(Window + (index << Page.Shift))]; // mov ecx, [page] or back
        guest.Write(
            GuestPlan.Code,
            [.. Call(0), 0x89, 0xC6, .. Touch(0x8B), .. Call(13), 0x89, 0xC7, .. Touch(0x89), .. Call(26), 0xCD, 0x80]);
        Assert.Equal(ExitKind.SoftwareInterrupt, guest.Run(GuestPlan.Virtual(GuestPlan.Code)).Kind);
        Assert.Equal(entry, guest.Core.Cpu->Arch.Registers[(int)GeneralRegister.Esi]);
        Assert.Equal(entry | (uint)PageFlags.Accessed, guest.Core.Cpu->Arch.Registers[(int)GeneralRegister.Edi]);
        Assert.Equal(entry | (uint)(PageFlags.Accessed | PageFlags.Dirty), guest.Eax);
    }

    /// <summary>The address of the unit's last instruction, when that was not in this run, is the guest's, whatever it looks like.</summary>
    [FactNeeding(Need.Translator)]
    public void AnAddressOfTheGuestsIsNotTakenForOneOfTheHosts()
    {
        using BareGuest guest = new(EngineKind.Translator, 1);
        guest.Write(GuestPlan.Code, 0x0F, 0x57, 0xC0, 0xCD, 0x80); // xorps xmm0, xmm0; int $0x80
        uint eip = GuestPlan.Virtual(GuestPlan.Code);
        guest.Run(eip);
        FxImage* image = &guest.Core.Cpu->Arch.Float;

        // AMD's processors keep the address only while an exception is pending.
        image->Control = FxImage.ControlInitial & ~1;
        image->Status = FxImage.StatusBusy | FxImage.StatusErrorSummary | 1;
        uint odd = (uint)(ulong)((TranslatorCore)guest.Core).NextBlock()!.Host;
        image->InstructionOffset = odd;
        guest.Run(eip);
        Assert.Equal(odd, image->InstructionOffset);
    }

    /// <summary>An engine that cannot be opened gives back what it has taken already.</summary>
    [FactNeeding(Need.Translator)]
    public void AnEngineThatDoesNotOpenKeepsNothing()
    {
        ProcessResult result = ChildProgram.Run(nameof(Signals.SignalChild), "no timers");
        Assert.True(result is { Status: 0, Output: "done\n" }, $"status {result.Status}: {result.Output}{result.Error}");
    }
}
