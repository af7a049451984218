// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory.PageTables;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;

namespace Lguest.Launcher.Memory;

// [L:170] Who lives where
/// <summary>
/// Who lives where in the guest's physical memory (abi.md §1.1). In the lowest bank: boot parameters, kernel, and from its top
/// downwards the initrd, the page directory, the linear page tables. Above all RAM: the device descriptors and device pages.
/// Everything is worked out, and refused if it does not fit, before a byte of memory exists.
/// </summary>
public sealed class GuestLayout
{
    /// <summary>Bytes above RAM in which the devices on PCI have their registers (abi.md §1.1).</summary>
    private const ulong RoomForPci = 2 << 20;

    /// <summary>Bytes between RAM and the first device on PCI.</summary>
    private const ulong RamToRegisters = 1 << 20;

    private GuestLayout(MemoryBanks banks, KernelImage kernel, uint initrdLength, int devicePages)
    {
        Banks = banks;
        Kernel = kernel;
        BootProtocol boot = kernel.Series.Boot;

        // 2.6.23 is told the rounded length; the seed's guest works back from the top with the exact one.
        InitrdLength = boot.RoundsInitrd ? (uint)Page.AlignUp(initrdLength) : initrdLength;
        InitrdEnd = InitrdLength == 0 ? banks.Lowest.End : EndOfInitrd(banks, kernel);
        InitrdAddress = InitrdEnd - Math.Min(InitrdEnd, InitrdLength);
        if (HasTables)
        {
            ulong tablesEnd = InitrdAddress & ~(ulong)Page.OffsetMask;
            PageDirectory = tablesEnd - Math.Min(tablesEnd, Page.Size);
            TableCount = CountTables(banks, kernel.PageOffset);
            LinearTables = PageDirectory - Math.Min(PageDirectory, (ulong)TableCount * Page.Size);
        }

        TablesEnd = Math.Min(InitrdAddress, boot.InitrdEnd);
        DescriptorPage = banks.Top;
        DevicePages = devicePages;
        if (HasDescriptors)
        {
            if (banks.All.Count > 1 && banks.All[1].Start > banks.Lowest.End)
                DescriptorCopy = (uint)banks.Lowest.End;
            Top = DescriptorPage + ((ulong)(1 + devicePages) * Page.Size);
        }
        else
        {
            Top = banks.Top;
        }

        BootParametersEnd = boot.InformationEnd;
    }

    /// <summary>RAM.</summary>
    public MemoryBanks Banks { get; }

    /// <summary>The kernel.</summary>
    public KernelImage Kernel { get; }

    /// <summary>First address after the boot parameters and command line, which start at 0.</summary>
    public uint BootParametersEnd { get; }

    /// <summary>Where the initrd starts; the top of the lowest bank when there is none.</summary>
    public ulong InitrdAddress { get; }

    /// <summary>Bytes of the initrd, as the guest is told.</summary>
    public uint InitrdLength { get; }

    /// <summary>Whether there are page tables to start with: a guest that starts in linear mode makes its own.</summary>
    public bool HasTables => !Kernel.Series.Boot.StartsLinear;

    /// <summary>
    /// Where tables end that the host makes when the guest is running (<see cref="BootProtocol.HasTablesAtInit"/>): below the initrd, and not
    /// too high for the guest to reach them.
    /// </summary>
    public ulong TablesEnd { get; }

    /// <summary>The page directory: the last whole page below the initrd; 0 without tables.</summary>
    public ulong PageDirectory { get; }

    /// <summary>The first linear page table; they end where the page directory begins. 0 without tables.</summary>
    public ulong LinearTables { get; }

    /// <summary>How many.</summary>
    public int TableCount { get; }

    /// <summary>Whether the devices are described on pages above RAM; else they are found on PCI.</summary>
    public bool HasDescriptors => Kernel.Series.Devices != DeviceBusKind.Pci;

    /// <summary>The device descriptors, where there are any: the first page above RAM.</summary>
    public ulong DescriptorPage { get; }

    /// <summary>
    /// With a hole above the lowest bank: a second copy of the device descriptors, in the hole's first page. Linux 2.6.23 reads
    /// the first entry of its memory map only, and looks for its devices right above that.
    /// </summary>
    public uint? DescriptorCopy { get; }

    /// <summary>Device pages behind it.</summary>
    public int DevicePages { get; }

    /// <summary>First address above everything.</summary>
    public ulong Top { get; }

    /// <summary>On PCI: where the registers of the devices begin, a page for each; above RAM, and no memory.</summary>
    public uint DeviceRegisters => (uint)(Page.AlignUp(Banks.Top) + RamToRegisters);

    /// <summary>All that the guest may touch, for <see cref="GuestMemory"/>.</summary>
    public IReadOnlyList<MemoryRange> Ranges
    {
        get
        {
            List<MemoryRange> ranges = [.. Banks.All];
            if (HasDescriptors)
                ranges.Add(new MemoryRange((uint)DescriptorPage, Top - DescriptorPage));
            if (DescriptorCopy is uint copy)
                ranges.Insert(1, new MemoryRange(copy, Page.Size));
            return ranges;
        }
    }

    /// <summary>Works out a layout.</summary>
    /// <param name="banks">RAM.</param>
    /// <param name="kernel">The kernel.</param>
    /// <param name="initrdLength">Bytes of the initrd; 0 for none.</param>
    /// <param name="devicePages">Pages that the devices want.</param>
    /// <exception cref="LaunchException">It does not fit; the message has the numbers.</exception>
    public static GuestLayout Plan(MemoryBanks banks, KernelImage kernel, long initrdLength, int devicePages)
    {
        MemoryRange lowest = banks.Lowest;
        if (kernel.Series.Boot.MostBanks == 1 && banks.All.Count > 1)
            throw new LaunchException($"kernel '{kernel.Path}' speaks the interface of {kernel.Series}, whose guests know one bank of memory only; give it one bank");
        if (!kernel.Series.Boot.StartsLinear && kernel.PageOffset % FirstTables.TableSpan != 0)
            throw new LaunchException($"kernel '{kernel.Path}' wants its memory at 0x{kernel.PageOffset:x8}, which is not a multiple of 4 MiB; lguest cannot map that");
        if (initrdLength > Array.MaxLength)
            throw new LaunchException($"the initrd has {initrdLength >> 20} MiB; at most {Array.MaxLength >> 20} can be given to a guest: make it smaller");
        if (initrdLength > (long)lowest.Length)
            throw new LaunchException($"the initrd has {initrdLength} bytes, more than the lowest memory bank with its {lowest.Length}; give the guest more memory");

        GuestLayout layout = new(banks, kernel, (uint)initrdLength, devicePages);
        if (kernel.Start < layout.BootParametersEnd)
            throw new LaunchException($"kernel '{kernel.Path}' wants physical address 0x{kernel.Start:x8}, where the boot parameters live (up to 0x{layout.BootParametersEnd:x})");
        if (kernel.NeedsUpTo > lowest.End)
        {
            throw new LaunchException(kernel.NeedsUpTo == kernel.End
                ? $"kernel '{kernel.Path}' needs memory from 0x{kernel.Start:x8} up to 0x{kernel.End:x8}, and the lowest memory bank ends at 0x{lowest.End:x8}; give it at least {Needed(layout)}"
                : $"kernel '{kernel.Path}' unpacks itself to where it needs memory up to 0x{kernel.NeedsUpTo:x8}, and the lowest memory bank ends at 0x{lowest.End:x8}; give it at least {Needed(layout)}");
        }

        if (layout.BottomOfTop < Page.AlignUp(kernel.NeedsUpTo))
        {
            string rest = (layout.TableBytes > 0 ? $", its page tables ({layout.TableBytes >> 10} KiB)" : string.Empty)
                + (layout.InitrdLength == 0 ? string.Empty : $" and the initrd ({layout.InitrdLength >> 10} KiB)");
            if (layout.InitrdEnd < lowest.End)
                throw new LaunchException($"below 0x{layout.InitrdEnd:x8}, where the initrd has to end for kernel '{kernel.Path}', there is no room for the kernel (up to 0x{kernel.NeedsUpTo:x8}){rest}; make the initrd smaller");
            throw new LaunchException($"the lowest memory bank ({lowest.Length >> 10} KiB) has no room for the kernel (up to 0x{kernel.NeedsUpTo:x8}){rest}; give it at least {Needed(layout)}");
        }

        if (kernel.Series.Boot.StartsLinear && layout.HasDescriptors && kernel.ReachesUpTo < banks.Top)
            throw new LaunchException($"kernel '{kernel.Path}' was built without HIGHMEM: it would use {kernel.ReachesUpTo >> 20} MiB of its memory, and look where that ends for its devices, the console among them; give it {kernel.ReachesUpTo >> 20}m, or use a kernel with HIGHMEM");
        if (!layout.HasDescriptors && layout.Top > Page.AddressSpace - RoomForPci)
            throw new LaunchException($"memory up to 0x{banks.Top:x} leaves no room below 4 GiB for the devices, which come above it; it may end at 0x{Page.AddressSpace - RoomForPci:x} at most");
        if (layout.Top > Page.AddressSpace)
            throw new LaunchException($"memory up to 0x{banks.Top:x} leaves no room below 4 GiB for the devices ({(devicePages == 0 ? "a page" : $"{1 + devicePages} pages")}), which come right above it; it may end at 0x{Page.AddressSpace - (layout.Top - layout.DescriptorPage):x} at most");
        return layout;
    }

    /// <summary>First address after the initrd.</summary>
    private ulong InitrdEnd { get; }

    /// <summary>Bytes of page directory and page tables.</summary>
    private ulong TableBytes => HasTables
        ? (ulong)(1 + TableCount) * Page.Size
        : Kernel.Series.Boot.HasTablesAtInit ? WholeMemoryTables.BytesFor(Top) : 0;

    /// <summary>The first address of what is at the top of the lowest bank, worked out without going below zero.</summary>
    private ulong BottomOfTop
    {
        get
        {
            ulong bottom = InitrdEnd - Math.Min(InitrdEnd, Page.AlignUp(InitrdLength) + TableBytes);
            return HasTables || TableBytes == 0 ? bottom : Math.Min(bottom, TablesEnd - Math.Min(TablesEnd, TableBytes));
        }
    }

    private static string Needed(GuestLayout layout)
    {
        const ulong Mebibyte = 1 << 20;
        ulong bytes = Page.AlignUp(layout.Kernel.NeedsUpTo) + Page.AlignUp(layout.InitrdLength) + layout.TableBytes;

        // A megabyte more needs at most one more table; a kernel that only just fits would not get far anyway.
        return $"{(bytes + Page.Size + Mebibyte - 1) / Mebibyte}m";
    }

    private static ulong EndOfInitrd(MemoryBanks banks, KernelImage kernel)
    {
        ulong end = Math.Min(banks.Lowest.End, kernel.Series.Boot.InitrdEnd);
        return Math.Min(end, kernel.Header?.InitrdEnd ?? end) & ~(ulong)Page.OffsetMask;
    }

    private static int CountTables(MemoryBanks banks, uint pageOffset)
    {
        int count = 0;
        foreach (uint _ in LinearMap.Tables(banks, pageOffset))
            count++;
        return count;
    }
}
