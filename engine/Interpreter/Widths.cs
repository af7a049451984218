// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Interpreter;

/// <summary>An operand width, as a type parameter: the JIT makes one body of a handler for each.</summary>
internal unsafe interface IWidth
{
    /// <summary>Bytes.</summary>
    static abstract int Size { get; }

    /// <summary>32 minus bits: moves the operand's top bit to bit 31.</summary>
    static abstract int Shift { get; }

    /// <summary>Reads host memory, zero-extended.</summary>
    static abstract uint Load(byte* from);

    /// <summary>Writes host memory.</summary>
    static abstract void Store(byte* to, uint value);

    /// <summary>Sign-extends.</summary>
    static abstract int Extend(uint value);
}

internal readonly unsafe struct Width8 : IWidth
{
    public static int Size => 1;

    public static int Shift => 24;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Load(byte* from) => *from;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* to, uint value) => *to = (byte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Extend(uint value) => (sbyte)value;
}

internal readonly unsafe struct Width16 : IWidth
{
    public static int Size => 2;

    public static int Shift => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Load(byte* from) => *(ushort*)from;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* to, uint value) => *(ushort*)to = (ushort)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Extend(uint value) => (short)value;
}

internal readonly unsafe struct Width32 : IWidth
{
    public static int Size => 4;

    public static int Shift => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Load(byte* from) => *(uint*)from;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* to, uint value) => *(uint*)to = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Extend(uint value) => (int)value;
}

/// <summary>Where a handler's operand is: these are what every handler begins and ends with.</summary>
internal static unsafe class Operand
{
    /// <summary>Offset of %eax; the other general registers follow.</summary>
    public static readonly byte FirstRegister = checked((byte)State.Register(GeneralRegister.Eax).Offset);

    /// <summary>Offset of a register that is always 0.</summary>
    public static readonly byte Zero = checked((byte)State.Zero.Offset);

    /// <summary>Offset of the address that was worked out ahead of its instruction.</summary>
    public static readonly byte EffectiveAddress = checked((byte)State.EffectiveAddress.Offset);

    /// <summary>The register at a byte offset of the processor state.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Get<TWidth>(CpuState* cpu, int offset)
        where TWidth : struct, IWidth => TWidth.Load((byte*)cpu + offset);

    /// <summary>Writes a register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set<TWidth>(CpuState* cpu, int offset, uint value)
        where TWidth : struct, IWidth => TWidth.Store((byte*)cpu + offset, value);

    /// <summary>A register by its name: its low part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Get<TWidth>(CpuState* cpu, GeneralRegister register)
        where TWidth : struct, IWidth => TWidth.Load((byte*)&cpu->Arch.Registers[(int)register]);

    /// <summary>Writes a register by its name.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set<TWidth>(CpuState* cpu, GeneralRegister register, uint value)
        where TWidth : struct, IWidth => TWidth.Store((byte*)&cpu->Arch.Registers[(int)register], value);

    /// <summary>The linear address of the memory operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Address(CpuState* cpu, MicroOp* op) =>
        *(uint*)((byte*)cpu + op->Base) + (*(uint*)((byte*)cpu + op->Index) << op->Scale) + op->Displacement;
}
