// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Engine.Cpu;

/// <summary>
/// A processor in native memory, at places that do not move, so that emitted code can reach it as easily as C#: what is the guest's
/// (<see cref="Arch"/>), what the hypervisor and an engine say to each other about a run, and what each engine keeps for itself.
/// One piece of memory, since emitted code has one register for it. What is touched all the time comes first.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = ByteSize)]
public unsafe struct CpuState
{
    /// <summary>Bytes of native memory that hold the state.</summary>
    public const int ByteSize = 2048;

    /// <summary>Bytes of <see cref="Scratch"/>.</summary>
    private const int ScratchBytes = 512;

    /// <summary>Set to non-zero by any thread: leave the guest's code soon.</summary>
    [FieldOffset(0x00)]
    public int Attention;

    /// <summary>Instructions left before the hypervisor looks at its clock; counted down block by block.</summary>
    [FieldOffset(0x04)]
    public int Budget;

    /// <summary>Guest instructions executed.</summary>
    [FieldOffset(0x08)]
    public ulong Instructions;

    /// <summary>The interpreter's own.</summary>
    [FieldOffset(0x10)]
    public InterpreterScratch Interpreter;

    /// <summary>What is the guest's.</summary>
    [FieldOffset(0x40)]
    public ArchState Arch;

    /// <summary>A scratch copy of a memory operand that a native stub works on, 16-byte aligned.</summary>
    [FieldOffset(0x300)]
    public fixed byte Scratch[ScratchBytes];

    /// <summary>The translator's own.</summary>
    [FieldOffset(0x500)]
    public TranslatorScratch Translator;
}
