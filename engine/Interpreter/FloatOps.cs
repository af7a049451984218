// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Interpreter;

/// <summary>x87, MMX, SSE and SSE2, and a few instructions that only touch memory.</summary>
internal static unsafe class FloatOps
{
    /// <summary>CLFLUSH: nothing but a read that may fault.</summary>
    public static MicroOp* Touch(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        core.ReadLinear<Width8>(cpu, Operand.Address(cpu, op));
        return op + 1;
    }

    /// <summary>SMSW to memory.</summary>
    public static MicroOp* StoreMachineStatus(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        core.WriteLinear<Width16>(cpu, Operand.Address(cpu, op), 0x33u | (cpu->TaskSwitched != 0 ? 8u : 0));
        return op + 1;
    }
}
