// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>MUL, IMUL, DIV, IDIV.</summary>
internal static unsafe class MultiplyOps
{
    public static MicroOp* Mul<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        ulong product = (ulong)Operand.Get<TWidth>(cpu, GeneralRegister.Eax) * TSource.Get<TWidth>(core, cpu, op);
        StoreProduct<TWidth>(cpu, product);
        SetFlags<TWidth>(cpu, (uint)product, product >> (32 - TWidth.Shift) != 0);
        return op + 1;
    }

    public static MicroOp* ImulWide<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        long product = (long)TWidth.Extend(Operand.Get<TWidth>(cpu, GeneralRegister.Eax)) * TWidth.Extend(TSource.Get<TWidth>(core, cpu, op));
        StoreProduct<TWidth>(cpu, (ulong)product);
        SetFlags<TWidth>(cpu, (uint)product, TWidth.Extend((uint)product) != product);
        return op + 1;
    }

    /// <summary>IMUL reg, r/m.</summary>
    public static MicroOp* Imul2<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth =>
        Narrow<TWidth>(cpu, op, Operand.Get<TWidth>(cpu, op->Destination), TSource.Get<TWidth>(core, cpu, op));

    /// <summary>IMUL reg, r/m, imm.</summary>
    public static MicroOp* Imul3<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth =>
        Narrow<TWidth>(cpu, op, op->Immediate, TSource.Get<TWidth>(core, cpu, op));

    public static MicroOp* Div<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        uint divisor = TSource.Get<TWidth>(core, cpu, op);
        if (divisor == 0)
            throw core.Raise(ExceptionVector.DivideError);
        ulong dividend = Dividend<TWidth>(cpu);
        ulong quotient = dividend / divisor;
        if (quotient > uint.MaxValue >> TWidth.Shift)
            throw core.Raise(ExceptionVector.DivideError);
        StoreQuotient<TWidth>(cpu, (uint)quotient, (uint)(dividend % divisor));
        return op + 1;
    }

    public static MicroOp* Idiv<TSource, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TSource : struct, ISource
        where TWidth : struct, IWidth
    {
        int divisor = TWidth.Extend(TSource.Get<TWidth>(core, cpu, op));
        long dividend = (long)Dividend<TWidth>(cpu);
        if (TWidth.Size == 1)
            dividend = (short)dividend;
        else if (TWidth.Size == 2)
            dividend = (int)dividend;

        // The most negative dividend by -1 has no quotient, nor can C# work it out.
        if (divisor == 0 || (divisor == -1 && dividend == long.MinValue))
            throw core.Raise(ExceptionVector.DivideError);
        long quotient = dividend / divisor;
        if (quotient != TWidth.Extend((uint)quotient))
            throw core.Raise(ExceptionVector.DivideError);
        StoreQuotient<TWidth>(cpu, (uint)quotient, (uint)(dividend % divisor));
        return op + 1;
    }

    private static MicroOp* Narrow<TWidth>(CpuState* cpu, MicroOp* op, uint a, uint b)
        where TWidth : struct, IWidth
    {
        long product = (long)TWidth.Extend(a) * TWidth.Extend(b);
        Operand.Set<TWidth>(cpu, op->Destination, (uint)product);
        SetFlags<TWidth>(cpu, (uint)product, TWidth.Extend((uint)product) != product);
        return op + 1;
    }

    private static void SetFlags<TWidth>(CpuState* cpu, uint low, bool overflow)
        where TWidth : struct, IWidth
    {
        cpu->Arch.FlagResult = TWidth.Extend(low);
        cpu->Arch.FlagAux = LazyFlags.Make(overflow ? 1u : 0, overflow ? 1u : 0, 0);
    }

    private static void StoreProduct<TWidth>(CpuState* cpu, ulong product)
        where TWidth : struct, IWidth
    {
        if (TWidth.Size == 1)
        {
            *(ushort*)cpu->Arch.Registers = (ushort)product;
            return;
        }

        Operand.Set<TWidth>(cpu, GeneralRegister.Eax, (uint)product);
        Operand.Set<TWidth>(cpu, GeneralRegister.Edx, (uint)(product >> (32 - TWidth.Shift)));
    }

    private static ulong Dividend<TWidth>(CpuState* cpu)
        where TWidth : struct, IWidth =>
        TWidth.Size == 1 ? *(ushort*)cpu->Arch.Registers : ((ulong)Operand.Get<TWidth>(cpu, GeneralRegister.Edx) << (32 - TWidth.Shift)) | Operand.Get<TWidth>(cpu, GeneralRegister.Eax);

    private static void StoreQuotient<TWidth>(CpuState* cpu, uint quotient, uint remainder)
        where TWidth : struct, IWidth
    {
        Operand.Set<TWidth>(cpu, GeneralRegister.Eax, quotient);
        if (TWidth.Size == 1)
            *((byte*)cpu->Arch.Registers + 1) = (byte)remainder;
        else
            Operand.Set<TWidth>(cpu, GeneralRegister.Edx, remainder);
    }
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>Multiplication and division.</summary>
    private Handler SelectMultiply(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Mul:
                return Source(in i, 0, &MultiplyOps.Mul<FromRegister, Width8>, &MultiplyOps.Mul<FromRegister, Width16>, &MultiplyOps.Mul<FromRegister, Width32>, &MultiplyOps.Mul<FromMemory, Width8>, &MultiplyOps.Mul<FromMemory, Width16>, &MultiplyOps.Mul<FromMemory, Width32>);
            case Mnemonic.Div:
                return Source(in i, 0, &MultiplyOps.Div<FromRegister, Width8>, &MultiplyOps.Div<FromRegister, Width16>, &MultiplyOps.Div<FromRegister, Width32>, &MultiplyOps.Div<FromMemory, Width8>, &MultiplyOps.Div<FromMemory, Width16>, &MultiplyOps.Div<FromMemory, Width32>);
            case Mnemonic.Idiv:
                return Source(in i, 0, &MultiplyOps.Idiv<FromRegister, Width8>, &MultiplyOps.Idiv<FromRegister, Width16>, &MultiplyOps.Idiv<FromRegister, Width32>, &MultiplyOps.Idiv<FromMemory, Width8>, &MultiplyOps.Idiv<FromMemory, Width16>, &MultiplyOps.Idiv<FromMemory, Width32>);
            case Mnemonic.Imul:
                return Imul(in i);
            default:
                return null;
        }
    }

    private Handler Imul(in Instruction i)
    {
        if (i.OpCount == 1)
            return Source(in i, 0, &MultiplyOps.ImulWide<FromRegister, Width8>, &MultiplyOps.ImulWide<FromRegister, Width16>, &MultiplyOps.ImulWide<FromRegister, Width32>, &MultiplyOps.ImulWide<FromMemory, Width8>, &MultiplyOps.ImulWide<FromMemory, Width16>, &MultiplyOps.ImulWide<FromMemory, Width32>);
        _proto.Destination = Offset(i.Op0Register);
        if (i.OpCount == 2)
            return Source(in i, 1, null, &MultiplyOps.Imul2<FromRegister, Width16>, &MultiplyOps.Imul2<FromRegister, Width32>, null, &MultiplyOps.Imul2<FromMemory, Width16>, &MultiplyOps.Imul2<FromMemory, Width32>);
        _proto.Immediate = Immediate(in i, 2, Width(in i, 0));
        return Source(in i, 1, null, &MultiplyOps.Imul3<FromRegister, Width16>, &MultiplyOps.Imul3<FromRegister, Width32>, null, &MultiplyOps.Imul3<FromMemory, Width16>, &MultiplyOps.Imul3<FromMemory, Width32>);
    }
}
