// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using static Tmds.Linux.LibC;

namespace Lguest.Engine.Translator;

// [T:120] Four gigabytes with nothing in them
/// <summary>
/// 4 GiB of host address space in which a guest's address space appears: linear address x of the guest is at
/// <see cref="Base"/> + x. Nothing is there but what was mapped on demand; the rest, and a strip on both sides, is reserved
/// without access, so that whatever address emitted code works out from 32 bits it meets the guest's own pages or a fault.
/// </summary>
internal sealed unsafe class AddressWindow : IDisposable
{
    /// <summary>In <see cref="this"/>: the page is mapped.</summary>
    public const uint MappedBit = 1;

    /// <summary>In <see cref="this"/>: it may be written.</summary>
    public const uint WritableBit = 2;

    private const ulong Size = 1UL << 32;
    private const ulong Guard = 1UL << 20;
    private static readonly nuint s_reserved = unchecked((nuint)(Size + (2 * Guard)));
    private readonly byte* _reservation;
    private readonly uint* _pages;
    private readonly GuestMemory _memory;
    private MappedTable?[] _tables;
    private int _tableShift;

    /// <summary>Reserves a window, in which nothing is mapped.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="tableShift">log2 of the pages that one of the guest's page tables maps.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">The host has not the address space.</exception>
    public AddressWindow(GuestMemory memory, int tableShift)
    {
        _memory = memory;
        _tableShift = tableShift;
        _tables = new MappedTable?[(Size >> Page.Shift) >> tableShift];

        // Aligned, so that the low half of a host address is the guest's; what alignment leaves over goes back at once, for where
        // address space is limited (ulimit -v) it is what runs out first.
        nuint reserved = unchecked((nuint)((2 * Size) + (2 * Guard)));
        byte* start = MemoryMap.Reserve(null, reserved);
        Base = (byte*)(((ulong)start + Guard + Size - 1) & ~(Size - 1));
        _reservation = Base - Guard;
        if (_reservation != start)
            MemoryMap.Unmap(start, (nuint)(_reservation - start));
        byte* end = _reservation + s_reserved;
        if (end != start + reserved)
            MemoryMap.Unmap(end, (nuint)(start + reserved - end));
        try
        {
            _pages = (uint*)MemoryMap.Map(
                null, (nuint)(Size >> Page.Shift) * sizeof(uint), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        }
        catch
        {
            MemoryMap.Unmap(_reservation, s_reserved);
            throw;
        }
    }

    /// <summary>Host address of linear address 0.</summary>
    public byte* Base { get; }

    /// <summary>The page tables from which pages are mapped, or were, in no order.</summary>
    public List<MappedTable> Tables { get; } = [];

    /// <summary>An estimate from above of the host's mappings that this window costs.</summary>
    public int Mappings { get; private set; } = 1;

    /// <summary>What is mapped at a page: its frame address with <see cref="MappedBit"/> and <see cref="WritableBit"/>, or 0.</summary>
    public uint this[uint page] => _pages[page];

    /// <summary>Maps a run of frames that follow each other.</summary>
    /// <param name="page">First linear page.</param>
    /// <param name="count">Pages.</param>
    /// <param name="frame">Guest physical address of the first frame.</param>
    /// <param name="writable">Whether the guest may write there.</param>
    /// <param name="used">
    /// Whether the guest has used all of them: then they are there, and can be put into the host's page tables at once, instead of one by
    /// one when they are missed a second time. (Of a kernel's run most is its mapping of all memory, unused yet, that is to stay the host's.)
    /// </param>
    public void Map(uint page, uint count, uint frame, bool writable, bool used)
    {
        int flags = MAP_SHARED | MAP_FIXED | (used ? MAP_POPULATE : 0);
        int protection = PROT_READ | (writable ? PROT_WRITE : 0);
        for (uint done = 0, run; done < count; done += run)
        {
            (int file, ulong offset) = _memory.Backing(frame + (done << Page.Shift));
            run = 1;

            // A network's page is another file's: a run of frames may have more than one backing.
            while (done + run < count && _memory.Backing(frame + ((done + run) << Page.Shift)) == (file, offset + ((ulong)run << Page.Shift)))
                run++;
            MemoryMap.Map(
                Base + ((ulong)(page + done) << Page.Shift), (nuint)run << Page.Shift, protection, flags, file, offset);
        }

        for (uint i = 0; i < count; i++)
        {
            Table(page + i).Mapped(isNew: _pages[page + i] == 0);
            _pages[page + i] = (frame + (i << Page.Shift)) | MappedBit | (writable ? WritableBit : 0);
        }

        Mappings += 2;
    }

    /// <summary>Takes the right to write away from a run of mapped pages, or gives it back.</summary>
    public void Protect(uint page, uint count, bool writable)
    {
        MemoryMap.Protect(Base + ((ulong)page << Page.Shift), (nuint)count << Page.Shift, PROT_READ | (writable ? PROT_WRITE : 0));
        for (uint i = 0; i < count; i++)
            _pages[page + i] = (_pages[page + i] & ~WritableBit) | (writable ? WritableBit : 0);
        Mappings += 2;
    }

    /// <summary>Takes the right to write away from all pages of some frames.</summary>
    /// <param name="which">Whether a frame, of which an address is given, is one of them.</param>
    public void ProtectAll(Func<uint, bool> which)
    {
        foreach (MappedTable table in Tables)
        {
            uint run = 0;
            for (uint page = table.First; table.Pages != 0 && page <= table.Last; page++)
            {
                if ((_pages[page] & WritableBit) != 0 && which(_pages[page] & ~Page.OffsetMask))
                {
                    run++;
                    continue;
                }

                if (run != 0)
                    Protect(page - run, run, writable: false);
                run = 0;
            }

            if (run != 0)
                Protect(table.Last + 1 - run, run, writable: false);
        }
    }

    /// <summary>Unmaps a run of mapped pages.</summary>
    public void Unmap(uint page, uint count)
    {
        Unreach(Base + ((ulong)page << Page.Shift), (nuint)count << Page.Shift);
        for (uint i = 0; i < count; i++)
        {
            _pages[page + i] = 0;
            Table(page + i).Unmapped();
        }
    }

    /// <summary>Unmaps everything.</summary>
    public void Clear()
    {
        if (Mappings == 1)
            return;
        Unreach(Base, unchecked((nuint)Size));
        foreach (MappedTable table in Tables)
        {
            if (table.Pages != 0)
                new Span<uint>(_pages + table.First, (int)table.Length).Clear();
            table.Clear();
        }

        Mappings = 1;
    }

    /// <summary>Unmaps everything, and counts by page tables of another size from now on.</summary>
    /// <param name="tableShift">log2 of the pages that one of the guest's page tables maps.</param>
    public void SetTables(int tableShift)
    {
        Clear();
        _tableShift = tableShift;
        _tables = new MappedTable?[(Size >> Page.Shift) >> tableShift];
        Tables.Clear();
    }

    public void Dispose()
    {
        MemoryMap.Unmap(_reservation, s_reserved);
        MemoryMap.Unmap((byte*)_pages, (nuint)(Size >> Page.Shift) * sizeof(uint));
    }

    private MappedTable Table(uint page)
    {
        uint index = page >> _tableShift;
        if (_tables[index] is not { } table)
            Tables.Add(_tables[index] = table = new MappedTable(index << _tableShift, 1u << _tableShift));
        return table;
    }

    private static void Unreach(byte* address, nuint length) => MemoryMap.Reserve(address, length);
}
