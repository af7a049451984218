// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.FloatingPoint;

namespace Lguest.Tests.FloatingPoint;

/// <summary>A processor with nothing but a floating-point unit: executes single instructions on an operand in scratch.</summary>
internal sealed unsafe class Machine : IDisposable
{
    private readonly FloatingPointUnit _unit = new();

    public Machine()
    {
        Cpu = (CpuState*)NativeMemory.AlignedAlloc(CpuState.ByteSize, 4096);
        new Span<byte>(Cpu, CpuState.ByteSize).Clear();
        Cpu->Arch.Flags = EFlags.Fixed | EFlags.Interrupt;
        Image->Initialize();
        Image->Mxcsr = 0x1F80;
        Image->MxcsrMask = 0xFFFF;
    }

    public CpuState* Cpu { get; }

    public FxImage* Image => &Cpu->Arch.Float;

    public Span<byte> Scratch => new(Cpu->Scratch, 512);

    public static Instruction Decode(params ReadOnlySpan<byte> code) =>
        Decoder.Create(32, code.ToArray(), 0x1000).Decode();

    public FloatingPointOperation? Compile(params ReadOnlySpan<byte> code) => _unit.Compile(Decode(code));

    /// <summary>Executes one instruction.</summary>
    /// <returns>The exception vector, 0 for none.</returns>
    public byte Run(params ReadOnlySpan<byte> code) =>
        (Compile(code) ?? throw new InvalidOperationException($"refused: {Decode(code)}")).Execute(Cpu);

    public double Top
    {
        get
        {
            byte* cpu = Cpu->Scratch;
            Assert.Equal(0, Run(0xDD, 0x10)); // fst qword
            return *(double*)cpu;
        }
    }

    public void SetXmm(int register, params ReadOnlySpan<float> values) =>
        values.CopyTo(new Span<float>(Image->Xmm + (16 * register), 4));

    public float[] Xmm(int register) => new Span<float>(Image->Xmm + (16 * register), 4).ToArray();

    public void Dispose()
    {
        _unit.Dispose();
        NativeMemory.AlignedFree(Cpu);
    }
}
