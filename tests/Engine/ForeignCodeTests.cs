// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Engine;
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// Code in a page that other processes can write (--sharenet's): it is interpreted from bytes that are read once, and nothing of
/// it is kept, so that what others write there is what runs next, and never runs on the host.
/// </summary>
public sealed unsafe class ForeignCodeTests
{
    private const uint Shared = GuestPlan.Scratch + Page.Size;
    private const uint GetProcessId = 39;
    private static readonly TimeSpan s_racing = TimeSpan.FromSeconds(1);

    public static TheoryData<EngineKind, int> Guests => new()
    {
        { EngineKind.Interpreter, 1 }, { EngineKind.Interpreter, 3 },
        { EngineKind.Translator, 1 }, { EngineKind.Translator, 3 },
        { EngineKind.Check, 1 }, { EngineKind.Check, 3 },
    };

    [Theory]
    [MemberData(nameof(Guests))]
    public void ItRunsAsItIsNowAndIsNeverTranslated(EngineKind kind, int ring)
    {
        ForeignPage? page = null;
        using BareGuest guest = new(kind, ring, memory => page = new ForeignPage(memory, Shared));
        using ForeignPage shared = page!;
        for (int i = 1; i < 100; i++)
        {
            // mov eax, i; inc eax; jmp +1; (never) ; int 0x80
            shared.Write(0, 0xB8, (byte)i, 0, 0, 0, 0x40, 0xEB, 0x01, 0xCC, 0xCD, 0x80);
            Assert.Equal(ExitKind.SoftwareInterrupt, guest.Run(GuestPlan.Virtual(Shared)).Kind);
            Assert.Equal((uint)i + 1, guest.Eax);
        }

        Assert.Equal(0, guest.BlocksTranslated);
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void AnInstructionThatEndsThereIsNotTranslatedEither(EngineKind kind, int ring)
    {
        ForeignPage? page = null;
        using BareGuest guest = new(kind, ring, memory => page = new ForeignPage(memory, Shared));
        using ForeignPage shared = page!;
        guest.Write(Shared - 2, 0xB8, 0x11);
        for (int i = 1; i < 100; i++)
        {
            shared.Write(0, (byte)i, 0, 0, 0xCD, 0x80);
            Assert.Equal(ExitKind.SoftwareInterrupt, guest.Run(GuestPlan.Virtual(Shared - 2)).Kind);
            Assert.Equal(((uint)i << 8) | 0x11, guest.Eax);
        }

        // The block that leaves for the interpreter is the own page's: it has nothing of the other.
        if (guest.Core is TranslatorCore translator)
        {
            BlockKey key = new(Shared - 2, GuestPlan.Virtual(Shared - 2), ring == 3 ? TranslationMode.User : TranslationMode.None, ring == 3 ? Shared : 0);
            Assert.Equal(0, translator.Translated(key)!.Bytes2);
        }
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void OwnCodeThatGoesThereAndBackIsTranslated(EngineKind kind, int ring)
    {
        ForeignPage? page = null;
        using BareGuest guest = new(kind, ring, memory => page = new ForeignPage(memory, Shared));
        using ForeignPage shared = page!;

        // jmp Shared; there: add eax, i; jmp back; here: inc eax; int 0x80.
        guest.Write(GuestPlan.Scratch, 0xE9, 0xFB, 0x0F, 0x00, 0x00);
        guest.Write(GuestPlan.Scratch + 0x20, 0x40, 0xCD, 0x80);
        for (int i = 1; i < 100; i++)
        {
            shared.Write(0, 0x83, 0xC0, (byte)i, 0xE9, 0x18, 0xF0, 0xFF, 0xFF);
            Assert.Equal(ExitKind.SoftwareInterrupt, guest.Run(GuestPlan.Virtual(GuestPlan.Scratch), eax: 5).Kind);
            Assert.Equal((uint)i + 6, guest.Eax);
        }

        Assert.Equal(kind == EngineKind.Interpreter ? 0 : 2, guest.BlocksTranslated);
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void WhatRunsIsWhatWasLookedAt(EngineKind kind, int ring)
    {
        ForeignPage? page = null;
        using BareGuest guest = new(kind, ring, memory => page = new ForeignPage(memory, Shared));
        using ForeignPage shared = page!;

        // mov eax, 39; nop; add eax, ebx (or SYSCALL: getpid); int 0x80. The guest writes there too, so that what is kept would go.
        shared.Write(0, 0xB8, (byte)GetProcessId, 0, 0, 0, 0x90, 0x01, 0xD8, 0xCD, 0x80);
        using Flipper others = Flipper.Of((ushort*)(shared.Others + 6), 0x050F, 0xD801);
        Stopwatch clock = Stopwatch.StartNew();
        for (int i = 0; clock.Elapsed < s_racing; i++)
        {
            guest.Write(Shared + 1, (byte)GetProcessId);
            guest.Core.Cpu->Arch.Registers[(int)GeneralRegister.Ebx] = 1;
            CpuExit exit = guest.Run(GuestPlan.Virtual(Shared));
            if (exit.Kind == ExitKind.SoftwareInterrupt)
                Assert.Equal(GetProcessId + 1, guest.Eax);
            else
                Assert.Equal((ExitKind.Exception, (byte)6), (exit.Kind, exit.Vector));
        }

        Assert.Equal(0, guest.BlocksTranslated);
    }

    /// <summary>Data that others write is no code, but both engines of --engine=check look at it, one after the other.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void DataThatChangesMeanwhileIsNoDisagreement(int ring)
    {
        ForeignPage? page = null;
        using BareGuest guest = new(EngineKind.Check, ring, memory => page = new ForeignPage(memory, Shared));
        using ForeignPage shared = page!;

        // mov eax, [Shared]; inc dword [Shared + 8]; int 0x80
        uint data = GuestPlan.Virtual(Shared);
        guest.Write(GuestPlan.Scratch, [0xA1, .. BitConverter.GetBytes(data), 0xFF, 0x05, .. BitConverter.GetBytes(data + 8), 0xCD, 0x80]);
        using Flipper others = Flipper.Of((uint*)shared.Others, 1, 2, 3);
        HashSet<uint> seen = [];
        CheckCore core = (CheckCore)guest.Core;

        // On a busy machine it may be long until the other thread has the processor just between the engines' looks.
        for (Stopwatch clock = Stopwatch.StartNew(); clock.Elapsed < s_racing || (core.Unchecked == 0 && clock.Elapsed < Deadline.Patience);)
        {
            Assert.Equal(ExitKind.SoftwareInterrupt, guest.Run(GuestPlan.Virtual(GuestPlan.Scratch)).Kind);
            seen.Add(guest.Eax);
        }

        Assert.True(seen.Count > 1, string.Join(", ", seen));
        Assert.NotEqual(0, core.Unchecked);
    }
}
