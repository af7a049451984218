// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lguest.Engine.Cpu;

/// <summary>Bits of %dr6 (Intel SDM volume 3, 17.2.3).</summary>
internal static class DebugStatus
{
    /// <summary>What reads as one on every processor of the time.</summary>
    public const uint Reserved = 0xFFFF_0FF0;

    /// <summary>BS: the trap was for a step with TF.</summary>
    public const uint SingleStep = 0x4000;
}

// [I:110] The registers
/// <summary>
/// Everything that a guest's processor remembers, at fixed places in native memory, so that emitted code can reach it as
/// easily as C#. The arithmetic flags are kept the lazy way: see <see cref="LazyFlags"/>.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = ByteSize)]
public unsafe struct CpuState
{
    /// <summary>Bytes of native memory that hold the state.</summary>
    public const int ByteSize = 2048;

    /// <summary>Offset of <see cref="Zero"/>.</summary>
    public const int ZeroOffset = 0x24;

    /// <summary>Offset of <see cref="EffectiveAddress"/>.</summary>
    public const int EffectiveAddressOffset = 0x28;

    /// <summary>The general registers, indexed by <see cref="GeneralRegister"/>.</summary>
    [FieldOffset(0x00)]
    public fixed uint Registers[8];

    /// <summary>The next instruction to execute; after a fault, the instruction that faulted.</summary>
    [FieldOffset(0x20)]
    public uint Eip;

    /// <summary>Always 0: the register that an address without a base or an index adds.</summary>
    [FieldOffset(ZeroOffset)]
    public uint Zero;

    /// <summary>A linear address worked out ahead of its instruction.</summary>
    [FieldOffset(EffectiveAddressOffset)]
    public uint EffectiveAddress;

    /// <summary>Lazy flags: the last result, sign-extended to 32 bits.</summary>
    [FieldOffset(0x2C)]
    public int FlagResult;

    /// <summary>Lazy flags: carries and corrections.</summary>
    [FieldOffset(0x30)]
    public uint FlagAux;

    /// <summary>EFLAGS without the arithmetic flags.</summary>
    [FieldOffset(0x34)]
    public uint SystemFlags;

    /// <summary>Set to non-zero by any thread: leave the guest's code soon.</summary>
    [FieldOffset(0x38)]
    public int Attention;

    /// <summary>Instructions left before the hypervisor looks at its clock; counted down block by block.</summary>
    [FieldOffset(0x3C)]
    public int Budget;

    /// <summary>Guest instructions executed.</summary>
    [FieldOffset(0x40)]
    public ulong Instructions;

    /// <summary>Current privilege level: 1 for the guest's kernel, 3 for its programs.</summary>
    [FieldOffset(0x48)]
    public uint Cpl;

    /// <summary>Non-zero: using the FPU traps with vector 7.</summary>
    [FieldOffset(0x4C)]
    public uint TaskSwitched;

    /// <summary>%es.</summary>
    [FieldOffset(0x50)]
    public SegmentRegister Es;

    /// <summary>%cs.</summary>
    [FieldOffset(0x60)]
    public SegmentRegister Cs;

    /// <summary>%ss.</summary>
    [FieldOffset(0x70)]
    public SegmentRegister Ss;

    /// <summary>%ds.</summary>
    [FieldOffset(0x80)]
    public SegmentRegister Ds;

    /// <summary>%fs.</summary>
    [FieldOffset(0x90)]
    public SegmentRegister Fs;

    /// <summary>%gs.</summary>
    [FieldOffset(0xA0)]
    public SegmentRegister Gs;

    /// <summary>The interpreter's table of translated pages for the current privilege level.</summary>
    [FieldOffset(0xB0)]
    public byte* Tlb;

    /// <summary>The interpreter's table from EIP to decoded code.</summary>
    [FieldOffset(0xB8)]
    public byte* JumpCache;

    /// <summary>What an entry of <see cref="JumpCache"/> must carry to be valid now.</summary>
    [FieldOffset(0xC0)]
    public uint JumpKey;

    /// <summary>
    /// Whether a step with TF has trapped: 0 or <see cref="DebugStatus.SingleStep"/>. It stays, as %dr6 stays until somebody writes it.
    /// </summary>
    [FieldOffset(0xC4)]
    public uint SingleStepped;

    /// <summary>Translator: why emitted code was left.</summary>
    [FieldOffset(0xC8)]
    public uint ExitReason;

    /// <summary>Translator: which place in emitted code was left, or which instruction is to be interpreted.</summary>
    [FieldOffset(0xCC)]
    public uint ExitDetail;

    /// <summary>Translator: host address of a faulting or interrupted instruction.</summary>
    [FieldOffset(0xD0)]
    public ulong FaultRip;

    /// <summary>Translator: host address that it could not access.</summary>
    [FieldOffset(0xD8)]
    public ulong FaultAddress;

    /// <summary>Translator: the processor's error code.</summary>
    [FieldOffset(0xE0)]
    public ulong FaultError;

    /// <summary>Translator: the processor's vector.</summary>
    [FieldOffset(0xE8)]
    public ulong FaultVector;

    /// <summary>Translator: host address to go to.</summary>
    [FieldOffset(0xF0)]
    public ulong EnterTarget;

    /// <summary>Translator: host stack pointer to come back to.</summary>
    [FieldOffset(0xF8)]
    public ulong HostStack;

    /// <summary>x87, MMX and SSE state in the legacy (32-bit) FXSAVE format, 512 bytes, 16-byte aligned.</summary>
    [FieldOffset(0x100)]
    public fixed byte FxState[FxImage.ByteSize];

    /// <summary>The same, field by field.</summary>
    [FieldOffset(0x100)]
    public FxImage Float;

    /// <summary>A scratch copy of a memory operand that a native stub works on, 16-byte aligned.</summary>
    [FieldOffset(0x300)]
    public fixed byte Scratch[512];

    /// <summary>Translator: EFLAGS as the host's flags register holds them while emitted code runs.</summary>
    [FieldOffset(0x500)]
    public ulong HostFlags;

    /// <summary>Translator: host address of linear address 0 of the current window.</summary>
    [FieldOffset(0x508)]
    public ulong WindowBase;

    /// <summary>Translator: what entries of the branch table must carry to be valid now, in the high half.</summary>
    [FieldOffset(0x510)]
    public ulong BranchKey;

    /// <summary>Translator: host address of the branch table.</summary>
    [FieldOffset(0x518)]
    public ulong BranchTable;

    /// <summary>Translator: non-zero while the guest's floating point state is in the host's registers.</summary>
    [FieldOffset(0x520)]
    public uint FloatLive;

    /// <summary>Translator: the MXCSR that C# runs with.</summary>
    [FieldOffset(0x524)]
    public uint HostMxcsr;

    /// <summary>Translator: scratch registers of a place that was interrupted.</summary>
    [FieldOffset(0x528)]
    public ulong SavedR9;

    /// <summary>Translator: likewise.</summary>
    [FieldOffset(0x530)]
    public ulong SavedR10;

    /// <summary>Translator: non-zero: bring the floating point state in when entering.</summary>
    [FieldOffset(0x538)]
    public uint FloatResume;

    /// <summary>Translator: whether it was in the host's registers when translated code was left.</summary>
    [FieldOffset(0x53C)]
    public uint FloatWasLive;

    /// <summary>Translator: added to 64-bit addresses through %fs: 0, or so much that they fault because the segment has a limit.</summary>
    [FieldOffset(0x540)]
    public ulong FsBias;

    /// <summary>Translator: likewise for %gs.</summary>
    [FieldOffset(0x548)]
    public ulong GsBias;

    /// <summary>Translator: EFLAGS that are set beside the arithmetic ones, DF and IF.</summary>
    [FieldOffset(0x550)]
    public uint ExtraFlags;

    /// <summary>Translator: the selector in %es, negated, for comparing without flags.</summary>
    [FieldOffset(0x554)]
    public uint NegatedEs;

    /// <summary>Translator: likewise in %ds.</summary>
    [FieldOffset(0x558)]
    public uint NegatedDs;

    /// <summary>Translator: one of two that the kernel may load into %fs without asking; all four lie side by side.</summary>
    [FieldOffset(0x560)]
    public SegmentCandidate FsCandidate0;

    /// <summary>Translator: the other.</summary>
    [FieldOffset(0x580)]
    public SegmentCandidate FsCandidate1;

    /// <summary>Translator: likewise for %gs.</summary>
    [FieldOffset(0x5A0)]
    public SegmentCandidate GsCandidate0;

    /// <summary>Translator: likewise.</summary>
    [FieldOffset(0x5C0)]
    public SegmentCandidate GsCandidate1;

    /// <summary>Translator: where INT 0x80 goes: the fast way or the slow one.</summary>
    [FieldOffset(0x5E0)]
    public ulong SystemCallEntry;

    /// <summary>Translator: where the fast way ends.</summary>
    [FieldOffset(0x5E8)]
    public ulong SystemCallTail;

    /// <summary>Translator: where IRET goes.</summary>
    [FieldOffset(0x5F0)]
    public ulong InterruptReturnEntry;

    /// <summary>Translator: where its fast way ends.</summary>
    [FieldOffset(0x5F8)]
    public ulong InterruptReturnTail;

    /// <summary>Translator: the kernel's window and branch key, then ring 3's.</summary>
    [FieldOffset(0x600)]
    public ulong KernelWindowBase;

    /// <summary>Translator: the kernel's branch key.</summary>
    [FieldOffset(0x608)]
    public ulong KernelBranchKey;

    /// <summary>Translator: ring 3's window.</summary>
    [FieldOffset(0x610)]
    public ulong UserWindowBase;

    /// <summary>Translator: ring 3's branch key.</summary>
    [FieldOffset(0x618)]
    public ulong UserBranchKey;

    /// <summary>Translator: %cs of the kernel.</summary>
    [FieldOffset(0x620)]
    public SegmentRegister KernelCs;

    /// <summary>Translator: %ss of the kernel.</summary>
    [FieldOffset(0x630)]
    public SegmentRegister KernelSs;

    /// <summary>Translator: %cs that ring 3 was last returned to with.</summary>
    [FieldOffset(0x640)]
    public SegmentRegister UserCs;

    /// <summary>Translator: %ss likewise.</summary>
    [FieldOffset(0x650)]
    public SegmentRegister UserSs;

    /// <summary>Translator: host address of lguest_data.irq_enabled.</summary>
    [FieldOffset(0x660)]
    public ulong IrqEnabledAddress;

    /// <summary>Translator: the kernel's stack for traps from ring 3.</summary>
    [FieldOffset(0x668)]
    public uint KernelStack;

    /// <summary>Translator: system calls made without leaving translated code.</summary>
    [FieldOffset(0x7F8)]
    public ulong SystemCalls;

    /// <summary>A general register.</summary>
    public uint this[GeneralRegister register]
    {
        readonly get => Registers[(int)register];
        set => Registers[(int)register] = value;
    }

    /// <summary>A segment register of a state in native memory.</summary>
    public static ref SegmentRegister Segment(CpuState* cpu, SegmentName name) =>
        ref Unsafe.Add(ref Unsafe.AsRef<SegmentRegister>(&cpu->Es), (int)name);

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
}
