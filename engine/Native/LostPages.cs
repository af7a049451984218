// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using static Tmds.Linux.LibC;

namespace Lguest.Engine.Native;

/// <summary>
/// Pages of files that other processes may cut short. Whoever looks at such a page afterwards gets SIGBUS, and the runtime takes
/// that for the end of the world. Here it is the page that ends: a link of the <see cref="SignalChain"/> puts an empty page of
/// memory in its place, for us alone, and the access is made again.
/// <para>It acts on one kind of fault only: a page that is guarded and that its file does not have any more (BUS_ADRERR). SIGBUS
/// also says that a stack segment was bad or an address misaligned, without an address or with one that means nothing; a link that
/// looked for address 0 in a table whose free slots were 0 once mapped a page there and tried again for ever. Free slots now match no
/// page, and no guest could have raised such a fault in a launcher: docs/engine.md, "Signals", says why.</para>
/// </summary>
internal static unsafe class LostPages
{
    private const int MaxPages = 256;
    private const uint MmapCall = 9;
    private const uint PageSize = 4096;

    /// <summary>A free slot: the address of no page.</summary>
    private const ulong NoPage = 1;

    private static readonly Lock s_lock = new();

    /// <summary>Page addresses, <see cref="NoPage"/> for none.</summary>
    private static ulong* s_pages;
    private static byte* s_link;

    /// <summary>Guards a mapped page of a file.</summary>
    /// <param name="page">Its address.</param>
    /// <exception cref="Win32Exception">The kernel refused the handler.</exception>
    /// <exception cref="InvalidOperationException">More pages than there is room for.</exception>
    public static void Guard(byte* page)
    {
        lock (s_lock)
        {
            if (s_pages == null)
            {
                s_pages = (ulong*)NativeMemory.Alloc(MaxPages, sizeof(ulong));
                new Span<ulong>(s_pages, MaxPages).Fill(NoPage);
            }

            if (s_link == null)
                s_link = SignalChain.Emit(Link());
            SignalChain.Add(s_link, SignalChain.Bus);
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
            Volatile.Write(ref *free, (ulong)page);
        }
    }

    /// <summary>Guards it no longer. To be called before something else is mapped there.</summary>
    public static void Forget(byte* page)
    {
        lock (s_lock)
        {
            if (s_pages == null)
                return;
            for (ulong* entry = s_pages; entry < s_pages + MaxPages; entry++)
            {
                if (*entry == (ulong)page)
                    Volatile.Write(ref *entry, NoPage);
            }
        }
    }

    private static Assembler Link()
    {
        uint protection = (uint)(PROT_READ | PROT_WRITE);
        uint flags = (uint)(MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS);
        Assembler a = new(64);
        Label loop = a.CreateLabel();
        Label found = a.CreateLabel();
        Label foreign = a.CreateLabel();
        a.cmp(__dword_ptr[rsi + SignalFrame.Code], SignalFrame.BusAddressError);
        a.jne(foreign);
        a.mov(rdi, __[rsi + SignalFrame.Address]);
        a.and(rdi, -(int)PageSize);
        a.mov(rcx, (ulong)s_pages);
        a.mov(r8d, MaxPages);
        a.Label(ref loop);
        a.cmp(rdi, __[rcx]);
        a.je(found);
        a.add(rcx, sizeof(ulong));
        a.dec(r8d);
        a.jnz(loop);
        a.Label(ref foreign);
        a.xor(eax, eax);
        a.ret();

        a.Label(ref found);
        a.mov(esi, PageSize);
        a.mov(edx, protection);
        a.mov(r10d, flags);
        a.mov(r8, -1);
        a.xor(r9d, r9d);
        a.mov(eax, MmapCall);
        a.syscall();

        // A kernel without a page left answers a small negative number; then nobody can help.
        a.cmp(rax, -(int)PageSize);
        a.ja(foreign);
        a.mov(eax, 1);
        a.ret();
        return a;
    }
}
