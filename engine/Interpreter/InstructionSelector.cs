// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.GuestAbi;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

// [I:150] The instruction set
/// <summary>
/// The table of the instruction set: for each mnemonic the handler, chosen by operand width and by where the operands are.
/// What is not here is no instruction of this processor and raises #UD.
/// </summary>
internal sealed unsafe partial class InstructionSelector
{
    private readonly InterpreterCore _core;
    private MicroOp* _op;
    private MicroOp _proto;
    private bool _ended;

    public InstructionSelector(InterpreterCore core) => _core = core;

    private bool Kernel => (_core.Mode & CodeMode.User) == 0;

    private bool FlatStackMode => (_core.Mode & (CodeMode.SsNotFlat | CodeMode.AlignmentCheck)) == 0;

    /// <summary>Writes the ops of one instruction.</summary>
    /// <param name="op">Where to.</param>
    /// <param name="instruction">The instruction.</param>
    /// <param name="position">Instructions before it in its block.</param>
    /// <param name="ended">Whether nothing can follow it.</param>
    /// <returns>The place behind what was written.</returns>
    public MicroOp* Emit(MicroOp* op, in Instruction instruction, int position, out bool ended)
    {
        _op = op;
        _ended = false;
        _proto = new MicroOp
        {
            Eip = instruction.IP32,
            NextEip = (_core.Mode & CodeMode.Code16) != 0 ? instruction.NextIP16 : instruction.NextIP32,
            Position = (ushort)position,
            Base = CpuState.ZeroOffset,
            Index = CpuState.ZeroOffset,
            Quiet = IsQuiet(in instruction) ? (byte)1 : (byte)0,
        };
        Handler handler = Select(in instruction);
        if (handler == null)
            Fault(ExceptionVector.InvalidOpcode);
        else
            Append(handler);
        ended = _ended;
        return _op;
    }

    private void Append(Handler handler)
    {
        _proto.Handler = handler;
        *_op++ = _proto;
    }

    private void Fault(byte vector)
    {
        _proto.Immediate = vector;
        _ended = true;
        Append(&SystemOps.Raise);
    }

    private Handler Ends(Handler handler)
    {
        _ended = true;
        return handler;
    }

    /// <summary>#GP(0): privileged, and no guest has the privilege.</summary>
    private Handler Privileged()
    {
        _proto.Immediate = ExceptionVector.GeneralProtection;
        return Ends(&SystemOps.Raise);
    }

    private static byte Offset(Register register)
    {
        int number = register.GetNumber();
        return (byte)(register.IsGPR8() && number >= 4 ? ((number - 4) * 4) + 1 : number * 4);
    }

    private static SegmentName SegmentOf(Register register) => register switch
    {
        Register.ES => SegmentName.Es,
        Register.CS => SegmentName.Cs,
        Register.SS => SegmentName.Ss,
        Register.FS => SegmentName.Fs,
        Register.GS => SegmentName.Gs,
        _ => SegmentName.Ds,
    };

    private bool IsFlat(SegmentName segment, bool write) => segment switch
    {
        SegmentName.Ds => (_core.Mode & CodeMode.DsNotFlat) == 0,
        SegmentName.Es => (_core.Mode & CodeMode.EsNotFlat) == 0,
        SegmentName.Ss => (_core.Mode & CodeMode.SsNotFlat) == 0,
        _ => false,
    };

    /// <summary>
    /// Prepares the memory operand. A plain one is just base, index and displacement; anything unusual gets an op of its own
    /// in front, which leaves the finished address behind.
    /// </summary>
    private void Memory(in Instruction i, int bytes, bool write, uint extraFlags = 0, Register bitIndex = Register.None)
    {
        Register baseRegister = i.MemoryBase;
        Register index = i.MemoryIndex;
        bool address16 = baseRegister.IsGPR16() || index.IsGPR16() || (baseRegister == Register.None && index == Register.None && i.MemoryDisplSize == 2);
        MicroOp address = _proto;
        address.Base = baseRegister == Register.None ? (byte)CpuState.ZeroOffset : Offset(baseRegister);
        address.Index = index == Register.None ? (byte)CpuState.ZeroOffset : Offset(index);
        address.Scale = (byte)(i.MemoryIndexScale switch { 2 => 1, 4 => 2, 8 => 3, _ => 0 });
        address.Displacement = i.MemoryDisplacement32;
        SegmentName segment = SegmentOf(i.MemorySegment);
        bool noSegment = (extraFlags & SegmentOps.NoSegment) != 0;
        bool aligned = !noSegment && (_core.Mode & CodeMode.AlignmentCheck) != 0;
        if (address16)
        {
            // A 16-bit register is the low half of what the address op adds; the sum is cut to 16 bits there.
            extraFlags |= SegmentOps.Address16;
        }

        if (extraFlags == 0 || (noSegment && !address16))
        {
            if (noSegment || (!aligned && IsFlat(segment, write)))
            {
                _proto.Base = address.Base;
                _proto.Index = address.Index;
                _proto.Scale = address.Scale;
                _proto.Displacement = address.Displacement;
                return;
            }
        }

        address.Second = extraFlags | (aligned ? SegmentOps.Aligned : 0);
        address.Extra = (byte)segment;
        address.Bytes = (ushort)bytes;
        address.Written = (byte)(write ? 1 : 0);
        if (bitIndex != Register.None)
            address.Destination = Offset(bitIndex);
        address.Handler = &SegmentOps.WorkOutAddress;
        address.Quiet = 0;
        *_op++ = address;
        _proto.Base = CpuState.EffectiveAddressOffset;
    }

    /// <summary>
    /// Whether an instruction can be taken back after a page fault (<see cref="MicroOp.Quiet"/>). Behind its fault it must not
    /// find anything else to raise either: so only with flat segments, and of the instructions that go on to raise, none.
    /// </summary>
    private bool IsQuiet(in Instruction i)
    {
        const CodeMode unusual = CodeMode.DsNotFlat | CodeMode.EsNotFlat | CodeMode.SsNotFlat | CodeMode.Code16 | CodeMode.AlignmentCheck;
        if ((_core.Mode & unusual) != 0)
            return false;
        if (i.IsStringInstruction)
            return i.MemorySegment is not (Register.CS or Register.FS or Register.GS) && i.Mnemonic is not (Mnemonic.Insb or Mnemonic.Insw or Mnemonic.Insd or Mnemonic.Outsb or Mnemonic.Outsw or Mnemonic.Outsd);
        switch (i.Mnemonic)
        {
            case Mnemonic.Push or Mnemonic.Leave:
                return true;
            case Mnemonic.Pop:
                return i.Op0Register.IsGPR32();
            case Mnemonic.Call or Mnemonic.Jmp:
                return i.IsCallNear || i.IsCallNearIndirect || i.IsJmpNearIndirect;
            case Mnemonic.Ret:
                return i.Code is Code.Retnd or Code.Retnd_imm16;
            case Mnemonic.Mov or Mnemonic.Movzx or Mnemonic.Movsx or Mnemonic.Xchg or Mnemonic.Xadd or Mnemonic.Cmpxchg or Mnemonic.Imul:
            case Mnemonic.Add or Mnemonic.Or or Mnemonic.Adc or Mnemonic.Sbb or Mnemonic.And or Mnemonic.Sub or Mnemonic.Xor:
            case Mnemonic.Cmp or Mnemonic.Test or Mnemonic.Inc or Mnemonic.Dec or Mnemonic.Not or Mnemonic.Neg:
            case Mnemonic.Shl or Mnemonic.Shr or Mnemonic.Sar:
                return (IsMemory(in i, 0) || (i.OpCount > 1 && IsMemory(in i, 1))) && !i.Op0Register.IsSegmentRegister();
            default:
                // SETcc and CMOVcc.
                return i.ConditionCode != ConditionCode.None && (IsMemory(in i, 0) || (i.OpCount > 1 && IsMemory(in i, 1)));
        }
    }

    private static int Width(in Instruction i, int operand)
    {
        OpKind kind = i.GetOpKind(operand);
        if (kind == OpKind.Register)
            return i.GetOpRegister(operand).GetSize();
        return i.MemorySize.GetSize();
    }

    private static bool IsMemory(in Instruction i, int operand) => i.GetOpKind(operand) == OpKind.Memory;

    private static bool IsRegister(in Instruction i, int operand) => i.GetOpKind(operand) == OpKind.Register;
}
