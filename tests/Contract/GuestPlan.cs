// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Tests.Contract;

/// <summary>Where things stand in the memory of a tiny guest, guest physical unless said otherwise.</summary>
internal static class GuestPlan
{
    /// <summary>Virtual minus physical address.</summary>
    public const uint PageOffset = 0xC000_0000;

    public const uint Directory = 0x1000;

    /// <summary>The page table of the kernel's first 4 MiB.</summary>
    public const uint KernelTable = 0x2000;

    /// <summary>An empty page table, for a test to hang in and fill.</summary>
    public const uint SpareTable = 0x3000;

    /// <summary>Another page directory, empty.</summary>
    public const uint SecondDirectory = 0x4000;

    public const uint Data = 0x8000;

    public const uint Gdt = 0x9000;

    public const uint Tls = 0x9800;

    /// <summary>A string that ends in NUL.</summary>
    public const uint Text = 0xA000;

    /// <summary>An array of lguest_dma.</summary>
    public const uint DmaArray = 0xB000;

    public const uint Code = 0x1_0000;

    /// <summary>Top of the stack the guest starts with.</summary>
    public const uint StackTop = 0x3_0000;

    /// <summary>Top of the stack that traps from ring 3 get.</summary>
    public const uint TrapStackTop = 0x4_0000;

    /// <summary>Top of the stack of ring 3.</summary>
    public const uint UserStackTop = 0x5_0000;

    /// <summary>Pages that nothing else uses.</summary>
    public const uint Scratch = 0x6_0000;

    public const uint MemoryBytes = 0x20_0000;

    public const uint UserCode = 0x73;

    public const uint UserData = 0x7B;

    /// <summary>Entries in a page table or page directory.</summary>
    public const uint EntriesPerTable = Page.Size / sizeof(uint);

    /// <summary>Flags of a page that everybody may write, used and written already.</summary>
    public const uint Mapped = (uint)(PageFlags.Linear | PageFlags.Accessed | PageFlags.Dirty);

    /// <summary>The kernel's address of a physical one.</summary>
    public static uint Virtual(uint physical) => physical + PageOffset;
}
