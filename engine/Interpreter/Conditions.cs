// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>What Jcc, SETcc and CMOVcc ask of the flags.</summary>
internal unsafe interface ICondition
{
    static abstract bool Holds(CpuState* cpu);
}

internal readonly unsafe struct IfOverflow : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => LazyFlags.Overflow(cpu->Arch.FlagAux);
}

internal readonly unsafe struct IfBelow : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => (int)cpu->Arch.FlagAux < 0;
}

internal readonly unsafe struct IfEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => cpu->Arch.FlagResult == 0;
}

internal readonly unsafe struct IfBelowOrEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => (int)cpu->Arch.FlagAux < 0 || cpu->Arch.FlagResult == 0;
}

internal readonly unsafe struct IfSign : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => LazyFlags.Sign(cpu->Arch.FlagResult, cpu->Arch.FlagAux);
}

internal readonly unsafe struct IfParity : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => LazyFlags.Parity(cpu->Arch.FlagResult, cpu->Arch.FlagAux);
}

internal readonly unsafe struct IfLess : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => LazyFlags.Less(cpu->Arch.FlagResult, cpu->Arch.FlagAux);
}

internal readonly unsafe struct IfLessOrEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => cpu->Arch.FlagResult == 0 || LazyFlags.Less(cpu->Arch.FlagResult, cpu->Arch.FlagAux);
}

internal readonly unsafe struct IfNot<TCondition> : ICondition
    where TCondition : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(CpuState* cpu) => !TCondition.Holds(cpu);
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>Jcc, SETcc and CMOVcc.</summary>
    private Handler SelectConditional(in Instruction i) => i.ConditionCode switch
    {
        ConditionCode.o => Condition<IfOverflow>(in i),
        ConditionCode.no => Condition<IfNot<IfOverflow>>(in i),
        ConditionCode.b => Condition<IfBelow>(in i),
        ConditionCode.ae => Condition<IfNot<IfBelow>>(in i),
        ConditionCode.e => Condition<IfEqual>(in i),
        ConditionCode.ne => Condition<IfNot<IfEqual>>(in i),
        ConditionCode.be => Condition<IfBelowOrEqual>(in i),
        ConditionCode.a => Condition<IfNot<IfBelowOrEqual>>(in i),
        ConditionCode.s => Condition<IfSign>(in i),
        ConditionCode.ns => Condition<IfNot<IfSign>>(in i),
        ConditionCode.p => Condition<IfParity>(in i),
        ConditionCode.np => Condition<IfNot<IfParity>>(in i),
        ConditionCode.l => Condition<IfLess>(in i),
        ConditionCode.ge => Condition<IfNot<IfLess>>(in i),
        ConditionCode.le => Condition<IfLessOrEqual>(in i),
        ConditionCode.g => Condition<IfNot<IfLessOrEqual>>(in i),
        _ => null,
    };

    private Handler Condition<TCondition>(in Instruction i)
        where TCondition : struct, ICondition
    {
        if (i.FlowControl == FlowControl.ConditionalBranch)
        {
            _proto.Immediate = Target(in i);
            return &BranchOps.Conditional<TCondition>;
        }

        if (i.OpCount == 1)
        {
            if (IsMemory(in i, 0))
            {
                Memory(in i, 1, write: true);
                return &MoveOps.SetMem<TCondition>;
            }

            _proto.Destination = Offset(i.Op0Register);
            return &MoveOps.SetReg<TCondition>;
        }

        // CMOVcc; FCMOVcc has a condition code too, but no general registers.
        if (!i.Op0Register.IsGPR16() && !i.Op0Register.IsGPR32())
            return null;
        _proto.Destination = Offset(i.Op0Register);
        return Source(in i, 1, null, &MoveOps.Conditional<TCondition, FromRegister, Width16>, &MoveOps.Conditional<TCondition, FromRegister, Width32>, null, &MoveOps.Conditional<TCondition, FromMemory, Width16>, &MoveOps.Conditional<TCondition, FromMemory, Width32>);
    }
}
