// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Engine.Cpu;

namespace Lguest.Engine.Interpreter;

// [I:130+20] A decoded instruction
/// <summary>
/// One decoded instruction, ready to run: what does it (<see cref="Handler"/>) and where its operands are. The operands are
/// byte offsets into <see cref="CpuState"/>, so that %ah is as easy to reach as %eax and an address without a base simply adds
/// the register that is always zero. The handler returns the next one to run, or null when the run loop has to look.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = ByteSize)]
internal unsafe struct MicroOp
{
    /// <summary>Bytes of an op.</summary>
    public const int ByteSize = 48;

    /// <summary>What runs the instruction.</summary>
    [FieldOffset(0)]
    public delegate*<InterpreterCore, CpuState*, MicroOp*, MicroOp*> Handler;

    /// <summary>Where the instruction is (an offset in its code segment).</summary>
    [FieldOffset(8)]
    public uint Eip;

    /// <summary>Where the next one is.</summary>
    [FieldOffset(12)]
    public uint NextEip;

    /// <summary>Immediate operand, branch target, or an index into a table of the core's.</summary>
    [FieldOffset(16)]
    public uint Immediate;

    /// <summary>Displacement of the memory operand.</summary>
    [FieldOffset(20)]
    public uint Displacement;

    /// <summary>Offset of the first register operand.</summary>
    [FieldOffset(24)]
    public byte Destination;

    /// <summary>Offset of the second register operand.</summary>
    [FieldOffset(25)]
    public byte Source;

    /// <summary>Offset of the base register of the memory operand.</summary>
    [FieldOffset(26)]
    public byte Base;

    /// <summary>Offset of its index register.</summary>
    [FieldOffset(27)]
    public byte Index;

    /// <summary>log2 of the index's scale.</summary>
    [FieldOffset(28)]
    public byte Scale;

    /// <summary>Whatever else the handler needs to know: a segment, a size.</summary>
    [FieldOffset(29)]
    public byte Extra;

    /// <summary>Instructions of this block before this one.</summary>
    [FieldOffset(30)]
    public ushort Position;

    /// <summary>A branch's target, once it was found to be in the same page.</summary>
    [FieldOffset(32)]
    public MicroOp* Link;

    /// <summary>Second immediate; flags of a memory operand.</summary>
    [FieldOffset(40)]
    public uint Second;

    /// <summary>Segment checks: bytes accessed.</summary>
    [FieldOffset(44)]
    public ushort Bytes;

    /// <summary>Segment checks: 1 = written.</summary>
    [FieldOffset(46)]
    public byte Written;

    /// <summary>
    /// 1: all that it changes before it is done is general registers, arithmetic flags and EIP, so that a page fault in it can
    /// be taken back: see <see cref="InterpreterCore.Quietly"/>.
    /// </summary>
    [FieldOffset(47)]
    public byte Quiet;
}

/// <summary>What the shape of decoded code depends on beside its bytes. Part of the key of every block.</summary>
[Flags]
internal enum CodeMode : uint
{
    None = 0,

    /// <summary>Ring 3.</summary>
    User = 0x01,

    /// <summary>%ds is not the flat 4 GiB.</summary>
    DsNotFlat = 0x02,

    /// <summary>%es is not.</summary>
    EsNotFlat = 0x04,

    /// <summary>%ss is not, or its stack pointer is %sp.</summary>
    SsNotFlat = 0x08,

    /// <summary>A 16-bit code segment.</summary>
    Code16 = 0x10,

    /// <summary>One instruction at a time, decoded afresh: %cs is not flat, or TF is set.</summary>
    Single = 0x20,

    /// <summary>Ring 3 with AC set: misaligned accesses fault.</summary>
    AlignmentCheck = 0x40,
}
