// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.Engine.Cpu;
using Lguest.Engine.Instructions;
using Lguest.GuestAbi;
using unsafe Handler = delegate*<Lguest.Engine.Interpreter.InterpreterCore, Lguest.Engine.Cpu.CpuState*, Lguest.Engine.Interpreter.MicroOp*, Lguest.Engine.Interpreter.MicroOp*>;

namespace Lguest.Engine.Interpreter;

// [I:150] The instruction set
/// <summary>
/// Makes ops of instructions. <see cref="InstructionCatalog"/> names an instruction's family; the family's file has its handlers and
/// the part of this class that chooses among them, by operand width and by where the operands are.
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
        ref readonly InstructionLine line = ref InstructionCatalog.Of(in instruction);
        _proto = new MicroOp
        {
            Eip = instruction.IP32,
            NextEip = (_core.Mode & CodeMode.Code16) != 0 ? instruction.NextIP16 : instruction.NextIP32,
            Position = (ushort)position,
            Base = Operand.Zero,
            Index = Operand.Zero,
            Quiet = IsQuiet(in instruction, line.Quiet) ? (byte)1 : (byte)0,
        };
        Handler handler = instruction.IsInvalid ? NoInstruction(in instruction) : Select(in instruction, line.Family);
        if (handler == null)
            Fault(ExceptionVector.InvalidOpcode);
        else
            Append(handler);
        ended = _ended;
        return _op;
    }

    /// <summary>The handler of an instruction, from its family's file; null: there is no such instruction, or not with these operands.</summary>
    private Handler Select(in Instruction i, HandlerFamily family) => family switch
    {
        HandlerFamily.Arithmetic => SelectArithmetic(in i),
        HandlerFamily.Unary => SelectUnary(in i),
        HandlerFamily.Moves => SelectMove(in i),
        HandlerFamily.Multiply => SelectMultiply(in i),
        HandlerFamily.Bits => SelectBits(in i),
        HandlerFamily.Decimal => SelectDecimal(in i),
        HandlerFamily.Stack => SelectStack(in i),
        HandlerFamily.Branch => SelectBranch(in i),
        HandlerFamily.Conditional => SelectConditional(in i),
        HandlerFamily.Strings => SelectString(in i),
        HandlerFamily.Segments => SelectSegment(in i),
        HandlerFamily.System => SelectSystem(in i),
        HandlerFamily.Privileged => Privileged(),
        HandlerFamily.FloatingPoint => SelectFloat(in i),
        _ => null,
    };

    /// <summary>Too long an instruction is #GP, anything else that cannot be decoded #UD.</summary>
    private Handler NoInstruction(in Instruction i) => i.Length < 15 ? null : Privileged();

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
        return (byte)(Operand.FirstRegister + (register.IsGPR8() && number >= 4 ? ((number - 4) * 4) + 1 : number * 4));
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
        address.Base = baseRegister == Register.None ? Operand.Zero : Offset(baseRegister);
        address.Index = index == Register.None ? Operand.Zero : Offset(index);
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
        _proto.Base = Operand.EffectiveAddress;
    }

    /// <summary>
    /// Whether an instruction can be taken back after a page fault (<see cref="MicroOp.Quiet"/>). Behind its fault it must not
    /// find anything else to raise either: so only with flat segments, and of the instructions that go on to raise, none.
    /// </summary>
    private bool IsQuiet(in Instruction i, QuietRule rule)
    {
        const CodeMode unusual = CodeMode.DsNotFlat | CodeMode.EsNotFlat | CodeMode.SsNotFlat | CodeMode.Code16 | CodeMode.AlignmentCheck;
        if ((_core.Mode & unusual) != 0)
            return false;
        return rule switch
        {
            QuietRule.Always => true,
            QuietRule.InMemory => (IsMemory(in i, 0) || (i.OpCount > 1 && IsMemory(in i, 1))) && !i.Op0Register.IsSegmentRegister(),
            QuietRule.UsualSegment => i.MemorySegment is not (Register.CS or Register.FS or Register.GS),
            QuietRule.ToRegister => i.Op0Register.IsGPR32(),
            QuietRule.Near => i.IsCallNear || i.IsCallNearIndirect || i.IsJmpNearIndirect || i.Code is Code.Retnd or Code.Retnd_imm16,
            _ => false,
        };
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

    private static uint Immediate(in Instruction i, int operand, int width)
    {
        uint value = (uint)i.GetImmediate(operand);
        return width switch
        {
            1 => value & 0xFF,
            2 => value & 0xFFFF,
            _ => value,
        };
    }

    private static Handler ByWidth(int width, Handler w8, Handler w16, Handler w32) => width switch
    {
        1 => w8,
        2 => w16,
        _ => w32,
    };

    /// <summary>An instruction with one operand that is only read, in a register or in memory.</summary>
    private Handler Source(in Instruction i, int operand, Handler r8, Handler r16, Handler r32, Handler m8, Handler m16, Handler m32)
    {
        int width = Width(in i, operand);
        if (IsMemory(in i, operand))
        {
            Memory(in i, width, write: false);
            return ByWidth(width, m8, m16, m32);
        }

        _proto.Source = Offset(i.GetOpRegister(operand));
        return ByWidth(width, r8, r16, r32);
    }

    private static uint Target(in Instruction i) => i.Op0Kind == OpKind.NearBranch16 ? i.NearBranch16 : i.NearBranch32;
}
