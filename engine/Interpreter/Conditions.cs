// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Interpreter;

/// <summary>What Jcc, SETcc and CMOVcc ask of the flags.</summary>
internal unsafe interface ICondition
{
    static abstract bool Holds(CpuState* cpu);
}

internal readonly unsafe struct IfOverflow : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => LazyFlags.Overflow(cpu->FlagAux);
}

internal readonly unsafe struct IfBelow : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => (int)cpu->FlagAux < 0;
}

internal readonly unsafe struct IfEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => cpu->FlagResult == 0;
}

internal readonly unsafe struct IfBelowOrEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => (int)cpu->FlagAux < 0 || cpu->FlagResult == 0;
}

internal readonly unsafe struct IfSign : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => LazyFlags.Sign(cpu->FlagResult, cpu->FlagAux);
}

internal readonly unsafe struct IfParity : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => LazyFlags.Parity(cpu->FlagResult, cpu->FlagAux);
}

internal readonly unsafe struct IfLess : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => LazyFlags.Less(cpu->FlagResult, cpu->FlagAux);
}

internal readonly unsafe struct IfLessOrEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => cpu->FlagResult == 0 || LazyFlags.Less(cpu->FlagResult, cpu->FlagAux);
}

internal readonly unsafe struct IfNot<TCondition> : ICondition
    where TCondition : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => !TCondition.Holds(cpu);
}
