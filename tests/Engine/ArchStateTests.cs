// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi.Processor;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts;

/// <summary>What is the guest's of a processor is all that another one needs to go on in its place.</summary>
public sealed unsafe class ArchStateTests
{
    /// <summary>
    /// A program that has something in every part of the state stops half-way, and its state goes, as bytes, to a processor of
    /// another kind, which has never run: it goes on as if nothing had been.
    /// </summary>
    [TheoryNeeding(Need.Translator)]
    [InlineData(EngineKind.Interpreter, EngineKind.Translator, 1)]
    [InlineData(EngineKind.Interpreter, EngineKind.Translator, 3)]
    [InlineData(EngineKind.Translator, EngineKind.Interpreter, 1)]
    [InlineData(EngineKind.Translator, EngineKind.Interpreter, 3)]
    [InlineData(EngineKind.Translator, EngineKind.Check, 3)]
    public void AnotherProcessorGoesOnWithIt(EngineKind first, EngineKind second, int ring)
    {
        using BareGuest from = new(first, ring);
        using BareGuest to = new(second, ring);
        byte[] code =
        [
            0xD9, 0xE8, // fld1
            0x0F, 0x57, 0xC9, 0x66, 0x0F, 0x76, 0xC9, // xorps xmm1, xmm1; pcmpeqd xmm1, xmm1
            0xBB, 0x44, 0x33, 0x22, 0x11, // mov ebx, 0x11223344
            0x31, 0xC9, 0x83, 0xE9, 0x01, // xor ecx, ecx; sub ecx, 1: CF, SF, AF, PF
            0xFD, // std
            0xCD, 0x80, // int 0x80
            0x9C, 0x58, // pushf; pop eax
            0xD8, 0xC0, // fadd st, st
            0x51, 0xDB, 0x1C, 0x24, 0x59, // push ecx; fistp dword [esp]; pop ecx
            0x66, 0x0F, 0x7E, 0xCA, // movd edx, xmm1
            0xFC, // cld
            0xCD, 0x80,
        ];
        from.Write(GuestPlan.Code, code);
        to.Write(GuestPlan.Code, code);
        Assert.Equal(ExitKind.SoftwareInterrupt, from.Run(GuestPlan.Virtual(GuestPlan.Code)).Kind);

        byte[] kept = MemoryMarshal.AsBytes(new ReadOnlySpan<ArchState>(in from.Core.Cpu->Arch)).ToArray();
        Assert.Equal(ArchState.ByteSize, kept.Length);
        to.Core.Cpu->Arch = MemoryMarshal.Read<ArchState>(kept);
        Assert.Equal(ExitKind.SoftwareInterrupt, to.GoOn().Kind);

        const uint flags = EFlags.Carry | EFlags.Parity | EFlags.Adjust | EFlags.Sign | EFlags.Direction;
        ref ArchState state = ref to.Core.Cpu->Arch;
        Assert.Equal(flags, state[GeneralRegister.Eax] & (EFlags.Arithmetic | EFlags.Direction));
        Assert.Equal(2u, state[GeneralRegister.Ecx]);
        Assert.Equal(uint.MaxValue, state[GeneralRegister.Edx]);
        Assert.Equal(0x1122_3344u, state[GeneralRegister.Ebx]);
        Assert.Equal((uint)ring, state.Cpl);
        Assert.True(MemoryMarshal.AsBytes(from.Core.Cpu->Arch.Segments).SequenceEqual(MemoryMarshal.AsBytes(state.Segments)));
    }
}
