// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>Floating point: whatever the unit for it knows.</summary>
internal sealed unsafe partial class InstructionSelector
{
    private Handler SelectFloat(in Instruction i) => null;
}
