// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Sandbox;

/// <summary>
/// Has every thread of the process make the same system calls. Capabilities and Landlock belong to a thread, not to a process,
/// and the runtime has started threads of its own before any code of ours ran. So each is sent a signal whose handler makes the
/// calls, as the C library does for setuid and libpsx for capabilities. Threads that a thread starts afterwards inherit what it
/// gave up; the list of threads is read again until it holds none that has not answered.
/// <para>The handler is emitted code: a signal may find a thread in the middle of anything, and some do not know the runtime.</para>
/// </summary>
internal static unsafe class EveryThread
{
    /// <summary>Where the kernel lists the threads.</summary>
    public const string List = "/proc/self/task";

    /// <summary>A real-time signal that neither the runtime nor the engine uses.</summary>
    private const int Signal = 41;

    /// <summary>Answers at most; a launcher has some ten threads.</summary>
    private const int MostAnswers = 4096;

    /// <summary>On a busy host a thread may have to wait for a processor.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>Makes calls on every thread.</summary>
    /// <param name="calls">In their order.</param>
    /// <param name="patience">How long to wait for them all; null: as long as makes sense.</param>
    /// <returns>The number of threads, or 0 when they cannot be listed (no /proc): then no thread has made a call.</returns>
    /// <exception cref="Win32Exception">A call failed on some thread, or a thread does not answer.</exception>
    public static int Make(ReadOnlySpan<ThreadCall> calls, TimeSpan? patience = null)
    {
        if (Threads() is not { } threads)
            return 0;
        Block* block = (Block*)NativeMemory.AllocZeroed((nuint)sizeof(Block));
        ThreadCall* list = (ThreadCall*)NativeMemory.AllocZeroed((nuint)((calls.Length + 1) * sizeof(ThreadCall)));
        calls.CopyTo(new Span<ThreadCall>(list, calls.Length));
        list[calls.Length] = new ThreadCall(-1, 0, 0, 0, 0, 0, 0);
        sigaction old;
        Install(Handler(block, list), &old);
        HashSet<int> asked = [];
        Stopwatch time = Stopwatch.StartNew();
        while (true)
        {
            bool all = true;
            foreach (int thread in threads)
            {
                if (Answered(block, thread))
                    continue;

                // One that has ended since the list was read needs no seal.
                if (asked.Add(thread) && SandboxCalls.Call(SandboxCalls.TgKill, Environment.ProcessId, thread, Signal) != 0)
                {
                    if (errno != ESRCH)
                        throw new Win32Exception(errno, $"thread {thread} cannot be asked: {Marshal.GetLastPInvokeErrorMessage()}");
                    asked.Remove(thread);
                }

                all = false;
            }

            // A thread that answers after that must still find the handler, its list and its block: without a handler the signal is deadly.
            if (block->Error != 0)
                throw new Win32Exception(-(int)block->Error, string.Create(CultureInfo.InvariantCulture, $"system call {block->Failed} failed on a thread: {Marshal.GetPInvokeErrorMessage(-(int)block->Error)}"));
            if (all)
            {
                _ = sigaction(Signal, &old, null);
                return threads.Count;
            }

            if (time.Elapsed > (patience ?? s_patience))
                throw new Win32Exception(0, string.Create(CultureInfo.InvariantCulture, $"of {threads.Count} threads {block->Count} answer"));

            if (time.ElapsedMilliseconds > 1)
                Thread.Sleep(1);
            else
                Thread.Yield();
            threads = Threads()!;
        }
    }

    private static List<int>? Threads()
    {
        if (!Directory.Exists(List))
            return null;
        List<int> threads = [];
        foreach (string path in Directory.EnumerateDirectories(List))
        {
            if (int.TryParse(path.AsSpan(List.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int thread))
                threads.Add(thread);
        }

        return threads;
    }

    private static bool Answered(Block* block, int thread) =>
        new ReadOnlySpan<int>(block->Answers, (int)Math.Min(Volatile.Read(ref block->Count), MostAnswers)).Contains(thread);

    private static void Install(byte* handler, sigaction* old)
    {
        sigaction action = new() { sa_handler = handler, sa_flags = SA_RESTART | SA_ONSTACK };
        if (sigaction(Signal, &action, old) != 0)
            throw new Win32Exception(errno, $"sigaction {Signal}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>
    /// <code>
    /// for (call = list; call->Number >= 0; call++)
    ///     if ((result = syscall(call)) &lt; 0 &amp;&amp; !call->MayFail) { block->Error = result; block->Failed = call->Number; }
    /// block->Answers[block->Count++] = gettid();
    /// </code>
    /// </summary>
    private static byte* Handler(Block* block, ThreadCall* list)
    {
        const uint size = 4096;
        ReadOnlySpan<byte> code =
        [
            0x53,                                           // push %rbx
            0x55,                                           // push %rbp
            0x48, 0xBB, 0, 0, 0, 0, 0, 0, 0, 0,             // mov $list,%rbx
            0x48, 0xBD, 0, 0, 0, 0, 0, 0, 0, 0,             // mov $block,%rbp
            0x48, 0x8B, 0x03,                               // 22: mov (%rbx),%rax
            0x48, 0x85, 0xC0,                               // 25: test %rax,%rax
            0x78, 0x2F,                                     // 28: js 77
            0x48, 0x8B, 0x7B, 0x08,                         // 30: mov 8(%rbx),%rdi
            0x48, 0x8B, 0x73, 0x10,                         // 34: mov 16(%rbx),%rsi
            0x48, 0x8B, 0x53, 0x18,                         // 38: mov 24(%rbx),%rdx
            0x4C, 0x8B, 0x53, 0x20,                         // 42: mov 32(%rbx),%r10
            0x4C, 0x8B, 0x43, 0x28,                         // 46: mov 40(%rbx),%r8
            0x0F, 0x05,                                     // 50: syscall
            0x48, 0x85, 0xC0,                               // 52: test %rax,%rax
            0x79, 0x0E,                                     // 55: jns 71
            0x83, 0x7B, 0x30, 0x00,                         // 57: cmpl $0,48(%rbx)
            0x75, 0x08,                                     // 61: jne 71
            0x89, 0x45, 0x04,                               // 63: mov %eax,4(%rbp)
            0x8B, 0x03,                                     // 66: mov (%rbx),%eax
            0x89, 0x45, 0x08,                               // 68: mov %eax,8(%rbp)
            0x48, 0x83, 0xC3, 0x38,                         // 71: add $56,%rbx
            0xEB, 0xC9,                                     // 75: jmp 22
            0xB8, 0xBA, 0x00, 0x00, 0x00,                   // 77: mov $gettid,%eax
            0x0F, 0x05,                                     // 82: syscall
            0xB9, 0x01, 0x00, 0x00, 0x00,                   // 84: mov $1,%ecx
            0xF0, 0x0F, 0xC1, 0x4D, 0x00,                   // 89: lock xadd %ecx,(%rbp)
            0x81, 0xF9, 0, 0, 0, 0,                         // 94: cmp $MostAnswers,%ecx
            0x73, 0x04,                                     // 100: jae 106
            0x89, 0x44, 0x8D, 0x0C,                         // 102: mov %eax,12(%rbp,%rcx,4)
            0x5D,                                           // 106: pop %rbp
            0x5B,                                           // 107: pop %rbx
            0xC3,                                           // 108: ret
        ];
        const int ListAt = 4;
        const int BlockAt = 14;
        const int MostAt = 96;
        void* mapped = mmap(null, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED)
            throw new Win32Exception(errno, $"no page for a signal handler: {Marshal.GetLastPInvokeErrorMessage()}");
        byte* page = (byte*)mapped;
        code.CopyTo(new Span<byte>(page, (int)size));
        *(ulong*)(page + ListAt) = (ulong)list;
        *(ulong*)(page + BlockAt) = (ulong)block;
        *(int*)(page + MostAt) = MostAnswers;
        if (mprotect(page, size, PROT_READ | PROT_EXEC) != 0)
            throw new Win32Exception(errno, $"a signal handler cannot be made executable: {Marshal.GetLastPInvokeErrorMessage()}");
        return page;
    }

    /// <summary>What the handler writes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Block
    {
        public int Count;

        /// <summary>0, or the negative error number of a call that failed.</summary>
        public int Error;

        /// <summary>Its number.</summary>
        public int Failed;

        public fixed int Answers[MostAnswers];
    }
}
