// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Interpreter;

/// <summary>Where an operand that is only read comes from.</summary>
internal unsafe interface ISource
{
    static abstract uint Get<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth;
}

/// <summary>The register named by <see cref="MicroOp.Source"/>.</summary>
internal readonly unsafe struct FromRegister : ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Get<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth => Operand.Get<TWidth>(cpu, op->Source);
}

/// <summary>The memory operand.</summary>
internal readonly unsafe struct FromMemory : ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Get<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth => core.ReadLinear<TWidth>(cpu, Operand.Address(cpu, op));
}

/// <summary>The immediate.</summary>
internal readonly unsafe struct FromImmediate : ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Get<TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TWidth : struct, IWidth => op->Immediate;
}
