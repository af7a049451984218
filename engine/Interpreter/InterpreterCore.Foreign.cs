// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Interpreter;

/// <summary>Code in memory that other processes can write: run, and never kept.</summary>
public sealed unsafe partial class InterpreterCore
{
    /// <summary>
    /// The op that stands for an instruction in memory that other processes can write: it is decoded anew each time, from bytes
    /// that are read once, since nobody would say that they have changed.
    /// </summary>
    internal static MicroOp* RunForeign(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        // Its faults come as exceptions: it is not this op that they would have to be taken back from.
        bool quietly = core._quietLoop;
        core._quietLoop = false;
        MicroOp* next = core._builder.BuildSingle(op->Eip);
        while (core._builder.IsSingle(next))
        {
            core._current = next;
            next = next->Handler(core, cpu, next);
        }

        core._quietLoop = quietly;
        return next;
    }
}
