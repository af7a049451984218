// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;

namespace Lguest.Engine.Instructions;

/// <summary>Which of the interpreter's files has an instruction's handlers, and chooses between them.</summary>
internal enum HandlerFamily : byte
{
    /// <summary>None: the instruction raises #UD, as does everything that is not in the catalogue.</summary>
    Undefined,

    /// <summary>Two operands and all flags: <c>AluOps.cs</c>.</summary>
    Arithmetic,

    /// <summary>One operand, shifts and rotates: <c>UnaryOps.cs</c>.</summary>
    Unary,

    /// <summary>Moves, extensions, and single flags: <c>MoveOps.cs</c>.</summary>
    Moves,

    /// <summary>Multiplication and division: <c>MultiplyOps.cs</c>.</summary>
    Multiply,

    /// <summary>Bits, and what exchanges while it compares: <c>BitOps.cs</c>.</summary>
    Bits,

    /// <summary>Decimal adjustments: <c>DecimalOps.cs</c>.</summary>
    Decimal,

    /// <summary>The stack: <c>StackOps.cs</c>.</summary>
    Stack,

    /// <summary>Jumps, calls, returns, loops: <c>BranchOps.cs</c>.</summary>
    Branch,

    /// <summary>What a condition decides: Jcc, SETcc, CMOVcc: <c>Conditions.cs</c>.</summary>
    Conditional,

    /// <summary>Strings: <c>StringOps.cs</c>.</summary>
    Strings,

    /// <summary>Selectors and descriptors: <c>SegmentOps.cs</c>.</summary>
    Segments,

    /// <summary>Interrupts, ports, and what the processor reports of itself: <c>SystemOps.cs</c>.</summary>
    System,

    /// <summary>Of ring 0, which no guest has: #GP.</summary>
    Privileged,

    /// <summary>x87, MMX, SSE and SSE2: <c>FloatOps.cs</c>.</summary>
    FloatingPoint,
}

/// <summary>
/// Whether an instruction can be let go on after its page fault, and then taken back, without an exception of the runtime's
/// (<c>InterpreterCore.Quiet.cs</c>). Segments must be flat in any case.
/// </summary>
internal enum QuietRule : byte
{
    /// <summary>It cannot, or it is never worth it.</summary>
    Never,

    /// <summary>It can.</summary>
    Always,

    /// <summary>With an operand in memory; not into a segment register.</summary>
    InMemory,

    /// <summary>Through %ds, %es or %ss.</summary>
    UsualSegment,

    /// <summary>Into a 32-bit register.</summary>
    ToRegister,

    /// <summary>A near call, a near indirect jump, a near return of 32 bits.</summary>
    Near,
}

/// <summary>What the translator makes of an instruction. What one of these cannot do is the interpreter's.</summary>
internal enum NativeTreatment : byte
{
    /// <summary>Nothing: it is the interpreter's.</summary>
    Never,

    /// <summary>The same instruction again, its operand in the window.</summary>
    Plain,

    /// <summary>Plain, between general registers and memory; segment registers by comparing what is loaded with what was.</summary>
    Move,

    /// <summary>Plain, but for a bit number in a register, whose high part becomes part of the address.</summary>
    Bits,

    /// <summary>No code at all: a hint, or nothing.</summary>
    NoCode,

    /// <summary>A link, or a look into the branch table.</summary>
    Jump,

    /// <summary>The same, after a store of where to return.</summary>
    Call,

    /// <summary>A look into the branch table.</summary>
    Return,

    /// <summary>A store below the guest's stack pointer, which then moves.</summary>
    Push,

    /// <summary>A load from the guest's stack; into a segment register as in <see cref="Move"/>.</summary>
    Pop,

    /// <summary>LEAVE: three moves.</summary>
    Leave,

    /// <summary>PUSHF and POPF: by the host's own stack.</summary>
    Flags,

    /// <summary>INT: a system call goes to the kernel's handler directly, anything else leaves.</summary>
    Interrupt,

    /// <summary>IRET to ring 3 in a stub.</summary>
    InterruptReturn,

    /// <summary>Jcc: a link or two.</summary>
    Conditional,

    /// <summary>LOOP and JECXZ: short on the host too, over a longer jump.</summary>
    Counted,

    /// <summary>Strings: %esi and %edi become host addresses for the time of the instruction.</summary>
    Strings,

    /// <summary>On the host's own unit, which the guest's state is brought into first.</summary>
    FloatingPoint,
}

/// <summary>On what it depends which flags an instruction leaves undefined.</summary>
internal enum UndefinedRule : byte
{
    /// <summary>On nothing.</summary>
    Fixed,

    /// <summary>SHL, SHR: on the count, and on the operand's width.</summary>
    Shift,

    /// <summary>SAR: on the count.</summary>
    ArithmeticShift,

    /// <summary>ROL and its like: on the count.</summary>
    Rotate,

    /// <summary>SHLD, SHRD: on the count, which is the third operand.</summary>
    DoubleShift,
}

/// <summary>What Intel's and AMD's processors do differently: names of lines in VendorDifferences.</summary>
[Flags]
internal enum Differences : byte
{
    /// <summary>Nothing but undefined flags, and operands across the end of the address space.</summary>
    None = 0,

    /// <summary>The upper half of a selector's slot on the stack.</summary>
    PushSegment = 0x01,

    /// <summary>The flags after a repeated comparison that faults.</summary>
    RepeatedComparisonFault = 0x02,

    /// <summary>Which operand of a comparison faults.</summary>
    ComparisonOrder = 0x04,

    /// <summary>Whether BOUND reads a bound that is not needed.</summary>
    BoundOrder = 0x08,

    /// <summary>LOCK MOV CR0.</summary>
    LockMovCr0 = 0x10,

    /// <summary>Where the last floating-point instruction was.</summary>
    FloatingPointPointers = 0x20,
}

/// <summary>What floating-point operands in memory need beyond being read or written.</summary>
[Flags]
internal enum OperandTraits : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>
    /// An x87 store that leaves memory alone when it meets an unmasked exception: its operand has to be read so that writing it
    /// back changes nothing.
    /// </summary>
    MayWithholdStore = 0x01,

    /// <summary>Some bytes at (%edi) are written.</summary>
    MaskedStore = 0x02,

    /// <summary>16 bytes that may lie anywhere (Intel SDM vol. 1, 4.1.1 and 11.3).</summary>
    AnyAlignment = 0x04,
}

/// <summary>Which tests execute an instruction for its own sake, beyond random guests.</summary>
[Flags]
internal enum TestedBy : byte
{
    /// <summary>No test.</summary>
    None = 0,

    /// <summary>tests/Differential: compared with this processor.</summary>
    Differential = 0x01,

    /// <summary>guest/conformance/segments*.</summary>
    Segments = 0x02,

    /// <summary>guest/conformance/privilege*.</summary>
    Privilege = 0x04,

    /// <summary>guest/conformance/processor.c.</summary>
    Processor = 0x08,

    /// <summary>guest/conformance/faults*.</summary>
    Faults = 0x10,

    /// <summary>tests/Contract.</summary>
    Contract = 0x20,
}

/// <summary>Everything that the engines and their tests know of an instruction by its name: a line of <see cref="InstructionCatalog"/>.</summary>
/// <param name="mnemonic">The instruction.</param>
/// <param name="family">Who interprets it.</param>
/// <param name="quiet">Whether its page faults can be quiet.</param>
/// <param name="native">What the translator makes of it.</param>
/// <param name="undefined">Flags that it leaves undefined, whatever the count if there is one.</param>
/// <param name="rule">On what that depends.</param>
/// <param name="unit">How the floating-point unit executes it; for operands in MMX registers see <c>InstructionClassifier</c>.</param>
/// <param name="traits">What else of its operand in memory.</param>
/// <param name="differs">Where processors of different makers differ.</param>
/// <param name="tested">By which tests.</param>
/// <param name="only">The one code that the line is for, when others have the same name; it follows their line.</param>
internal readonly struct InstructionLine(
    Mnemonic mnemonic,
    HandlerFamily family,
    QuietRule quiet = QuietRule.Never,
    NativeTreatment native = NativeTreatment.Never,
    RflagsBits undefined = RflagsBits.None,
    UndefinedRule rule = UndefinedRule.Fixed,
    FloatingPointKind unit = default,
    OperandTraits traits = OperandTraits.None,
    Differences differs = Differences.None,
    TestedBy tested = TestedBy.Differential,
    Code only = Code.INVALID)
{
    private readonly ushort _mnemonic = (ushort)mnemonic;
    private readonly ushort _only = (ushort)only;
    private readonly ushort _undefined = (ushort)undefined;

    /// <summary>The instruction.</summary>
    public Mnemonic Mnemonic => (Mnemonic)_mnemonic;

    /// <summary>The one code that the line is for, or <see cref="Code.INVALID"/>.</summary>
    public Code Only => (Code)_only;

    /// <summary>Flags that it leaves undefined, whatever the count if there is one.</summary>
    public RflagsBits Undefined => (RflagsBits)_undefined;

    /// <summary>Who interprets it.</summary>
    public HandlerFamily Family { get; } = family;

    /// <summary>Whether its page faults can be quiet.</summary>
    public QuietRule Quiet { get; } = quiet;

    /// <summary>What the translator makes of it.</summary>
    public NativeTreatment Native { get; } = native;

    /// <summary>On what undefined flags depend.</summary>
    public UndefinedRule Rule { get; } = rule;

    /// <summary>How the floating-point unit executes it, for <see cref="HandlerFamily.FloatingPoint"/>.</summary>
    public FloatingPointKind Unit { get; } = unit;

    /// <summary>What floating-point operands in memory need.</summary>
    public OperandTraits Traits { get; } = traits;

    /// <summary>Where processors of different makers differ.</summary>
    public Differences Differs { get; } = differs;

    /// <summary>By which tests it is executed.</summary>
    public TestedBy Tested { get; } = tested;
}
