// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Cpu;
using Lguest.Engine.Interpreter;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// A repeated store over a page with code: a kernel that clears its own initialization's. What is about to go goes at once, so that
/// the page is filled as any other; block by block and word by word it took a fiftieth of a boot.
/// </summary>
public sealed unsafe class OverwrittenCodeTests
{
    private const uint Frame = GuestPlan.Scratch + Page.Size;

    [Theory]
    [InlineData(0x000u, 0x1000)] // all of the page
    [InlineData(0x800u, 0x0800)] // its second half, where the code is
    public void ItGoesAtOnce(uint offset, int bytes)
    {
        using BareGuest guest = new(EngineKind.Interpreter, ring: 1);
        DerivedCode code = new(Frame, 0x800);
        ((InterpreterCore)guest.Core).ForeignCode = code;
        Fill(guest, offset, bytes);
        Assert.InRange(code.Changes, 1, 4);
        Assert.False(code.HasCode(Frame));
        Assert.Equal(bytes, guest.Memory.Read(Frame, Page.Size).Count((byte)0xCC));
    }

    [Fact]
    public void WhatIsNotOverwrittenStays()
    {
        using BareGuest guest = new(EngineKind.Interpreter, ring: 1);
        DerivedCode code = new(Frame, 0x800);
        ((InterpreterCore)guest.Core).ForeignCode = code;
        Fill(guest, 0x400, 0x800);
        Assert.True(code.HasCode(Frame));
        Assert.Equal(0x400, code.Left);
        Assert.Equal(0x800, guest.Memory.Read(Frame, Page.Size).Count((byte)0xCC));
    }

    /// <summary>cld; mov edi, there; mov ecx, words; rep stosd; int 0x80.</summary>
    private static void Fill(BareGuest guest, uint offset, int bytes)
    {
        guest.Write(
            GuestPlan.Scratch,
            [0xFC, 0xBF, .. BitConverter.GetBytes(GuestPlan.Virtual(Frame + offset)), 0xB9, .. BitConverter.GetBytes(bytes / sizeof(uint)), 0xF3, 0xAB, 0xCD, 0x80]);
        Assert.Equal(ExitKind.SoftwareInterrupt, guest.Run(GuestPlan.Virtual(GuestPlan.Scratch), eax: 0xCCCC_CCCC).Kind);
        Assert.Equal(0u, guest.Core.Cpu->Arch.Registers[(int)GeneralRegister.Ecx]);
    }

    /// <summary>Code that was made of the end of a frame, and how often it is said that something of the frame changes.</summary>
    private sealed class DerivedCode(uint frame, uint from) : IForeignCode
    {
        private readonly bool[] _derived = [.. Enumerable.Range(0, (int)Page.Size).Select(at => at >= from)];

        public int Changes { get; private set; }

        public int Left => _derived.Count(static derived => derived);

        public bool HasCode(uint physical) => (physical & ~Page.OffsetMask) == frame && Left > 0;

        public void WillChange(uint physical, int size)
        {
            if ((physical & ~Page.OffsetMask) != frame)
                return;
            Changes++;
            _derived.AsSpan((int)(physical & Page.OffsetMask), size).Clear();
        }

        public void Decoded(uint frame)
        {
        }

        public void Touched(uint page)
        {
        }
    }
}
