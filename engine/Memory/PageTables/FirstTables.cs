// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.GuestAbi;

namespace Lguest.Engine.Memory.PageTables;

/// <summary>How page tables are written that a guest starts with: two levels, all rights (abi.md §1.5).</summary>
public static class FirstTables
{
    /// <summary>Bytes that one table maps.</summary>
    public const uint TableSpan = TwoLevel.TableSpan;

    /// <summary>Enters a table into a page directory.</summary>
    /// <param name="directory">The page directory.</param>
    /// <param name="linear">The first linear address that the table maps.</param>
    /// <param name="table">Guest physical address of the table.</param>
    public static void Enter(Span<byte> directory, uint linear, uint table) =>
        MemoryMarshal.Cast<byte, uint>(directory)[(int)(linear / TableSpan)] = table | (uint)PageFlags.Linear;

    /// <summary>Enters pages that follow one another into a table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="linear">Linear address of the first; all are in the table's span.</param>
    /// <param name="physical">Guest physical address of the first.</param>
    /// <param name="count">How many.</param>
    public static void Map(Span<byte> table, uint linear, uint physical, int count)
    {
        foreach (ref uint entry in MemoryMarshal.Cast<byte, uint>(table).Slice((int)(linear % TableSpan / Page.Size), count))
        {
            entry = physical | (uint)PageFlags.Linear;
            physical += Page.Size;
        }
    }
}
