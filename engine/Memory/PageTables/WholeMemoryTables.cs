// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.GuestAbi;

namespace Lguest.Engine.Memory.PageTables;

/// <summary>
/// Page tables that map all of a guest's memory, at its physical address and at the kernel's (abi.md §1.5). They
/// are in the guest's memory, and the guest changes them as it likes: below an address, the top table last, a directory of PAE before it.
/// </summary>
public static class WholeMemoryTables
{
    private const int PaeTableShift = 9;

    /// <summary>Pages that one pointer of PAE stands for: its directory is all that there is.</summary>
    private const uint PaeMost = 1 << 18;

    /// <summary>Bytes that the tables for so much memory need at most, in either format.</summary>
    /// <param name="memoryEnd">First address above the memory.</param>
    public static ulong BytesFor(ulong memoryEnd) => (TablesFor(memoryEnd >> Page.Shift, PaeTableShift) + 2) * Page.Size;

    /// <summary>Makes them.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="format">Two levels, or PAE.</param>
    /// <param name="end">Where they end: guest physical, page aligned.</param>
    /// <param name="pages">How many pages of memory there are, from address 0 on.</param>
    /// <param name="kernel">The kernel's address of address 0, a multiple of what a table maps (with PAE, of what a pointer stands for).</param>
    /// <param name="reservedStart">Where linear addresses begin that are not the guest's.</param>
    /// <returns>Guest physical address of the top table; null when there is no room.</returns>
    public static uint? Make(GuestMemory memory, PagingFormat format, uint end, uint pages, uint kernel, uint reservedStart)
    {
        bool isPae = format == PagingFormat.Pae;
        uint most = (reservedStart - Math.Min(kernel, reservedStart)) >> Page.Shift;
        pages = Math.Min(Math.Min(pages, most), isPae ? PaeMost : uint.MaxValue);
        uint tables = (uint)TablesFor(pages, isPae ? PaeTableShift : TwoLevel.TableShift);
        uint all = tables + (isPae ? 2u : 1);
        if ((ulong)all * Page.Size > end || !memory.Contains(end - (all * Page.Size), all * Page.Size))
            return null;
        uint top = end - Page.Size;
        uint first = end - (all * Page.Size);
        Span<byte> bytes = memory.Write(first, all * Page.Size);
        bytes.Clear();
        Span<byte> directory = bytes.Slice((int)(tables * Page.Size), (int)Page.Size);
        if (isPae)
            MakePae(bytes, directory, MemoryMarshal.Cast<byte, ulong>(bytes[^(int)Page.Size..]), first, tables, pages, kernel);
        else
            MakeTwoLevel(bytes, directory, first, tables, pages, kernel);
        return top;
    }

    private static void MakeTwoLevel(Span<byte> bytes, Span<byte> directory, uint first, uint tables, uint pages, uint kernel)
    {
        Span<uint> entries = MemoryMarshal.Cast<byte, uint>(bytes);
        for (uint i = 0; i < pages; i++)
            entries[(int)i] = (i << Page.Shift) | (uint)PageFlags.Linear;
        for (uint i = 0; i < tables; i++)
            FirstTables.Enter(directory, i * FirstTables.TableSpan, first + (i * Page.Size));

        // After the others: where both want an entry, the kernel's is the one that is needed.
        for (uint i = 0; i < tables; i++)
            FirstTables.Enter(directory, kernel + (i * FirstTables.TableSpan), first + (i * Page.Size));
    }

    /// <summary>One directory for both addresses, and pointers without rights.</summary>
    private static void MakePae(Span<byte> bytes, Span<byte> directory, Span<ulong> pointers, uint first, uint tables, uint pages, uint kernel)
    {
        const int pointerShift = 30;
        Span<ulong> entries = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (uint i = 0; i < pages; i++)
            entries[(int)i] = (i << Page.Shift) | (uint)PageFlags.Linear;
        for (uint i = 0; i < tables; i++)
            MemoryMarshal.Cast<byte, ulong>(directory)[(int)i] = (first + (i * Page.Size)) | (uint)PageFlags.Linear;
        pointers[0] = (first + (tables * Page.Size)) | (uint)PageFlags.Present;
        pointers[(int)(kernel >> pointerShift)] = pointers[0];
    }

    private static ulong TablesFor(ulong pages, int tableShift) => (pages + (1UL << tableShift) - 1) >> tableShift;
}
