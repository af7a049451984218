// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Engine.Native;

/// <summary>
/// Pages of files that other processes may cut short. Whoever looks at such a page afterwards gets SIGBUS, and the runtime takes
/// that for the end of the world. Here it is the page that ends: a handler in front of the runtime's puts an empty page of
/// memory in its place, for us alone, and the access is made again.
/// <para>The handler is emitted code, since no managed code may run in a signal. Installed once per process, never removed.</para>
/// </summary>
internal static unsafe partial class LostPages
{
    private const int MaxPages = 256;
    private const int SigBus = 7;
    private const int SigActionSize = 152;
    private const int FlagsOffset = 136;
    private const int OnStackFlag = 0x08000000;
    private const int SigInfoFlag = 4;

    /// <summary>Offset of the fault's code in siginfo_t.</summary>
    private const int SignalCode = 8;

    /// <summary>Offset of the fault's address in siginfo_t.</summary>
    private const int SignalAddress = 16;

    /// <summary>BUS_ADRERR: the page is not there. Other codes of SIGBUS (a bad stack segment, say) give no address, or that of something else.</summary>
    private const int AddressError = 2;

    private const uint MmapCall = 9;
    private const uint PageSize = 4096;

    /// <summary>A free slot: the address of no page.</summary>
    private const ulong NoPage = 1;

    private static readonly Lock s_lock = new();

    /// <summary>Page addresses, <see cref="NoPage"/> for none.</summary>
    private static ulong* s_pages;
    private static CodeArena? s_arena;

    /// <summary>Guards a mapped page of a file.</summary>
    /// <param name="page">Its address.</param>
    /// <exception cref="Win32Exception">The kernel refused the handler.</exception>
    /// <exception cref="InvalidOperationException">More pages than there is room for.</exception>
    public static void Guard(byte* page)
    {
        lock (s_lock)
        {
            if (s_arena is null)
                Install();
            ulong* free = null;
            for (ulong* entry = s_pages; entry < s_pages + MaxPages; entry++)
            {
                if (*entry == (ulong)page)
                    return;
                if (*entry == NoPage)
                    free = entry;
            }

            if (free == null)
                throw new InvalidOperationException($"more than {MaxPages} pages of shared files in one process");
            *free = (ulong)page;
        }
    }

    /// <summary>Guards it no longer. To be called before something else is mapped there.</summary>
    public static void Forget(byte* page)
    {
        lock (s_lock)
        {
            if (s_arena is null)
                return;
            for (ulong* entry = s_pages; entry < s_pages + MaxPages; entry++)
            {
                if (*entry == (ulong)page)
                    *entry = NoPage;
            }
        }
    }

    private static void Install()
    {
        s_pages = (ulong*)NativeMemory.AllocZeroed(MaxPages, sizeof(ulong));
        new Span<ulong>(s_pages, MaxPages).Fill(NoPage);
        CodeArena arena = new(PageSize);
        byte* action = stackalloc byte[SigActionSize];
        using Lock.Scope alone = SignalHandlers.Changing.EnterScope();
        Change(null, action);
        *(byte**)action = Handler(arena, *(ulong*)action);
        *(int*)(action + FlagsOffset) |= SigInfoFlag | OnStackFlag;
        Change(action, null);
        s_arena = arena;
    }

    private static void Change(byte* action, byte* old)
    {
        if (sigaction(SigBus, action, old) != 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"sigaction {SigBus}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>handler(int signal, siginfo_t*, ucontext_t*): %edi, %rsi, %rdx.</summary>
    private static byte* Handler(CodeArena arena, ulong chained)
    {
        const uint protection = MemoryMap.ProtRead | MemoryMap.ProtWrite;
        const uint flags = MemoryMap.Private | MemoryMap.Fixed | MemoryMap.Anonymous;
        Assembler a = new(64);
        Label loop = a.CreateLabel();
        Label found = a.CreateLabel();
        Label next = a.CreateLabel();
        a.cmp(__dword_ptr[rsi + SignalCode], AddressError);
        a.jne(next);
        a.mov(rax, __[rsi + SignalAddress]);
        a.and(rax, -(int)PageSize);
        a.mov(rcx, (ulong)s_pages);
        a.mov(r8d, MaxPages);
        a.Label(ref loop);
        a.cmp(rax, __[rcx]);
        a.je(found);
        a.add(rcx, sizeof(ulong));
        a.dec(r8d);
        a.jnz(loop);
        a.Label(ref next);
        if (chained > 1)
        {
            a.mov(rax, chained);
            a.jmp(rax);
        }
        else
        {
            a.ud2();
        }

        a.Label(ref found);
        a.push(rdi);
        a.push(rsi);
        a.push(rdx);
        a.mov(rdi, rax);
        a.mov(esi, PageSize);
        a.mov(edx, protection);
        a.mov(r10d, flags);
        a.mov(r8, -1);
        a.xor(r9d, r9d);
        a.mov(eax, MmapCall);
        a.syscall();
        a.pop(rdx);
        a.pop(rsi);
        a.pop(rdi);

        // A kernel without a page left answers a small negative number; then nobody can help.
        a.cmp(rax, -(int)PageSize);
        a.ja(next);
        a.ret();
        using MemoryStream stream = new();
        a.Assemble(new StreamCodeWriter(stream), 0);
        return arena.Append(stream.ToArray());
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sigaction(int signal, byte* action, byte* old);
}
