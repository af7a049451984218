// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Engine.Native;

/// <summary>Where one engine's emitted code lies, for the signal handlers. All host addresses; the size is a power of two.</summary>
[StructLayout(LayoutKind.Explicit, Size = ByteSize)]
internal struct EmittedRegion
{
    public const int ByteSize = 64;
    public const int CodeStartOffset = 0;
    public const int CodeEndOffset = 8;
    public const int EntryStartOffset = 16;
    public const int EntryEndOffset = 24;
    public const int FaultExitOffset = 32;
    public const int AttentionExitOffset = 40;
    public const int EntryAbortOffset = 48;

    /// <summary>First byte of translated code.</summary>
    [FieldOffset(CodeStartOffset)]
    public ulong CodeStart;

    /// <summary>One past its last.</summary>
    [FieldOffset(CodeEndOffset)]
    public ulong CodeEnd;

    /// <summary>From here …</summary>
    [FieldOffset(EntryStartOffset)]
    public ulong EntryStart;

    /// <summary>… to here, entering translated code may still be called off.</summary>
    [FieldOffset(EntryEndOffset)]
    public ulong EntryEnd;

    /// <summary>Where to go on after a fault in translated code.</summary>
    [FieldOffset(FaultExitOffset)]
    public ulong FaultExit;

    /// <summary>Where to go on when translated code was interrupted; 0: it is left to go on.</summary>
    [FieldOffset(AttentionExitOffset)]
    public ulong AttentionExit;

    /// <summary>Where to go on when the entry was called off.</summary>
    [FieldOffset(EntryAbortOffset)]
    public ulong EntryAbort;
}

// [T:200] A fault
// The guest's code touches what is not mapped, or divides by zero: the host's kernel sends a signal to this process. The runtime
// would take that for the end of the world, so we are asked first, by a few instructions of emitted code. Is the instruction that
// did it part of an engine's code? Then what the processor said goes into the CpuState, and the thread goes on at the exit of
// [T:190], as if the guest's code had jumped there by itself. Anything else is for others.
/// <summary>
/// What happens when emitted code faults or is interrupted. Links of the <see cref="SignalChain"/>, emitted code themselves: the
/// runtime's own handlers would take a fault in code they do not know for the end of the world. A fault in an engine's code goes
/// on at that engine's exit, with what the processor said left in the <see cref="CpuState"/> that %r13 points to; any other, and
/// any signal that somebody sent, is for others.
/// <para>Added once per process and never removed. What they need to know of an engine lies at the beginning of its arena,
/// which they find from the address of the instruction (<see cref="CodeSlots"/>): engines of other threads may come and go
/// meanwhile. A table of all engines was here once: a thread that read an entry, half of it from before and half from after another
/// engine had taken it, went on at that engine's exit for other faults, or at address 0.</para>
/// </summary>
internal static unsafe class SignalHandlers
{
    /// <summary>
    /// The signal that interrupts emitted code: SIGSTKFLT, which neither the kernel nor the runtime uses. Not a real-time one: those
    /// queue, each request a place of a table that all of a user's processes share, and when that is full none of them gets a timer.
    /// </summary>
    public const int AttentionSignal = 16;

    /// <summary>Regions that an arena has, at most.</summary>
    private const int RegionsOfArena = 3;

    private static readonly Lock s_lock = new();
    private static byte* s_fault;
    private static byte* s_attention;

    /// <summary>Sees to it that the handlers are there.</summary>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static void Prepare()
    {
        lock (s_lock)
        {
            if (s_fault == null)
                s_fault = SignalChain.Emit(Fault());
            if (s_attention == null)
                s_attention = SignalChain.Emit(Attention());
            SignalChain.Add(s_fault, SignalChain.Segmentation, SignalChain.FloatingPoint, SignalChain.Bus);
            SignalChain.Add(s_attention, AttentionSignal);
        }
    }

    /// <summary>Makes room for an arena's regions, at its beginning.</summary>
    /// <param name="arena">An empty arena of <see cref="CodeArena.InSlot"/>.</param>
    public static void Reserve(CodeArena arena) => arena.Allocate((nuint)(RegionsOfArena * EmittedRegion.ByteSize));

    /// <summary>Tells the handlers of an arena's regions. To be called before anything there is executed.</summary>
    public static void Describe(CodeArena arena, params ReadOnlySpan<EmittedRegion> regions) =>
        regions.CopyTo(new Span<EmittedRegion>(arena.Writable, RegionsOfArena));

    private static Assembler Fault()
    {
        Assembler a = new(64);
        Label loop = a.CreateLabel();
        Label next = a.CreateLabel();
        Label mine = a.CreateLabel();
        Label foreign = a.CreateLabel();

        // Sent by somebody: what the frame says of a fault is an older one's.
        a.cmp(__dword_ptr[rsi + SignalFrame.Code], 0);
        a.jle(foreign);
        FindRegions(a, foreign);
        a.Label(ref loop);
        a.cmp(rax, __[rcx + EmittedRegion.CodeStartOffset]);
        a.jb(next);
        a.cmp(rax, __[rcx + EmittedRegion.CodeEndOffset]);
        a.jb(mine);
        a.Label(ref next);
        a.add(rcx, EmittedRegion.ByteSize);
        a.dec(r8d);
        a.jnz(loop);
        a.Label(ref foreign);
        a.xor(eax, eax);
        a.ret();

        // Containment: form 4: in the region of an engine %r13 is its state.
        a.Label(ref mine);
        a.mov(r8, __[rdx + SignalFrame.R13]);
        a.mov(State.FaultRip.From(r8), rax);
        a.mov(rax, __[rdx + SignalFrame.Cr2]);
        a.mov(State.FaultAddress.From(r8), rax);
        a.mov(rax, __[rdx + SignalFrame.ErrorCode]);
        a.mov(State.FaultError.From(r8), rax);
        a.mov(rax, __[rdx + SignalFrame.Vector]);
        a.mov(State.FaultVector.From(r8), rax);
        a.mov(rax, __[rcx + EmittedRegion.FaultExitOffset]);
        a.mov(__[rdx + SignalFrame.Rip], rax);
        a.mov(eax, 1);
        a.ret();
        return a;
    }

    /// <summary>The attention signal is nobody else's, wherever it arrives.</summary>
    private static Assembler Attention()
    {
        Assembler a = new(64);
        Label loop = a.CreateLabel();
        Label notCode = a.CreateLabel();
        Label next = a.CreateLabel();
        Label inCode = a.CreateLabel();
        Label asked = a.CreateLabel();
        Label done = a.CreateLabel();

        // A timer names the processor state it is for: whoever looks there next knows, even if no code is interrupted now.
        a.cmp(__dword_ptr[rsi + SignalFrame.Code], SignalFrame.TimerCode);
        a.jne(asked);
        a.mov(rax, __[rsi + SignalFrame.Value]);
        a.mov(State.Attention.DwordFrom(rax), 1);
        a.Label(ref asked);
        FindRegions(a, done);
        a.Label(ref loop);
        a.cmp(rax, __[rcx + EmittedRegion.CodeStartOffset]);
        a.jb(notCode);
        a.cmp(rax, __[rcx + EmittedRegion.CodeEndOffset]);
        a.jb(inCode);
        a.Label(ref notCode);
        a.cmp(rax, __[rcx + EmittedRegion.EntryStartOffset]);
        a.jb(next);
        a.cmp(rax, __[rcx + EmittedRegion.EntryEndOffset]);
        a.jae(next);
        a.mov(rax, __[rcx + EmittedRegion.EntryAbortOffset]);
        a.mov(__[rdx + SignalFrame.Rip], rax);
        a.jmp(done);
        a.Label(ref next);
        a.add(rcx, EmittedRegion.ByteSize);
        a.dec(r8d);
        a.jnz(loop);
        a.jmp(done);
        a.Label(ref inCode);

        // [T:270+7] How to interrupt code that asks nobody
        // Translated code has no "is there anything to do?" at the end of each block. When the clock is due, or another thread
        // wants the guest, it gets a signal, and the handler below leads it out through the door. Wherever that happens, the table
        // of [T:210] knows which instruction the guest is at.
        //
        // Where there is no exit for it, the code looks at the attention flag by itself before it goes on.
        a.mov(r9, __[rcx + EmittedRegion.AttentionExitOffset]);
        a.test(r9, r9);
        a.jz(next);
        a.mov(r8, __[rdx + SignalFrame.R13]);
        a.mov(State.FaultRip.From(r8), rax);
        a.mov(__[rdx + SignalFrame.Rip], r9);
        a.Label(ref done);
        a.mov(eax, 1);
        a.ret();
        return a;
    }

    /// <summary>
    /// %rax becomes the address of the instruction, %rcx that of the regions of the arena it lies in, %r8d their number. Regions
    /// that an arena does not have are all zeros, and no address is below their end.
    /// </summary>
    private static void FindRegions(Assembler a, Label foreign)
    {
        a.mov(rax, __[rdx + SignalFrame.Rip]);
        a.mov(rcx, (ulong)CodeSlots.Start);
        a.mov(r8, rax);
        a.sub(r8, rcx);
        a.shr(r8, CodeSlots.SlotShift + CodeSlots.CountShift);
        a.jnz(foreign);
        a.mov(rcx, rax);
        a.and(rcx, -(int)CodeSlots.SlotSize);
        a.mov(r8d, RegionsOfArena);
    }
}
