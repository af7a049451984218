// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.GuestAbi;

namespace Lguest.Launcher.Memory;

/// <summary>
/// The page tables that a guest starts with: RAM at the kernel's page offset, in order, as far as the address space reaches.
/// They take the kernel to where it makes its own. Only RAM is mapped: between banks, entries are not present, and a table
/// that would have none is not made.
/// </summary>
public static class LinearMap
{
    /// <summary>Bytes that one page table maps.</summary>
    public const uint TableSpan = Page.Size * Page.EntriesPerTable;

    /// <summary>The physical addresses, multiples of 4 MiB, for which there is a page table.</summary>
    /// <param name="banks">RAM.</param>
    /// <param name="pageOffset">Where physical address 0 is mapped.</param>
    public static IEnumerable<uint> Tables(MemoryBanks banks, uint pageOffset)
    {
        ulong end = Math.Min(banks.Top, Page.AddressSpace - pageOffset);
        for (ulong start = 0; start < end; start += TableSpan)
        {
            foreach (MemoryRange bank in banks.All)
            {
                if (bank.Start < start + TableSpan && bank.End > start)
                {
                    yield return (uint)start;
                    break;
                }
            }
        }
    }

    // [L:190+24] The first page tables
    // Nobody in ring 1 can turn paging on, so it is on from the first instruction, with tables that we make: RAM appears at the
    // address where the kernel was linked to be, usually 3 GiB, and nothing else is mapped. They take the kernel as far as
    // [G:160].
    /// <summary>Writes page directory and tables.</summary>
    public static void Write(GuestMemory memory, GuestLayout layout)
    {
        uint pageOffset = layout.Kernel.PageOffset;
        ulong mappedEnd = Math.Min(layout.Banks.Top, Page.AddressSpace - pageOffset);
        uint directory = (uint)layout.PageDirectory;
        uint table = (uint)layout.LinearTables;
        memory.Write(directory, Page.Size).Clear();
        foreach (uint start in Tables(layout.Banks, pageOffset))
        {
            Span<uint> entries = MemoryMarshal.Cast<byte, uint>(memory.Write(table, Page.Size));
            entries.Clear();
            foreach (MemoryRange bank in layout.Banks.All)
            {
                // Banks begin and end at pages; whole pages only are mapped.
                ulong from = Math.Max(bank.Start, start);
                ulong to = Math.Min(Math.Min(bank.End, mappedEnd), start + (ulong)TableSpan);
                for (ulong address = from; address < to; address += Page.Size)
                    entries[(int)((address - start) >> Page.Shift)] = (uint)address | (uint)PageFlags.Linear;
            }

            memory.WriteUInt32(directory + ((pageOffset + start) / TableSpan * sizeof(uint)), table | (uint)PageFlags.Linear);
            table += Page.Size;
        }
    }
}
