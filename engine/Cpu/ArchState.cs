// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lguest.GuestAbi.Processor;

namespace Lguest.Engine.Cpu;

// [I:110] The registers
/// <summary>
/// What is the guest's of a processor: all that a program on it could find out or change, and nothing else. Engines in lockstep
/// start from copies of it and compare them; whoever keeps a guest keeps this. It has no pointers and no host addresses while
/// translated code does not run. The arithmetic flags are kept the lazy way: see <see cref="LazyFlags"/>.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = ByteSize)]
public unsafe struct ArchState
{
    /// <summary>Bytes of a state.</summary>
    public const int ByteSize = FloatOffset + FxImage.ByteSize;

    private const int FloatOffset = 0xA0;
    private const int SegmentCount = 6;

    /// <summary>The general registers, indexed by <see cref="GeneralRegister"/>.</summary>
    [FieldOffset(0x00)]
    public fixed uint Registers[8];

    /// <summary>The next instruction to execute; after a fault, the instruction that faulted.</summary>
    [FieldOffset(0x20)]
    public uint Eip;

    /// <summary>Lazy flags: the last result, sign-extended to 32 bits.</summary>
    [FieldOffset(0x24)]
    public int FlagResult;

    /// <summary>Lazy flags: carries and corrections.</summary>
    [FieldOffset(0x28)]
    public uint FlagAux;

    /// <summary>EFLAGS without the arithmetic flags.</summary>
    [FieldOffset(0x2C)]
    public uint SystemFlags;

    /// <summary>Current privilege level: 1 for the guest's kernel, 3 for its programs.</summary>
    [FieldOffset(0x30)]
    public uint Cpl;

    /// <summary>Non-zero: using the FPU traps with vector 7.</summary>
    [FieldOffset(0x34)]
    public uint TaskSwitched;

    /// <summary>
    /// Whether a step with TF has trapped: 0 or <see cref="DebugStatus.SingleStep"/>. It stays, as %dr6 stays until somebody writes it.
    /// </summary>
    [FieldOffset(0x38)]
    public uint SingleStepped;

    /// <summary>%es.</summary>
    [FieldOffset(0x40)]
    public SegmentRegister Es;

    /// <summary>%cs.</summary>
    [FieldOffset(0x50)]
    public SegmentRegister Cs;

    /// <summary>%ss.</summary>
    [FieldOffset(0x60)]
    public SegmentRegister Ss;

    /// <summary>%ds.</summary>
    [FieldOffset(0x70)]
    public SegmentRegister Ds;

    /// <summary>%fs.</summary>
    [FieldOffset(0x80)]
    public SegmentRegister Fs;

    /// <summary>%gs.</summary>
    [FieldOffset(0x90)]
    public SegmentRegister Gs;

    /// <summary>x87, MMX and SSE state in the legacy (32-bit) FXSAVE format, 512 bytes, 16-byte aligned.</summary>
    [FieldOffset(FloatOffset)]
    public fixed byte FxState[FxImage.ByteSize];

    /// <summary>The same, field by field.</summary>
    [FieldOffset(FloatOffset)]
    public FxImage Float;

    /// <summary>A general register.</summary>
    public uint this[GeneralRegister register]
    {
        readonly get => Registers[(int)register];
        set => Registers[(int)register] = value;
    }

    /// <summary>EFLAGS as the guest sees them: the lazy ones worked out.</summary>
    public uint Flags
    {
        readonly get => SystemFlags | EFlags.Fixed | LazyFlags.Materialize(FlagResult, FlagAux);
        set
        {
            SystemFlags = (value & ~EFlags.Arithmetic) | EFlags.Fixed;
            LazyFlags.Load(value, out FlagResult, out FlagAux);
        }
    }

    /// <summary>The segment registers, in the order of <see cref="SegmentName"/>.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<SegmentRegister> Segments => MemoryMarshal.CreateReadOnlySpan(in Es, SegmentCount);

    /// <summary>A segment register.</summary>
    [UnscopedRef]
    public ref SegmentRegister Segment(SegmentName name) => ref Unsafe.Add(ref Es, (int)name);
}
