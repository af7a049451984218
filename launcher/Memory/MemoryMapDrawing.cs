// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using Lguest.Devices.Bus;
using Lguest.GuestAbi;
using Lguest.Launcher.Kernel;

namespace Lguest.Launcher.Memory;

/// <summary>Draws the guest's physical memory for --verbose, highest address on top, as memory maps are drawn.</summary>
public static class MemoryMapDrawing
{
    /// <summary>Draws it.</summary>
    /// <param name="layout">Who lives where.</param>
    /// <param name="devices">The devices, by index.</param>
    public static string Draw(GuestLayout layout, IReadOnlyList<PlacedDevice> devices)
    {
        List<(ulong Start, ulong End, string What)> rows = [];
        KernelImage kernel = layout.Kernel;
        rows.Add((0, layout.BootParametersEnd, "boot parameters, command line"));
        foreach (KernelSegment segment in kernel.Segments)
            rows.Add((segment.Address, segment.End, "kernel"));
        if (layout.HasTables)
        {
            rows.Add((layout.LinearTables, layout.PageDirectory, $"{layout.TableCount} page tables, RAM at 0x{kernel.PageOffset:x8}"));
            rows.Add((layout.PageDirectory, layout.PageDirectory + Page.Size, "page directory"));
        }

        if (layout.InitrdLength > 0)
            rows.Add((layout.InitrdAddress, layout.InitrdAddress + layout.InitrdLength, "initrd"));
        if (layout.HasDescriptors)
            rows.Add((layout.DescriptorPage, layout.DescriptorPage + Page.Size, "device descriptors"));
        if (layout.DescriptorCopy is uint copy)
            rows.Add((copy, copy + Page.Size, "device descriptors again, for kernels that know one bank only"));
        for (int i = 0; i < devices.Count; i++)
        {
            if (devices[i].Memory is { } place)
                rows.Add((place.Start, place.End, Name(devices, i)));
        }

        AddFreeRam(rows, layout);
        rows.Sort(static (left, right) => right.Start.CompareTo(left.Start));

        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"guest memory; entry at 0x{kernel.Entry:x8}, kernel {kernel.Path} ({kernel.Format}, {kernel.Release ?? "no banner"}, interface {kernel.Series})\n");
        ulong below = 0;
        foreach ((ulong start, ulong end, string what) in rows)
        {
            if (end != below)
                text.Append(below == 0 ? Line(end) : Line(below) + "             .   hole\n" + Line(end));
            else
                text.Append(Line(end));
            text.Append(CultureInfo.InvariantCulture, $"             | {what}, {Size(end - start)}\n");
            below = start;
        }

        text.Append(Line(below));
        for (int i = 0; i < devices.Count; i++)
        {
            if (devices[i].Memory == null)
                text.Append(CultureInfo.InvariantCulture, $"  {Name(devices, i)}\n");
        }

        return text.ToString().TrimEnd('\n');
    }

    private static string Name(IReadOnlyList<PlacedDevice> devices, int index) =>
        string.Create(CultureInfo.InvariantCulture, $"device {index}, irq {devices[index].Irq}: {devices[index].Model.Description}");

    private static void AddFreeRam(List<(ulong Start, ulong End, string What)> rows, GuestLayout layout)
    {
        List<(ulong Start, ulong End, string What)> taken = [.. rows];
        taken.Sort(static (left, right) => left.Start.CompareTo(right.Start));
        foreach (MemoryRange bank in layout.Banks.All)
        {
            ulong at = bank.Start;
            foreach ((ulong start, ulong end, _) in taken)
            {
                if (start >= bank.End || end <= bank.Start)
                    continue;
                if (start > at)
                    rows.Add((at, start, "free"));
                at = Math.Max(at, end);
            }

            if (at < bank.End)
                rows.Add((at, bank.End, "free"));
        }
    }

    private static string Line(ulong address) => $"  0x{address:x8} +{new string('-', 48)}\n";

    private static string Size(ulong bytes) => bytes switch
    {
        >= 1 << 20 when bytes % (1 << 20) == 0 => $"{bytes >> 20} MiB",
        >= 1 << 10 => $"{bytes >> 10} KiB",
        _ => $"{bytes} bytes",
    };
}
