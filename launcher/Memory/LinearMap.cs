// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;

namespace Lguest.Launcher.Memory;

/// <summary>
/// The page tables that a guest starts with: RAM at the kernel's page offset, in order, as far as the address space reaches.
/// They take the kernel to where it makes its own. Only RAM is mapped: between banks, entries are not present, and a table
/// that would have none is not made.
/// </summary>
public static class LinearMap
{
    /// <summary>The physical addresses, multiples of <see cref="FirstTables.TableSpan"/>, for which there is a page table.</summary>
    /// <param name="banks">RAM.</param>
    /// <param name="pageOffset">Where physical address 0 is mapped.</param>
    public static IEnumerable<uint> Tables(MemoryBanks banks, uint pageOffset)
    {
        ulong end = Math.Min(banks.Top, Page.AddressSpace - pageOffset);
        for (ulong start = 0; start < end; start += FirstTables.TableSpan)
        {
            foreach (MemoryRange bank in banks.All)
            {
                if (bank.Start < start + FirstTables.TableSpan && bank.End > start)
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
        Span<byte> directory = memory.Write((uint)layout.PageDirectory, Page.Size);
        uint table = (uint)layout.LinearTables;
        directory.Clear();
        foreach (uint start in Tables(layout.Banks, pageOffset))
        {
            Span<byte> entries = memory.Write(table, Page.Size);
            entries.Clear();
            foreach (MemoryRange bank in layout.Banks.All)
            {
                // Banks begin and end at pages; whole pages only are mapped.
                ulong from = Math.Max(bank.Start, start);
                ulong to = Math.Min(Math.Min(bank.End, mappedEnd), start + (ulong)FirstTables.TableSpan);
                if (from < to)
                    FirstTables.Map(entries, pageOffset + (uint)from, (uint)from, (int)((to - from + Page.OffsetMask) >> Page.Shift));
            }

            FirstTables.Enter(directory, pageOffset + start, table);
            table += Page.Size;
        }
    }
}
