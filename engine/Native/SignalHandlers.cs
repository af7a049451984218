// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;
using Iced.Intel;
using Lguest.Engine.Cpu;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Engine.Native;

/// <summary>Where one engine's emitted code lies, for the signal handlers. All host addresses.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct EmittedRegion
{
    /// <summary>First byte of translated code.</summary>
    public ulong CodeStart;

    /// <summary>Behind its last.</summary>
    public ulong CodeEnd;

    /// <summary>From here …</summary>
    public ulong EntryStart;

    /// <summary>… to here, entering translated code may still be called off.</summary>
    public ulong EntryEnd;

    /// <summary>Where to go on after a fault in translated code.</summary>
    public ulong FaultExit;

    /// <summary>Where to go on when translated code was interrupted; 0: it is left to go on.</summary>
    public ulong AttentionExit;

    /// <summary>Where to go on when the entry was called off.</summary>
    public ulong EntryAbort;

    /// <summary>Keeps the size a power of two.</summary>
    public ulong Unused;
}

/// <summary>
/// What happens when emitted code faults or is interrupted. The handlers are emitted code themselves: the runtime's own
/// handlers would take a fault in code they do not know for the end of the world. A fault in an engine's code goes on at that
/// engine's exit, with what the processor said left in the <see cref="CpuState"/> that %r13 points to; any other is the
/// runtime's, whose handler is jumped to as if nothing had been in front of it.
/// <para>Installed once per process and never removed. What they need to know of an engine lies at the beginning of its arena,
/// which they find from the address of the instruction (<see cref="CodeSlots"/>): engines of other threads may come and go
/// meanwhile. A table of all engines was here once: a thread that read an entry, half of it from before and half from after another
/// engine had taken it, went on at that engine's exit for other faults, or at address 0.</para>
/// </summary>
internal static unsafe partial class SignalHandlers
{
    /// <summary>The signal that interrupts emitted code: a real-time one that the runtime does not use.</summary>
    public const int AttentionSignal = 40;

    /// <summary>Regions that an arena has, at most.</summary>
    private const int RegionsOfArena = 3;

    private const int SigFpe = 8;
    private const int SigBus = 7;
    private const int SigSegv = 11;
    private const int SigActionSize = 152;
    private const int FlagsOffset = 136;
    private const int RestartFlag = 0x10000000;
    private const int OnStackFlag = 0x08000000;
    private const int SigInfoFlag = 4;

    // Offsets in ucontext_t (x86-64 Linux): gregs start at 40.
    private const int ContextR13 = 40 + (5 * 8);
    private const int ContextRip = 40 + (16 * 8);
    private const int ContextError = 40 + (19 * 8);
    private const int ContextVector = 40 + (20 * 8);
    private const int ContextCr2 = 40 + (22 * 8);

    // Offsets in siginfo_t.
    private const int SignalCode = 8;
    private const int SignalValue = 24;
    private const int TimerCode = -2;

    private static CodeArena? s_arena;

    /// <summary>Taken by whoever changes what happens on a signal: reading the handler that is there and putting another in front of it is one step.</summary>
    internal static Lock Changing { get; } = new();

    /// <summary>Sees to it that the handlers are there.</summary>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static void Prepare()
    {
        lock (Changing)
        {
            if (s_arena is null)
                Install();
        }
    }

    /// <summary>Makes room for an arena's regions, at its beginning.</summary>
    /// <param name="arena">An empty arena of <see cref="CodeArena.InSlot"/>.</param>
    public static void Reserve(CodeArena arena) => arena.Allocate((nuint)(RegionsOfArena * sizeof(EmittedRegion)));

    /// <summary>Tells the handlers of an arena's regions. To be called before anything there is executed.</summary>
    public static void Describe(CodeArena arena, params ReadOnlySpan<EmittedRegion> regions) =>
        regions.CopyTo(new Span<EmittedRegion>(arena.Writable, RegionsOfArena));

    private static void Install()
    {
        CodeArena arena = new(65536);
        byte* replacement = stackalloc byte[SigActionSize + 8];
        foreach (int signal in (ReadOnlySpan<int>)[SigSegv, SigFpe, SigBus])
        {
            byte* old = (byte*)NativeMemory.AllocZeroed(SigActionSize + 8);
            Change(signal, null, old);
            Buffer.MemoryCopy(old, replacement, SigActionSize, SigActionSize);
            *(byte**)replacement = FaultHandler(arena, *(ulong*)old);
            *(int*)(replacement + FlagsOffset) |= SigInfoFlag | OnStackFlag;
            Change(signal, replacement, null);
        }

        byte* attention = stackalloc byte[SigActionSize + 8];
        new Span<byte>(attention, SigActionSize + 8).Clear();
        *(byte**)attention = AttentionHandler(arena);
        *(int*)(attention + FlagsOffset) = SigInfoFlag | OnStackFlag | RestartFlag;
        Change(AttentionSignal, attention, null);
        s_arena = arena;
    }

    private static void Change(int signal, byte* action, byte* old)
    {
        if (sigaction(signal, action, old) != 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"sigaction {signal}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>handler(int signal, siginfo_t*, ucontext_t*): %edi, %rsi, %rdx.</summary>
    private static byte* FaultHandler(CodeArena arena, ulong chained)
    {
        Assembler a = new(64);
        Label loop = a.CreateLabel();
        Label next = a.CreateLabel();
        Label mine = a.CreateLabel();
        Label foreign = a.CreateLabel();
        FindRegions(a, foreign);
        a.Label(ref loop);
        a.cmp(rax, __[rcx + 0]);
        a.jb(next);
        a.cmp(rax, __[rcx + 8]);
        a.jb(mine);
        a.Label(ref next);
        a.add(rcx, sizeof(EmittedRegion));
        a.dec(r8d);
        a.jnz(loop);
        a.Label(ref foreign);
        if (chained > 1)
        {
            a.mov(rax, chained);
            a.jmp(rax);
        }
        else
        {
            // Nobody else wants it: give the default action back and let the instruction fault again.
            a.ud2();
        }

        a.Label(ref mine);
        a.mov(r8, __[rdx + ContextR13]);
        a.mov(__[r8 + 0xD0], rax);
        a.mov(rax, __[rdx + ContextCr2]);
        a.mov(__[r8 + 0xD8], rax);
        a.mov(rax, __[rdx + ContextError]);
        a.mov(__[r8 + 0xE0], rax);
        a.mov(rax, __[rdx + ContextVector]);
        a.mov(__[r8 + 0xE8], rax);
        a.mov(rax, __[rcx + 32]);
        a.mov(__[rdx + ContextRip], rax);
        a.ret();
        return Assemble(arena, a);
    }

    private static byte* AttentionHandler(CodeArena arena)
    {
        Assembler a = new(64);
        Label loop = a.CreateLabel();
        Label notCode = a.CreateLabel();
        Label next = a.CreateLabel();
        Label inCode = a.CreateLabel();
        Label asked = a.CreateLabel();
        Label foreign = a.CreateLabel();

        // A timer names the processor state it is for: whoever looks there next knows, even if no code is interrupted now.
        a.cmp(__dword_ptr[rsi + SignalCode], TimerCode);
        a.jne(asked);
        a.mov(rax, __[rsi + SignalValue]);
        a.mov(__dword_ptr[rax + 0x38], 1);
        a.Label(ref asked);
        FindRegions(a, foreign);
        a.Label(ref loop);
        a.cmp(rax, __[rcx + 0]);
        a.jb(notCode);
        a.cmp(rax, __[rcx + 8]);
        a.jb(inCode);
        a.Label(ref notCode);
        a.cmp(rax, __[rcx + 16]);
        a.jb(next);
        a.cmp(rax, __[rcx + 24]);
        a.jae(next);
        a.mov(rax, __[rcx + 48]);
        a.mov(__[rdx + ContextRip], rax);
        a.ret();
        a.Label(ref next);
        a.add(rcx, sizeof(EmittedRegion));
        a.dec(r8d);
        a.jnz(loop);
        a.Label(ref foreign);
        a.ret();
        a.Label(ref inCode);

        // Where there is no exit for it, the code looks at the attention flag by itself before it goes on.
        a.mov(r9, __[rcx + 40]);
        a.test(r9, r9);
        a.jz(next);
        a.mov(r8, __[rdx + ContextR13]);
        a.mov(__[r8 + 0xD0], rax);
        a.mov(__[rdx + ContextRip], r9);
        a.ret();
        return Assemble(arena, a);
    }

    /// <summary>
    /// %rax becomes the address of the instruction, %rcx that of the regions of the arena it lies in, %r8d their number. Regions
    /// that an arena does not have are all zeros, and no address is below their end.
    /// </summary>
    private static void FindRegions(Assembler a, Label foreign)
    {
        a.mov(rax, __[rdx + ContextRip]);
        a.mov(rcx, (ulong)CodeSlots.Start);
        a.mov(r8, rax);
        a.sub(r8, rcx);
        a.shr(r8, CodeSlots.SlotShift + CodeSlots.CountShift);
        a.jnz(foreign);
        a.mov(rcx, rax);
        a.and(rcx, -(int)CodeSlots.SlotSize);
        a.mov(r8d, RegionsOfArena);
    }

    private static byte* Assemble(CodeArena arena, Assembler assembler)
    {
        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), 0);
        return arena.Append(stream.ToArray());
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sigaction(int signal, byte* action, byte* old);
}
