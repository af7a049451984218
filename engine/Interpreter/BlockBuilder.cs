// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;

namespace Lguest.Engine.Interpreter;

/// <summary>
/// Makes blocks: Iced decodes, and <see cref="InstructionSelector"/> finds the handler for what it decoded. A block ends with
/// an instruction that goes elsewhere for sure, at the end of its page, or when it is long enough; a conditional branch does
/// not end it, since going on is what happens half of the time.
/// </summary>
internal sealed unsafe class BlockBuilder : IDisposable
{
    /// <summary>Ops that one block may take at most.</summary>
    public const int MaxOps = (MaxInstructions * 3) + 4;

    /// <summary>Longer is no instruction.</summary>
    public const int MaxInstructionBytes = 15;

    private const int MaxInstructions = 64;

    /// <summary>Ops that one instruction may take, and the end after it.</summary>
    public const int MaxSingleOps = 4;

    private readonly InterpreterCore _core;
    private readonly InstructionSelector _selector;
    private readonly PointerCodeReader _reader = new();
    private readonly Decoder _decoder32;
    private readonly Decoder _decoder16;
    private readonly MicroOp* _single;
    private readonly byte* _crossing;
    private readonly byte* _fetched;

    public BlockBuilder(InterpreterCore core)
    {
        _core = core;
        _selector = new InstructionSelector(core);
        _decoder32 = Decoder.Create(32, _reader, PointerCodeReader.Processor);
        _decoder16 = Decoder.Create(16, _reader, PointerCodeReader.Processor);

        _single = (MicroOp*)NativeMemory.AllocZeroed(MaxSingleOps, (nuint)sizeof(MicroOp));
        _crossing = (byte*)NativeMemory.AllocZeroed(16);
        _fetched = (byte*)NativeMemory.AllocZeroed(16);
    }

    /// <summary>Frees the single ops and the copies of code, which belong to its core.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_single);
        NativeMemory.Free(_crossing);
        NativeMemory.Free(_fetched);
    }

    /// <summary>Decodes a block into the core's arena.</summary>
    public InterpreterCore.Block Build(uint eip, uint physical)
    {
        MicroOp* first = _core.ArenaNext;
        MicroOp* op = first;
        int room = (int)(Page.Size - (physical & Page.OffsetMask));

        // Read once: the decoder asks for each byte once, and of frames that others can write nothing is decoded here.
        Decoder decoder = Start(eip, _core.Memory.Base + physical, room);
        int count = 0;
        uint next = eip;
        bool ended = false;
        InterpreterCore.Block block = new() { First = first, Eip = eip, Physical = physical, Mode = _core.Mode };
        while (count < MaxInstructions && !ended)
        {
            // [M:160+12] A breakpoint that the guest cannot see
            // No byte of the guest is replaced by an INT3. A block begins at the breakpoint, with an op that leaves. The guest can
            // read its code, compute its checksum or overwrite it; the breakpoint stays.
            if (_core.IsBreakpoint(next))
            {
                // Only ever at the start of a block, so that going on from there is entering a block.
                if (count > 0)
                    break;
                *op = default;
                op->Handler = &InterpreterCore.StopAtBreakpoint;
                op->Eip = eip;
                block.Ops = 1;
                block.Bytes = 1;
                return block;
            }

            if (_core.Memory.IsForeign(physical))
                return Foreign(block, op);
            decoder.Decode(out Instruction instruction);
            if (_reader.RanOut)
            {
                // It crosses into the next page. Alone it is a block; behind others it is the next one.
                if (count > 0)
                    break;
                instruction = DecodeCrossing(eip, _core.Memory.Base + physical, room, ref block);
                if (block.Bytes2 != 0 && _core.Memory.IsForeign(block.Physical2))
                    return Foreign(block with { Bytes = 0, Bytes2 = 0, Physical2 = 0 }, op);
            }

            op = _selector.Emit(op, in instruction, count, out ended);
            next = instruction.NextIP32;
            if ((_core.Mode & CodeMode.Code16) != 0)
                next = instruction.NextIP16;
            count++;
            if (block.Bytes2 != 0 || (next & Page.OffsetMask) == 0)
                break;
        }

        if (!ended)
        {
            *op = default;
            op->Handler = &BranchOps.FallThrough;
            op->Eip = next;
            op->Position = (ushort)count;
            op++;
        }

        block.Ops = (int)(op - first);
        if (block.Bytes2 == 0)
            block.Bytes = (int)(next - eip);
        if (block.Bytes <= 0 || block.Bytes > room)
            block.Bytes = room;
        return block;
    }

    /// <summary>
    /// One instruction in a scratch place, good until the next call. Its fetch is checked against the limit of %cs, which need
    /// not be flat here.
    /// </summary>
    public MicroOp* BuildSingle(uint eip)
    {
        ref SegmentRegister cs = ref _core.Cpu->Arch.Cs;
        if (eip > cs.Limit)
            throw _core.RaiseProtection();
        uint linear = cs.Base + eip;
        int room = (int)(Page.Size - (linear & Page.OffsetMask));
        uint physical = _core.TranslateFetch(linear);

        // Read once, and in one go: others may write there, and half of one instruction with half of another is neither.
        int length = Math.Min(room, MaxInstructionBytes);
        new ReadOnlySpan<byte>(_core.Memory.Base + physical, length).CopyTo(new Span<byte>(_fetched, length));
        Decoder decoder = Start(eip, _fetched, length);
        decoder.Decode(out Instruction instruction);
        if (_reader.RanOut)
        {
            InterpreterCore.Block unused = default;
            instruction = DecodeCrossing(eip, _fetched, room, ref unused, linear);
        }

        if (eip + (uint)instruction.Length - 1 > cs.Limit)
            throw _core.RaiseProtection();
        EmitSingle(in instruction, _single);
        return _single;
    }

    /// <summary>The ops of one instruction, and after them the end.</summary>
    /// <param name="instruction">The instruction.</param>
    /// <param name="ops">Room for <see cref="MaxSingleOps"/>.</param>
    public void EmitSingle(in Instruction instruction, MicroOp* ops)
    {
        MicroOp* op = _selector.Emit(ops, in instruction, 0, out bool ended);
        if (op - ops >= MaxSingleOps)
            throw new InvalidOperationException($"{instruction.Code} has {op - ops} ops, and {MaxSingleOps} with its end have room");
        if (ended)
            return;
        *op = default;
        op->Handler = &EndSingle;
        op->Eip = (_core.Mode & CodeMode.Code16) != 0 ? instruction.NextIP16 : instruction.NextIP32;
    }

    /// <summary>Whether an op is one of <see cref="BuildSingle"/>'s.</summary>
    public bool IsSingle(MicroOp* op) => op >= _single && op < _single + MaxSingleOps;

    /// <summary>A block for an instruction of which nothing may be kept.</summary>
    private static InterpreterCore.Block Foreign(InterpreterCore.Block block, MicroOp* op)
    {
        *op = default;
        op->Handler = &InterpreterCore.RunForeign;
        op->Eip = block.Eip;
        block.Ops = 1;
        return block;
    }

    private static MicroOp* EndSingle(InterpreterCore core, CpuState* cpu, MicroOp* op)
    {
        cpu->Arch.Eip = op->Eip;
        cpu->Budget--;
        return null;
    }

    private Decoder Start(uint eip, byte* code, int length)
    {
        _reader.Reset(code, length);
        Decoder decoder = (_core.Mode & CodeMode.Code16) != 0 ? _decoder16 : _decoder32;
        decoder.IP = eip;
        return decoder;
    }

    private Instruction DecodeCrossing(uint eip, byte* code, int room, ref InterpreterCore.Block block, uint? linear = null)
    {
        int first = Math.Min(room, MaxInstructionBytes);
        new Span<byte>(code, first).CopyTo(new Span<byte>(_crossing, first)); // Read once
        if (first < MaxInstructionBytes)
        {
            uint physical2 = _core.TranslateFetch(((linear ?? eip) & ~Page.OffsetMask) + Page.Size);
            new Span<byte>(_core.Memory.Base + physical2, MaxInstructionBytes - first).CopyTo(new Span<byte>(_crossing + first, MaxInstructionBytes - first));
            block.Physical2 = physical2;
        }

        Decoder decoder = Start(eip, _crossing, MaxInstructionBytes);
        decoder.Decode(out Instruction instruction);

        // Longer than 15 bytes, or nothing that can be decoded: the selector makes a fault of it.
        int length = Math.Max(instruction.Length, 1);
        block.Bytes = Math.Min(length, room);
        block.Bytes2 = Math.Max(length - room, first < MaxInstructionBytes ? 1 : 0);
        return instruction;
    }
}
