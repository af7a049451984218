// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.GuestAbi.Processor;

namespace Lguest.Engine.Cpu;

/// <summary>What translated code and its ways in and out keep beside the guest's registers.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TranslatorScratch
{
    /// <summary>
    /// Bytes of a segment that a kernel may have in %gs for its stack protector: each function reads a word at its end (abi.md §2.1), and
    /// it is no longer than that.
    /// </summary>
    public const uint SegmentBeginning = 0x18;

    /// <summary>Why translated code was left.</summary>
    public uint ExitReason;

    /// <summary>Which place in it was left, or which instruction is to be interpreted.</summary>
    public uint ExitDetail;

    /// <summary>Host address of a faulting or interrupted instruction.</summary>
    public ulong FaultRip;

    /// <summary>Host address that it could not access.</summary>
    public ulong FaultAddress;

    /// <summary>The processor's error code.</summary>
    public ulong FaultError;

    /// <summary>The processor's vector.</summary>
    public ulong FaultVector;

    /// <summary>Scratch registers of a place that was interrupted.</summary>
    public ulong SavedR9;

    /// <summary>Likewise.</summary>
    public ulong SavedR10;

    /// <summary>Host address to go to.</summary>
    public ulong EnterTarget;

    /// <summary>Host stack pointer to come back to.</summary>
    public ulong HostStack;

    /// <summary>EFLAGS as the host's flags register holds them while translated code runs.</summary>
    public ulong HostFlags;

    /// <summary>Host address of linear address 0 of the current window.</summary>
    public ulong WindowBase;

    /// <summary>What entries of the branch table must carry to be valid now, in the high half.</summary>
    public ulong BranchKey;

    /// <summary>Host address of the branch table.</summary>
    public ulong BranchTable;

    /// <summary>Non-zero while the guest's floating point state is in the host's registers.</summary>
    public uint FloatLive;

    /// <summary>Non-zero: bring the floating point state in when entering.</summary>
    public uint FloatResume;

    /// <summary>Whether it was in the host's registers when translated code was left.</summary>
    public uint FloatWasLive;

    /// <summary>The MXCSR that C# runs with.</summary>
    public uint HostMxcsr;

    /// <summary>Added to 64-bit addresses through %fs: 0, or so much that they fault because the segment has a limit.</summary>
    public ulong FsBias;

    /// <summary>Likewise for %gs.</summary>
    public ulong GsBias;

    /// <summary>Like <see cref="FsBias"/> for reading one of the segment's first <see cref="SegmentBeginning"/> bytes: 0 for short segments, too, that have these.</summary>
    public ulong FsBeginningBias;

    /// <summary>Likewise for %gs.</summary>
    public ulong GsBeginningBias;

    /// <summary>EFLAGS that are set beside the arithmetic ones, DF and IF.</summary>
    public uint ExtraFlags;

    /// <summary>The selector in %es, negated, for comparing without flags.</summary>
    public uint NegatedEs;

    /// <summary>Likewise in %ds.</summary>
    public uint NegatedDs;

    /// <summary>The kernel's stack for traps from ring 3.</summary>
    public uint KernelStack;

    /// <summary>One of two that the kernel may load into %fs without asking; all four lie side by side.</summary>
    public SegmentCandidate FsCandidate0;

    /// <summary>The other.</summary>
    public SegmentCandidate FsCandidate1;

    /// <summary>Likewise for %gs.</summary>
    public SegmentCandidate GsCandidate0;

    /// <summary>Likewise.</summary>
    public SegmentCandidate GsCandidate1;

    /// <summary>Where INT 0x80 goes: the fast way or the slow one.</summary>
    public ulong SystemCallEntry;

    /// <summary>Where the fast way ends.</summary>
    public ulong SystemCallTail;

    /// <summary>Where IRET goes.</summary>
    public ulong InterruptReturnEntry;

    /// <summary>Where its fast way ends.</summary>
    public ulong InterruptReturnTail;

    /// <summary>Host address of linear address 0 of the kernel's window.</summary>
    public ulong KernelWindowBase;

    /// <summary>The kernel's branch key.</summary>
    public ulong KernelBranchKey;

    /// <summary>Ring 3's window.</summary>
    public ulong UserWindowBase;

    /// <summary>Ring 3's branch key.</summary>
    public ulong UserBranchKey;

    /// <summary>%cs of the kernel.</summary>
    public SegmentRegister KernelCs;

    /// <summary>%ss of the kernel.</summary>
    public SegmentRegister KernelSs;

    /// <summary>%cs that ring 3 was last returned to with.</summary>
    public SegmentRegister UserCs;

    /// <summary>%ss likewise.</summary>
    public SegmentRegister UserSs;

    /// <summary>Host address of lguest_data.irq_enabled.</summary>
    public ulong IrqEnabledAddress;

    /// <summary>Host address of what becomes 0 at a system call: irq_enabled, if its gate turns interrupts off; else <see cref="Nothing"/>.</summary>
    public ulong MaskAddress;

    /// <summary>A word that nobody reads.</summary>
    public uint Nothing;

    /// <summary>System calls made without leaving translated code.</summary>
    public ulong SystemCalls;
}
