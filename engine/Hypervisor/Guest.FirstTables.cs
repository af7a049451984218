// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;

namespace Lguest.Engine.Hypervisor;

/// <summary>How a guest comes from physical addresses to page tables: with its own, or with some that are made for it (abi.md §1.5).</summary>
public sealed unsafe partial class Guest
{
    private readonly uint _tablesEnd;
    private readonly uint _pfnLimit;

    // [H:155+19] Page tables for those who have none
    // Kernels up to 3.0 expect page tables when they come back from their first call. They are made here, in the guest's memory and in the
    // guest's own format, since the guest goes on to change them. Whether that is PAE no call says. But the code is there that would have
    // made the tables on a PC, and it counts either 512 or 1,024 entries.
    /// <summary>LGUEST_INIT of a guest that expects tables.</summary>
    private void MakeFirstTables(GuestData data)
    {
        if (!_abi.Boot.HasTablesAtInit)
            return;
        PagingFormat format = _abi.Paging.MayBePae && StartupCode.IsPae(CodeSoFar()) ? PagingFormat.Pae : PagingFormat.TwoLevel;
        if (WholeMemoryTables.Make(_memory, format, _tablesEnd, _pfnLimit, _pageOffset, _abi.Paging.ReservedStart) is not { } top)
        {
            Kill("no room for first page tables");
            return;
        }

        data.PageDirectory = top;
        LeaveLinearMode(format);
        _pageDirectory = top;
        _core.LoadPageDirectory(top);
    }

    /// <summary>From now on linear addresses are what page tables say.</summary>
    private void LeaveLinearMode(PagingFormat format)
    {
        _core.SetPaging(format);

        // At once: the directory is looked at by this.
        Context = _context with { KernelStart = _pageOffset };
        TellContext();
    }

    /// <summary>Memory up to the instruction at hand, as far back as the kernel's beginning can be.</summary>
    private ReadOnlySpan<byte> CodeSoFar()
    {
        uint end = (uint)Math.Min(_cpu->Arch.Eip, _memory.Ranges[0].End);
        uint length = Math.Min(end, StartupCode.Reach);
        return _memory.Contains(end - length, length) ? _memory.Read(end - length, length) : default;
    }
}
