// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

/// <summary>One step of a string instruction. Registers are moved by the loop, once the step went well.</summary>
internal unsafe interface IStringStep
{
    /// <summary>Uses [esi].</summary>
    static abstract bool Source { get; }

    /// <summary>Uses [edi].</summary>
    static abstract bool Target { get; }

    /// <summary>[edi] is written.</summary>
    static abstract bool Writes { get; }

    /// <summary>Compares: REPE and REPNE look at ZF.</summary>
    static abstract bool Compares { get; }

    static abstract void Step<TWidth>(InterpreterCore core, CpuState* cpu, uint source, uint target)
        where TWidth : struct, IWidth;
}

internal readonly unsafe struct Movs : IStringStep
{
    public static bool Source => true;

    public static bool Target => true;

    public static bool Writes => true;

    public static bool Compares => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Step<TWidth>(InterpreterCore core, CpuState* cpu, uint source, uint target)
        where TWidth : struct, IWidth
    {
        core.ProbeCopy(cpu, source, target, TWidth.Size);
        core.WriteLinear<TWidth>(cpu, target, core.ReadLinear<TWidth>(cpu, source));
    }
}

internal readonly unsafe struct Stos : IStringStep
{
    public static bool Source => false;

    public static bool Target => true;

    public static bool Writes => true;

    public static bool Compares => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Step<TWidth>(InterpreterCore core, CpuState* cpu, uint source, uint target)
        where TWidth : struct, IWidth => core.WriteLinear<TWidth>(cpu, target, Operand.Get<TWidth>(cpu, GeneralRegister.Eax));
}

internal readonly unsafe struct Lods : IStringStep
{
    public static bool Source => true;

    public static bool Target => false;

    public static bool Writes => false;

    public static bool Compares => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Step<TWidth>(InterpreterCore core, CpuState* cpu, uint source, uint target)
        where TWidth : struct, IWidth => Operand.Set<TWidth>(cpu, GeneralRegister.Eax, core.ReadLinear<TWidth>(cpu, source));
}

internal readonly unsafe struct Scas : IStringStep
{
    public static bool Source => false;

    public static bool Target => true;

    public static bool Writes => false;

    public static bool Compares => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Step<TWidth>(InterpreterCore core, CpuState* cpu, uint source, uint target)
        where TWidth : struct, IWidth => Cmp.Run<TWidth>(cpu, Operand.Get<TWidth>(cpu, GeneralRegister.Eax), core.ReadLinear<TWidth>(cpu, target));
}

internal readonly unsafe struct Cmps : IStringStep
{
    public static bool Source => true;

    public static bool Target => true;

    public static bool Writes => false;

    public static bool Compares => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Step<TWidth>(InterpreterCore core, CpuState* cpu, uint source, uint target)
        where TWidth : struct, IWidth
    {
        // When neither can be read, it is [edi] that faults.
        uint b = core.ReadLinear<TWidth>(cpu, target);
        Cmp.Run<TWidth>(cpu, core.ReadLinear<TWidth>(cpu, source), b);
    }
}

/// <summary>
/// MOVS, STOS, LODS, SCAS, CMPS, with and without a repeat prefix. A repeated one works in rounds, so that an interrupt need
/// not wait for a megabyte to be moved: between rounds it is a branch to itself.
/// </summary>
internal static unsafe class StringOps
{
    /// <summary><see cref="MicroOp.Second"/>: %si, %di, %cx are used.</summary>
    public const uint Address16 = 1;

    /// <summary><see cref="MicroOp.Second"/>: a segment is not flat, or alignment is checked.</summary>
    public const uint Segments = 2;

    private const int Ecx = (int)GeneralRegister.Ecx;
    private const int Esi = (int)GeneralRegister.Esi;
    private const int Edi = (int)GeneralRegister.Edi;
    private const int RoundBytes = 4096;

    public static MicroOp* Once<TStep, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TStep : struct, IStringStep
        where TWidth : struct, IWidth
    {
        Step<TStep, TWidth>(core, cpu, op);
        return op + 1;
    }

    /// <summary>REP, REPE (<see cref="MicroOp.Immediate"/> 1), REPNE (0).</summary>
    public static MicroOp* Repeat<TStep, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TStep : struct, IStringStep
        where TWidth : struct, IWidth
    {
        uint mask = (op->Second & Address16) != 0 ? 0xFFFFu : uint.MaxValue;
        uint count = cpu->Arch.Registers[Ecx] & mask;
        if (count == 0)
            return op + 1;
        int round = (core.Mode & CodeMode.Single) != 0 ? 1 : RoundBytes / TWidth.Size;
        uint done = 0;
        int flagResult = cpu->Arch.FlagResult;
        uint flagAux = cpu->Arch.FlagAux;
        bool afterFirst = false;
        core.ChangesNothingYet();
        if (!TStep.Compares && round > 1 && op->Second == 0 && (cpu->Arch.SystemFlags & EFlags.Direction) == 0)
        {
            done = Bulk<TStep, TWidth>(core, cpu, count, out afterFirst);
            if (done != 0)
                round = 0;
        }

        for (; done == 0 || (done < (uint)round && done < count); done++)
        {
            if (TStep.Compares)
            {
                // A fault leaves the flags as they were before the first comparison (Intel SDM vol. 2, REP).
                cpu->Arch.FlagResult = flagResult;
                cpu->Arch.FlagAux = flagAux;
            }

            Step<TStep, TWidth>(core, cpu, op);
            if (done == 0 && core.FaultPending)
                return null;

            // A page that was not at hand for writing may be after its first element: then the rest can go at once. If it is not, code
            // is in the way: what of it is about to be overwritten goes at once, not block by block, and after the second element the
            // page may be at hand.
            bool atHand = done <= 1 && afterFirst && InterpreterCore.InPlace(cpu, cpu->Arch.Registers[Edi], 1) != null;
            if (atHand)
                round = (int)done + 1;
            core.HasChanged(op);
            cpu->Arch.Registers[Ecx] = (cpu->Arch.Registers[Ecx] & ~mask) | ((cpu->Arch.Registers[Ecx] - 1) & mask);
            if (done == 0 && afterFirst && !atHand)
                core.WillOverwrite(cpu->Arch.Registers[Edi], (count - 1) * (uint)TWidth.Size);
            if (TStep.Compares && (cpu->Arch.FlagResult == 0) != (op->Immediate != 0))
                return op + 1;
        }

        if ((cpu->Arch.Registers[Ecx] & mask) == 0)
            return op + 1;

        // Not an instruction less of the budget than it took, or a long copy would keep interrupts out.
        return InterpreterCore.JumpTo(cpu, op->Eip, op->Position + (int)done);
    }

    /// <summary>As many whole elements as lie in one page on each side, at once. 0: do it one by one.</summary>
    private static uint Bulk<TStep, TWidth>(InterpreterCore core, CpuState* cpu, uint count, out bool afterFirst)
        where TStep : struct, IStringStep
        where TWidth : struct, IWidth
    {
        afterFirst = false;
        if (!TStep.Writes || core.HasWatchpoints)
            return 0;
        uint source = cpu->Arch.Registers[Esi];
        uint target = cpu->Arch.Registers[Edi];
        uint bytes = Page.Size - (target & Page.OffsetMask);
        if (TStep.Source)
            bytes = Math.Min(bytes, Page.Size - (source & Page.OffsetMask));
        uint elements = Math.Min(bytes / (uint)TWidth.Size, count);
        if (elements < 4)
            return 0;
        int length = (int)elements * TWidth.Size;
        byte* to = InterpreterCore.InPlace(cpu, target, 1);
        if (to == null)
        {
            afterFirst = true;
            return 0;
        }

        if (TStep.Source)
        {
            byte* from = core.Translate(source, write: false);
            if (core.FaultPending || core.IsDevice(from))
                return 0;

            // What overlaps so that it reads what it wrote must go one by one; that includes other mappings of the same page.
            if (from < to && from + length > to)
                return 0;
            Buffer.MemoryCopy(from, to, length, length);
            cpu->Arch.Registers[Esi] = source + (uint)length;
        }
        else if (TWidth.Size == 4)
        {
            new Span<uint>(to, (int)elements).Fill(cpu->Arch.Registers[(int)GeneralRegister.Eax]);
        }
        else if (TWidth.Size == 2)
        {
            new Span<ushort>(to, (int)elements).Fill((ushort)cpu->Arch.Registers[(int)GeneralRegister.Eax]);
        }
        else
        {
            new Span<byte>(to, (int)elements).Fill((byte)cpu->Arch.Registers[(int)GeneralRegister.Eax]);
        }

        cpu->Arch.Registers[Edi] = target + (uint)length;
        cpu->Arch.Registers[Ecx] -= elements;
        return elements;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TStep, TWidth>(InterpreterCore core, CpuState* cpu, MicroOp* op)
        where TStep : struct, IStringStep
        where TWidth : struct, IWidth
    {
        uint delta = (cpu->Arch.SystemFlags & EFlags.Direction) != 0 ? (uint)-TWidth.Size : (uint)TWidth.Size;
        if (op->Second == 0)
        {
            TStep.Step<TWidth>(core, cpu, cpu->Arch.Registers[Esi], cpu->Arch.Registers[Edi]);
            if (TStep.Source)
                cpu->Arch.Registers[Esi] += delta;
            if (TStep.Target)
                cpu->Arch.Registers[Edi] += delta;
            return;
        }

        uint mask = (op->Second & Address16) != 0 ? 0xFFFFu : uint.MaxValue;
        uint source = cpu->Arch.Registers[Esi] & mask;
        uint target = cpu->Arch.Registers[Edi] & mask;
        if (TStep.Source && TStep.Compares)
            core.ProbeRead(Check(core, SegmentName.Es, target, TWidth.Size, write: false), TWidth.Size);
        if (TStep.Source)
            source = Check(core, (SegmentName)op->Extra, source, TWidth.Size, write: false);
        if (TStep.Target)
            target = Check(core, SegmentName.Es, target, TWidth.Size, TStep.Writes);
        TStep.Step<TWidth>(core, cpu, source, target);
        if (TStep.Source)
            cpu->Arch.Registers[Esi] = (cpu->Arch.Registers[Esi] & ~mask) | ((cpu->Arch.Registers[Esi] + delta) & mask);
        if (TStep.Target)
            cpu->Arch.Registers[Edi] = (cpu->Arch.Registers[Edi] & ~mask) | ((cpu->Arch.Registers[Edi] + delta) & mask);
    }

    private static uint Check(InterpreterCore core, SegmentName segment, uint offset, int size, bool write)
    {
        uint linear = core.SegmentAddress(segment, offset, (uint)size, write);
        if ((core.Mode & CodeMode.AlignmentCheck) != 0)
            core.CheckAlignment(linear, (uint)size);
        return linear;
    }
}

/// <summary>Which of them an instruction gets.</summary>
internal sealed unsafe partial class InstructionSelector
{
    /// <summary>Strings.</summary>
    private Handler SelectString(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Movsb:
                return String<Movs, Width8>(in i);
            case Mnemonic.Movsw:
                return String<Movs, Width16>(in i);
            case Mnemonic.Movsd:
                return String<Movs, Width32>(in i);
            case Mnemonic.Stosb:
                return String<Stos, Width8>(in i);
            case Mnemonic.Stosw:
                return String<Stos, Width16>(in i);
            case Mnemonic.Stosd:
                return String<Stos, Width32>(in i);
            case Mnemonic.Lodsb:
                return String<Lods, Width8>(in i);
            case Mnemonic.Lodsw:
                return String<Lods, Width16>(in i);
            case Mnemonic.Lodsd:
                return String<Lods, Width32>(in i);
            case Mnemonic.Scasb:
                return String<Scas, Width8>(in i);
            case Mnemonic.Scasw:
                return String<Scas, Width16>(in i);
            case Mnemonic.Scasd:
                return String<Scas, Width32>(in i);
            case Mnemonic.Cmpsb:
                return String<Cmps, Width8>(in i);
            case Mnemonic.Cmpsw:
                return String<Cmps, Width16>(in i);
            case Mnemonic.Cmpsd:
                return String<Cmps, Width32>(in i);
            default:
                return null;
        }
    }

    private Handler String<TStep, TWidth>(in Instruction i)
        where TStep : struct, IStringStep
        where TWidth : struct, IWidth
    {
        SegmentName source = TStep.Source ? SegmentOf(i.MemorySegment) : SegmentName.Ds;
        bool address16 = false;
        for (int operand = 0; operand < i.OpCount; operand++)
            address16 |= i.GetOpKind(operand) is OpKind.MemorySegSI or OpKind.MemoryESDI;
        bool segments = (_core.Mode & CodeMode.AlignmentCheck) != 0
            || (TStep.Source && !IsFlat(source, write: false))
            || (TStep.Target && !IsFlat(SegmentName.Es, TStep.Writes));
        _proto.Extra = (byte)source;
        _proto.Second = (address16 ? StringOps.Address16 : 0) | (segments ? StringOps.Segments : 0);

        // The check of the other operand's segment may fault when the first has been read.
        if (_proto.Second != 0)
            _proto.Quiet = 0;
        if (!i.HasRepPrefix && !i.HasRepnePrefix)
            return &StringOps.Once<TStep, TWidth>;
        _proto.Immediate = i.HasRepnePrefix ? 0u : 1;
        return &StringOps.Repeat<TStep, TWidth>;
    }
}
