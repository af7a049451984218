// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Check;
using Lguest.Engine.Cpu;
using Lguest.Tests.Support;

namespace Lguest.Tests.Differential;

/// <summary>The table of vendor differences forgives what it says, exactly that, and only on the processors it says it of.</summary>
public sealed class VendorRulesTests
{
    private const uint Slot = Layout.Stack + 0x100;
    private static readonly int s_slotAt = Layout.ImageOffset(Slot);

    private readonly Snippet _snippet = new() { Offset = 0x100 };
    private readonly Outcome _processor = new();
    private readonly Outcome _other = new();

    public VendorRulesTests()
    {
        for (int i = 0; i < Layout.ImageBytes; i++)
            _snippet.Memory[i] = (byte)(i | 1);
        foreach (Outcome outcome in new[] { _processor, _other })
        {
            _snippet.Memory.CopyTo(outcome.Memory, 0);
            outcome.Vector = Outcome.NoVector;
            outcome.After.Flags = EFlags.Fixed | EFlags.Interrupt;
            outcome.After.Eip = _snippet.Start;
        }
    }

    public static TheoryData<string> Cases => ["push", "push-faults", "flags", "order", "bound", "top", "lock"];

    [Theory]
    [MemberData(nameof(Cases))]
    public void WhatAmdDoesIsForgivenOnAmd(string what)
    {
        Prepare(what);
        Assert.False(Same());
        new VendorRules(ProcessorVendor.Amd).Apply(_snippet, _processor, _other);
        Assert.True(Same());
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void AndNowhereElse(string what)
    {
        foreach (ProcessorVendor vendor in new[] { ProcessorVendor.Intel, ProcessorVendor.Other })
        {
            Prepare(what);
            new VendorRules(vendor).Apply(_snippet, _processor, _other);
            Assert.False(Same());
        }
    }

    /// <summary>What neither maker's processors do stays a disagreement on AMD's too.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void WhatIsNotInTheTableIsNotForgiven(string what)
    {
        Prepare(what);
        switch (what)
        {
            case "push":
                _processor.Memory[s_slotAt + 2] = 7;
                break;
            case "push-faults":
                _processor.FaultAddress++;
                break;
            case "flags":
                _processor.After.Flags ^= EFlags.Parity;
                break;
            case "order":
                _processor.FaultAddress -= 4;
                break;
            case "bound":
                _processor.FaultAddress -= 4;
                break;
            case "top":
                _other.FaultAddress = 0xFFFF_FFFC;
                break;
            case "lock":
                _snippet.Code = [0x0F, 0x20, 0xC3];
                break;
        }

        new VendorRules(ProcessorVendor.Amd).Apply(_snippet, _processor, _other);
        Assert.False(Same());
    }

    [Theory]
    [InlineData("GenuineIntel", ProcessorVendor.Intel)]
    [InlineData("AuthenticAMD", ProcessorVendor.Amd)]
    [InlineData("HygonGenuine", ProcessorVendor.Amd)]
    [InlineData("CentaurHauls", ProcessorVendor.Other)]
    public void VendorsAreKnownByTheirNames(string id, ProcessorVendor vendor) => Assert.Equal(vendor, HostProcessor.VendorOf(id));

    [Theory]
    [InlineData(0x00A0_0F11u, 25, 1)] // AMD EPYC 7003
    [InlineData(0x0005_0654u, 6, 85)] // Intel Xeon of the Skylake generation
    [InlineData(0x0000_06D8u, 6, 13)] // the guest's
    public void FamiliesAndModelsAreDecoded(uint signature, int family, int model) => Assert.Equal((family, model), HostProcessor.Decode(signature));

    /// <summary>The table for people is the table that is used.</summary>
    [Fact]
    public void TheDocumentHasEveryEntry()
    {
        string text = File.ReadAllText(Path.Combine(Needs.Root, "docs", "processor.md"));
        foreach (VendorDifference one in VendorDifferences.All)
            Assert.Contains($"| {one.Instructions} | {one.Intel} | {one.Amd} | {one.Guest} | {one.Source} |", text, StringComparison.Ordinal);
    }

    private void Prepare(string what)
    {
        const int esp = 4, ecx = 1, esi = 6, edi = 7;
        switch (what)
        {
            case "push":
                _snippet.Code = [0x0F, 0xA0];
                Both(esp, Slot);
                _processor.Memory.AsSpan(s_slotAt, 4).Clear();
                _other.Memory.AsSpan(s_slotAt, 2).Clear();
                break;
            case "push-faults":
                // The slot's upper half is in the page after the stack's.
                _snippet.Code = [0x0F, 0xA0];
                const uint end = Layout.Stack + Layout.PageSize;
                _processor.After.Registers[esp] = end + 2;
                Fault(_processor, 14, 6, end);
                _other.After.Registers[esp] = end - 2;
                _other.After.Eip = _snippet.End;
                _other.Memory.AsSpan(Layout.ImageOffset(end - 2), 2).Clear();
                break;
            case "flags":
                // repne scasb: 0x80 was compared with 0x7f, then the page ended.
                _snippet.Code = [0xF2, 0xAE];
                Both(0, 0x80);
                Both(ecx, 3);
                Both(edi, Layout.Data + Layout.DataBytes);
                _processor.Memory[Layout.DataBytes - 1] = _other.Memory[Layout.DataBytes - 1] = 0x7F;
                Fault(_processor, 14, 4, Layout.Data + Layout.DataBytes);
                Fault(_other, 14, 4, Layout.Data + Layout.DataBytes);
                _processor.After.Flags |= EFlags.Overflow | EFlags.Adjust;
                break;
            case "order":
                _snippet.Code = [0xF3, 0xA7];
                Both(ecx, 3);
                Both(esi, 0x5000);
                Both(edi, 0x6000);
                Fault(_processor, 14, 4, 0x5000);
                Fault(_other, 14, 4, 0x6000);
                break;
            case "bound":
                // bound (%edi), %edx: the upper bound begins in the page after.
                _snippet.Code = [0x62, 0x17];
                Both(edi, Layout.Data + Layout.DataBytes - 4);
                Fault(_processor, 14, 4, Layout.Data + Layout.DataBytes);
                Fault(_other, 5, 0, 0);
                break;
            case "top":
                _snippet.Code = [0x50];
                Both(esp, 3);
                Fault(_processor, 12, 0, 0);
                Fault(_other, 14, 6, uint.MaxValue);
                break;
            case "lock":
                _snippet.Code = [0xF0, 0x0F, 0x20, 0xC3];
                Fault(_processor, 13, 0, 0);
                Fault(_other, 6, 0, 0);
                break;
        }
    }

    private void Both(int register, uint value) => _processor.After.Registers[register] = _other.After.Registers[register] = value;

    private static void Fault(Outcome outcome, int vector, uint error, uint address) =>
        (outcome.Vector, outcome.ErrorCode, outcome.FaultAddress) = (vector, error, address);

    private bool Same() => _processor.Vector == _other.Vector && _processor.ErrorCode == _other.ErrorCode && _processor.FaultAddress == _other.FaultAddress
        && _processor.After.Flags == _other.After.Flags && _processor.After.Eip == _other.After.Eip
        && _processor.After.Registers.AsSpan().SequenceEqual(_other.After.Registers) && _processor.Memory.AsSpan().SequenceEqual(_other.Memory);
}
