// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;
using Iced.Intel;
using Tmds.Linux;
using static Iced.Intel.AssemblerRegisters;
using static Tmds.Linux.LibC;

namespace Lguest.Engine.Native;

/// <summary>
/// Who is asked when a signal arrives: the one place of the process where handlers are installed. For each signal there is one
/// handler, installed once and never removed, in front of whatever was there (the runtime's, mostly). It asks its <em>links</em>
/// in turn; a link acts only on what it knows for its own, by the signal's code and address, and says whether it did. What
/// nobody knows goes to the handler that was there before, as if nothing were in front of it. So it does not matter who comes
/// first, and nothing is ever tried again that nobody has put right.
/// <para>Handlers and links are emitted code, since no managed code may run in a signal, and see this only: the frame on their
/// stack, their chain's table, whose entries are written once, each in one go, and what a link finds for itself. Nothing of
/// this depends on which runtime is in the process, or on whether it wants the signal at all.</para>
/// </summary>
internal static unsafe class SignalChain
{
    public const int Illegal = 4;
    public const int Trap = 5;
    public const int Bus = 7;
    public const int FloatingPoint = 8;
    public const int Segmentation = 11;

    /// <summary>Links that a signal can have.</summary>
    public const int MaxLinks = 7;

    private const int LastSignal = 64;
    private const uint ArenaBytes = 65536;

    private const int DefaultAction = 0;
    private const int Ignore = 1;

    /// <summary>gettid's number.</summary>
    public const uint GetTidCall = 186;

    // Other system calls that a handler makes.
    private const uint RtSigactionCall = 13;
    private const uint GetPidCall = 39;
    private const uint ExitGroupCall = 231;
    private const uint RtTgSigqueueInfoCall = 297;
    private const int KernelActionBytes = 32;
    private const int KernelSetBytes = 8;
    private const int SignalExitStatus = 128;

    private static readonly Lock s_lock = new();
    private static Chain* s_chains;
    private static CodeArena? s_arena;

    /// <summary>For tests: called as soon as a signal's handler is there, before anything else is done.</summary>
    internal static Action<int>? Changed { get; set; }

    /// <summary>Emits a link.</summary>
    /// <param name="link">
    /// Code for int link(int signal, siginfo_t*, ucontext_t*): a leaf that may run in any thread at any time. 0 in %eax: it is
    /// not this link's, and nothing was changed. Position-independent.
    /// </param>
    /// <returns>What <see cref="Add"/> is given.</returns>
    public static byte* Emit(Assembler link)
    {
        lock (s_lock)
            return Place(link);
    }

    /// <summary>Asks a link from now on, before the handler that is there now. A second time changes nothing.</summary>
    /// <param name="link">See <see cref="Emit"/>; it stays for ever.</param>
    /// <param name="signals">For which signals.</param>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    /// <exception cref="InvalidOperationException">Too many links.</exception>
    public static void Add(byte* link, params ReadOnlySpan<int> signals)
    {
        lock (s_lock)
        {
            if (s_chains == null)
                s_chains = (Chain*)NativeMemory.AllocZeroed(LastSignal + 1, (nuint)sizeof(Chain));
            foreach (int signal in signals)
            {
                Chain* chain = s_chains + signal;
                int place = 0;
                while (place < MaxLinks && chain->Links[place] != 0 && chain->Links[place] != (ulong)link)
                    place++;
                if (place == MaxLinks)
                    throw new InvalidOperationException($"more than {MaxLinks} links for signal {signal}");
                Volatile.Write(ref chain->Links[place], (ulong)link);
                if (chain->Installed == 0)
                    Install(signal, chain);
            }
        }
    }

    /// <summary>
    /// The old action is kept (what it blocks, how it restarts) but for its handler, which is noted first: any thread may fault
    /// as soon as the new one is there. Should others, who do not know this lock, have changed it in between, what they
    /// installed is what the exchange gives back.
    /// </summary>
    private static void Install(int signal, Chain* chain)
    {
        sigaction old = default;
        byte* handler = Place(Handler(signal, chain));
        Change(signal, null, &old);
        Volatile.Write(ref chain->Next, (ulong)old.sa_handler);
        sigaction action = old;
        action.sa_handler = handler;
        action.sa_flags = (action.sa_flags & ~SA_RESETHAND) | SA_SIGINFO;

        // Where nobody cared, system calls need not know that there was a signal. Else whoever was there says on which stack: CoreCLR
        // wants SIGSEGV on the alternate one, and would overflow that with a division by zero, whose exception it handles where it is.
        if (chain->Next <= Ignore)
            action.sa_flags |= SA_RESTART | SA_ONSTACK;
        Change(signal, &action, &old);
        Changed?.Invoke(signal);
        Volatile.Write(ref chain->Next, (ulong)old.sa_handler);
        chain->Installed = 1;
    }

    private static void Change(int signal, sigaction* action, sigaction* old)
    {
        if (sigaction(signal, action, old) != 0)
            throw new Win32Exception(errno, $"sigaction {signal}: {Marshal.GetPInvokeErrorMessage(errno)}");
    }

    private static byte* Place(Assembler code)
    {
        s_arena ??= new CodeArena(ArenaBytes);
        using MemoryStream stream = new();
        code.Assemble(new StreamCodeWriter(stream), 0);
        byte* place = s_arena.Append(stream.ToArray());
        return place != null ? place : throw new InvalidOperationException("no room for another signal handler");
    }

    private static Assembler Handler(int signal, Chain* chain)
    {
        const int savedBytes = 4 * sizeof(ulong);
        Assembler a = new(64);
        Label ask = a.CreateLabel();
        Label done = a.CreateLabel();
        Label next = a.CreateLabel();
        Label nobody = a.CreateLabel();
        Label fatal = a.CreateLabel();
        a.push(rbx);
        a.push(rdi);
        a.push(rsi);
        a.push(rdx);
        a.sub(rsp, sizeof(ulong));
        a.mov(rbx, (ulong)chain->Links);
        a.Label(ref ask);
        a.mov(rax, __[rbx]);
        a.test(rax, rax);
        a.jz(next);
        a.mov(rdx, __[rsp + 8]);
        a.mov(rsi, __[rsp + 16]);
        a.mov(rdi, __[rsp + 24]);
        a.call(rax);
        a.add(rbx, sizeof(ulong));
        a.test(eax, eax);
        a.jz(ask);
        a.Label(ref done);
        a.add(rsp, savedBytes);
        a.pop(rbx);
        a.ret();

        // Not ours: all registers that count are as they were.
        a.Label(ref next);
        a.add(rsp, sizeof(ulong));
        a.pop(rdx);
        a.pop(rsi);
        a.pop(rdi);
        a.pop(rbx);
        a.mov(rax, (ulong)&chain->Next);
        a.mov(rax, __[rax]);
        a.cmp(rax, Ignore);
        a.jbe(nobody);
        a.jmp(rax);

        // Nobody wants it. What was sent can be ignored; what the processor could not do can not.
        a.Label(ref nobody);
        a.jb(fatal);
        a.cmp(__dword_ptr[rsi + SignalFrame.Code], 0);
        a.jg(fatal);
        a.ret();
        a.Label(ref fatal);
        EmitDefault(a, signal);
        return a;
    }

    /// <summary>
    /// What would have happened without us: the default action is put back and the signal raised again, with all that it said,
    /// for the moment when this handler returns. Where even that is refused (a filter of system calls, say) the process ends.
    /// </summary>
    private static void EmitDefault(Assembler a, int signal)
    {
        Label refused = a.CreateLabel();
        a.push(rbx);
        a.sub(rsp, KernelActionBytes);
        a.mov(rbx, rsi);
        a.xor(eax, eax);
        for (int i = 0; i < KernelActionBytes; i += sizeof(ulong))
            a.mov(__[rsp + i], rax);
        a.mov(edi, signal);
        a.mov(rsi, rsp);
        a.xor(edx, edx);
        a.mov(r10d, KernelSetBytes);
        a.mov(eax, RtSigactionCall);
        a.syscall();
        a.test(eax, eax);
        a.jnz(refused);
        a.mov(eax, GetPidCall);
        a.syscall();
        a.mov(edi, eax);
        a.mov(eax, GetTidCall);
        a.syscall();
        a.mov(esi, eax);
        a.mov(edx, signal);
        a.mov(r10, rbx);
        a.mov(eax, RtTgSigqueueInfoCall);
        a.syscall();
        a.test(eax, eax);
        a.jnz(refused);
        a.add(rsp, KernelActionBytes);
        a.pop(rbx);
        a.ret();
        a.Label(ref refused);
        a.mov(edi, SignalExitStatus + signal);
        a.mov(eax, ExitGroupCall);
        a.syscall();
        a.hlt();
    }

    /// <summary>One signal's links and the handler that was there before.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Chain
    {
        /// <summary>Address, or <see cref="DefaultAction"/> or <see cref="Ignore"/>.</summary>
        public ulong Next;

        /// <summary>Addresses, from the first on; the one past the last is 0.</summary>
        public fixed ulong Links[MaxLinks + 1];

        /// <summary>Whether our handler is there.</summary>
        public ulong Installed;
    }
}
