// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Paging;

namespace Lguest.Inspect.Monitor;

/// <summary>The guest's page tables in words.</summary>
internal static class PageTableText
{
    /// <summary>The bits of an entry that the processor leaves to the kernel.</summary>
    private const uint SoftwareBits = 0xE00;

    /// <summary>All levels of one walk, and what came of it for the kernel and for programs.</summary>
    public static string ShowWalk(IDebugPort guest, uint address)
    {
        PageLookup found = guest.Look(address);
        StringBuilder text = new();
        text.Append($"virtual 0x{address:x8}, page directory 0x{guest.PageDirectory:x8}\n");
        foreach (PageTableLevel level in found.Levels)
        {
            if (level.Entry is null && level != found.Levels.First())
                text.Append($"  its page table 0x{level.Address & ~Page.OffsetMask:x8} is outside of the guest's memory\n");
            else
                text.Append($"  {level.Name,-15} {level.Index,4} at 0x{level.Address:x8}: {Entry(level.Entry)}\n");
        }

        if (found.Physical is { } physical)
        {
            bool write = (found.Rights & PageFlags.Writable) != 0;
            bool user = (found.Rights & PageFlags.User) != 0;
            string may = write ? "read and write" : "read";
            string outside = guest.Memory.Contains(physical & ~Page.OffsetMask, Page.Size) ? string.Empty : " (NOT the guest's memory)";
            text.Append($"  physical 0x{physical:x8}{outside}; the kernel may {may}, programs may {(user ? may : "not touch it")}\n");
        }
        else
        {
            text.Append("  not mapped\n");
        }

        return text.ToString();
    }

    /// <summary>All that is mapped.</summary>
    public static string ShowRuns(IDebugPort guest)
    {
        StringBuilder text = new($"page directory 0x{guest.PageDirectory:x8}\n");
        ulong pages = 0;
        foreach (MappedRun run in guest.MappedRuns())
        {
            pages += run.Length >> Page.Shift;
            text.Append($"{run.Start:x8}-{run.Start + run.Length - 1:x8} {run.Length >> 10,8} KiB {Rights(run.Rights)}  physical {run.Physical:x8}{(run.IsLinear ? string.Empty : " and others")}\n");
        }

        return text.Append($"{pages} {(pages == 1 ? "page" : "pages")}\n").ToString();
    }

    private static string Entry(ulong? entry) =>
        entry is { } value ? $"0x{value:x8} = frame 0x{value & ~Page.OffsetMask:x8}, {Flags((uint)value)}" : "outside of the guest's memory";

    private static string Flags(uint entry)
    {
        if ((entry & (uint)PageFlags.Present) == 0)
            return entry == 0 ? "not present" : "not present (what the rest says is the guest's own business)";
        List<string> words = ["present", (entry & (uint)PageFlags.Writable) != 0 ? "writable" : "read-only", (entry & (uint)PageFlags.User) != 0 ? "user" : "kernel"];
        foreach ((PageFlags flag, string name) in (ReadOnlySpan<(PageFlags, string)>)
            [(PageFlags.WriteThrough, "PWT"), (PageFlags.CacheDisable, "PCD"), (PageFlags.Accessed, "accessed"), (PageFlags.Dirty, "dirty"),
            (PageFlags.PageSizeOrPat, "PSE/PAT"), (PageFlags.Global, "global")])
        {
            if ((entry & (uint)flag) != 0)
                words.Add(name);
        }

        if ((entry & SoftwareBits) != 0)
            words.Add($"software bits 0x{entry & SoftwareBits:x}");
        return string.Join(", ", words);
    }

    private static string Rights(PageFlags rights) =>
        $"{((rights & PageFlags.User) != 0 ? 'u' : '-')}r{((rights & PageFlags.Writable) != 0 ? 'w' : '-')}";
}
