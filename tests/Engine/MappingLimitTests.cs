// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Globalization;
using Lguest.Engine;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Native;
using Lguest.Engine.Translator;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// The host allows a process so many mappings, and a runtime that gets no more dies. Guests that ask for more pages or address
/// spaces than can be mapped at once are slower for it, right in what they compute, and never bring the process near.
/// </summary>
public sealed class MappingLimitTests
{
    private const uint ManyPages = 100_000;
    private const uint ManySpaces = 2_000;
    private const uint UserStart = 0x0040_0000;
    private const uint KernelStart = 0xD000_0000;
    private const uint SpacePage = 0x0800_0000;
    private const uint Tables = 0x40_0000;
    private const uint Pool = 0x80_0000;
    private const uint PoolPages = 256;
    private const uint SpaceTables = 0x100_0000;
    private const uint Rounds = 2;
    private const uint SystemCall = 0x80;

    private readonly uint _limit = uint.Parse(File.ReadAllText("/proc/sys/vm/max_map_count"), CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(EngineKind.Interpreter, 3)]
    [InlineData(EngineKind.Translator, 3)]
    [InlineData(EngineKind.Interpreter, 1)]
    [InlineData(EngineKind.Translator, 1)]
    public void AHundredThousandScatteredPages(EngineKind kind, int ring)
    {
        uint start = ring == 3 ? UserStart : KernelStart;
        using TinyGuest guest = new(
            kind,
            g =>
            {
                g.BootWithRings();
                g.Gate(SystemCall, "done", interrupt: false, dpl: 3);
                if (ring == 3)
                    g.ToRing3("walk");
                g.Mark("walk");
                g.Asm.xor(eax, eax);
                g.Asm.mov(esi, start);
                g.Asm.mov(ecx, ManyPages);
                g.Mark("page");
                g.Asm.add(eax, __dword_ptr[esi]);
                g.Asm.inc(__dword_ptr[esi + 4]);
                g.Asm.add(esi, (int)Page.Size);
                g.Asm.dec(ecx);
                g.Asm.jnz(g.Here("page"));
                if (ring == 3)
                    g.Asm.@int((byte)SystemCall);
                else
                    g.Report(eax);
                g.Asm.jmp(g.Here("walk"));
                g.Mark("done");
                g.Report(eax);
                g.Asm.iretd();
            },
            prepare: memory =>
            {
                // Frames in no order, so that no two pages can be one mapping.
                for (uint i = 0; i < ManyPages; i++)
                    memory.WriteUInt32(Tables + (i * 4), Frame(i) | GuestPlan.Mapped);
                for (uint i = 0; i <= ManyPages / GuestPlan.EntriesPerTable; i++)
                    memory.WriteUInt32(GuestPlan.Directory + (((start >> 22) + i) * 4), (Tables + (i * Page.Size)) | GuestPlan.Mapped);
                for (uint i = 0; i < PoolPages; i++)
                    memory.WriteUInt32(Pool + (i * Page.Size), i * i);
            },
            ranges: [new MemoryRange(0, 0x100_0000)]);
        uint expected = 0;
        for (uint i = 0; i < ManyPages; i++)
            expected += ((Frame(i) - Pool) / Page.Size) is var number ? number * number : 0;
        using MappingCount count = new();
        for (uint round = 1; round <= Rounds; round++)
        {
            Assert.Equal(expected, guest.Next());
            count.Look();
        }

        for (uint i = 0; i < PoolPages; i++)
        {
            uint uses = 0;
            for (uint page = 0; page < ManyPages; page++)
                uses += Frame(page) == Pool + (i * Page.Size) ? 1u : 0;
            Assert.Equal(Rounds * uses, guest.Memory.ReadUInt32(Pool + (i * Page.Size) + 4));
        }

        Assert.InRange(count.Most, 1, (int)_limit / 2);

        // That it is not for lack of trying.
        if (kind == EngineKind.Translator)
            Assert.True(count.Most > _limit / 16, $"only {count.Most} mappings");
    }

    /// <summary>And where the host gives address space for a few windows only, those go round.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter, 64)]
    [InlineData(EngineKind.Translator, 64)]
    [InlineData(EngineKind.Translator, 3)]
    [InlineData(EngineKind.Translator, 0)]
    public void TwoThousandAddressSpaces(EngineKind kind, int windows)
    {
        using TinyGuest guest = new(
            kind,
            g =>
            {
                g.BootWithRings();
                g.Gate(SystemCall, "back", interrupt: false, dpl: 3);
                g.Mark("round");
                g.Asm.xor(ebp, ebp);
                g.Asm.mov(edi, SpaceTables);
                g.Mark("space");
                g.Asm.mov(edx, edi);
                g.CallNumber(Generation.Linux2623.Calls.NumberOf(HypercallKind.NewPageTable)!.Value);
                g.ToRing3("user");
                g.Mark("back");
                g.Asm.add(esp, 20);
                g.Asm.add(edi, (int)(2 * Page.Size));
                g.Asm.cmp(edi, SpaceTables + (ManySpaces * 2 * Page.Size));
                g.Asm.jne(g.Here("space"));
                g.Report(ebp);
                g.Asm.jmp(g.Here("round"));

                // The loop makes what is missed once be touched again, which is when it is worth mapping.
                g.Mark("user");
                g.Asm.mov(ecx, 300);
                g.Mark("again");
                g.Asm.add(ebp, __dword_ptr[SpacePage]);
                g.Asm.inc(__dword_ptr[SpacePage + 0x1004]);
                g.Asm.dec(ecx);
                g.Asm.jnz(g.Here("again"));
                g.Asm.@int((byte)SystemCall);
            },
            prepare: memory =>
            {
                uint kernel = memory.ReadUInt32(GuestPlan.Directory + ((GuestPlan.PageOffset >> 22) * 4));
                for (uint i = 0; i < ManySpaces; i++)
                {
                    uint directory = SpaceTables + (i * 2 * Page.Size);
                    memory.WriteUInt32(directory + ((GuestPlan.PageOffset >> 22) * 4), kernel);
                    memory.WriteUInt32(directory + ((SpacePage >> 22) * 4), (directory + Page.Size) | GuestPlan.Mapped);
                    memory.WriteUInt32(directory + Page.Size, (Pool + ((i % PoolPages) * Page.Size)) | GuestPlan.Mapped);
                    memory.WriteUInt32(directory + Page.Size + 4, (Pool + (((i + 100) % PoolPages) * Page.Size)) | GuestPlan.Mapped);
                }

                for (uint i = 0; i < PoolPages; i++)
                    memory.WriteUInt32(Pool + (i * Page.Size), i + 1);
            },
            ranges: [new MemoryRange(0, SpaceTables + (ManySpaces * 2 * Page.Size))]);
        uint expected = 0;
        for (uint i = 0; i < ManySpaces; i++)
            expected += 300 * ((i % PoolPages) + 1);
        using MappingCount count = new();
        MemoryMap.Witness = new FewWindows(windows);
        try
        {
            for (int round = 0; round < 2; round++)
            {
                Assert.Equal(expected, guest.Next());
                count.Look();
            }
        }
        finally
        {
            MemoryMap.Witness = null;
        }

        Assert.InRange(count.Most, 1, (int)_limit / 8);

        // The kernel's, one that was there from the start, and what was given then.
        if (guest.Guest.Core is TranslatorCore translator)
            Assert.InRange(translator.Windows, Math.Min(32, 2 + windows), Math.Min(65, 2 + windows));
    }

    /// <summary>
    /// A page that the kernel can write before other windows are emptied for want of mappings is known to be writable afterwards:
    /// code that is made of it then, and written over through that mapping, is seen to change.
    /// </summary>
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void AWindowThatIsKeptForgetsNothing(EngineKind kind)
    {
        const uint code = 0x60_0000;
        uint pages = Math.Min(_limit / 8, ManyPages);
        using TinyGuest guest = new(
            kind,
            g =>
            {
                g.BootWithRings();
                g.Gate(SystemCall, "done", interrupt: false, dpl: 3);

                // mov eax, 1; ret, by the other name of the page, which is mapped writable by that.
                g.Asm.mov(__dword_ptr[KernelStart], 0x0000_01B8);
                g.Asm.mov(__dword_ptr[KernelStart + 4], 0x0000_C300);
                g.ToRing3("walk");
                g.Mark("walk");
                g.Asm.mov(edx, 3);
                g.Mark("round");
                g.Asm.mov(esi, UserStart);
                g.Asm.mov(ecx, pages);
                g.Mark("page");
                g.Asm.add(eax, __dword_ptr[esi]);
                g.Asm.inc(__dword_ptr[esi + 4]);
                g.Asm.add(esi, (int)Page.Size);
                g.Asm.dec(ecx);
                g.Asm.jnz(g.Here("page"));
                g.Asm.dec(edx);
                g.Asm.jnz(g.Here("round"));
                g.Asm.@int((byte)SystemCall);
                g.Mark("done");
                g.Asm.mov(edi, GuestPlan.Virtual(code));
                g.Asm.call(edi);
                g.Report(eax);
                g.Asm.mov(__byte_ptr[KernelStart + 1], 2);
                g.Asm.call(edi);
                g.Report(eax);
            },
            prepare: memory =>
            {
                // The table behind those of the walk: the page's other name, and its own in the linear part.
                const uint other = Tables - (2 * Page.Size);
                memory.WriteUInt32(GuestPlan.Directory + ((KernelStart >> 22) * 4), other | GuestPlan.Mapped);
                memory.WriteUInt32(other, code | GuestPlan.Mapped);
                memory.WriteUInt32(GuestPlan.Directory + (((GuestPlan.PageOffset + code) >> 22) * 4), (other + Page.Size) | GuestPlan.Mapped);
                memory.WriteUInt32(other + Page.Size + (((GuestPlan.PageOffset + code) >> Page.Shift & 0x3FF) * 4), code | GuestPlan.Mapped);
                for (uint i = 0; i < pages; i++)
                    memory.WriteUInt32(Tables + (i * 4), Frame(i) | GuestPlan.Mapped);
                for (uint i = 0; i <= pages / GuestPlan.EntriesPerTable; i++)
                    memory.WriteUInt32(GuestPlan.Directory + (((UserStart >> 22) + i) * 4), (Tables + (i * Page.Size)) | GuestPlan.Mapped);
            },
            ranges: [new MemoryRange(0, 0x100_0000)]);
        Assert.Equal(1u, guest.Next());
        Assert.Equal(2u, guest.Next());
    }

    private static uint Frame(uint page) => Pool + (page * 7919 % PoolPages * Page.Size);

    /// <summary>A host that gives address space for so many more windows.</summary>
    private sealed class FewWindows(int count) : IMapWitness
    {
        public void Asked(nuint length)
        {
            // A window needs twice its size to find an aligned place in.
            if (length > unchecked((nuint)(1UL << 33)) && count-- <= 0)
                throw new Win32Exception(12, "no more windows");
        }

        public void Mapped(nint address, nuint length)
        {
        }

        public void Unmapped(nint address, nuint length)
        {
        }
    }

    /// <summary>Counts this process's mappings, again and again.</summary>
    private sealed class MappingCount : IDisposable
    {
        // A thread of its own: a timer has to wait for one of the pool's, which the other tests keep busy.
        private readonly Thread _thread;
        private volatile bool _over;
        private int _most;

        public MappingCount()
        {
            _thread = new Thread(() =>
            {
                while (!_over)
                {
                    Look();
                    Thread.Sleep(30);
                }
            });
            _thread.Start();
        }

        public int Most => _most;

        public void Look()
        {
            int now = Lines("/proc/self/maps");
            int most;
            while ((most = _most) < now)
                Interlocked.CompareExchange(ref _most, now, most);
        }

        // Tens of thousands of lines: only counted, not read.
        private static int Lines(string path)
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            Span<byte> bytes = stackalloc byte[16384];
            int lines = 0;
            while (file.Read(bytes) is int length and > 0)
                lines += bytes[..length].Count((byte)'\n');
            return lines;
        }

        public void Dispose()
        {
            _over = true;
            _thread.Join();
        }
    }
}
