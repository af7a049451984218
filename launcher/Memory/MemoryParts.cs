// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.Inspect.Target;

namespace Lguest.Launcher.Memory;

/// <summary>The guest's physical memory in parts, as the report draws it.</summary>
internal static class MemoryParts
{
    /// <summary>Every part, by address; what the launcher put nothing into is free for the guest.</summary>
    public static IReadOnlyList<MemoryPart> Of(GuestLayout layout)
    {
        List<MemoryPart> memory = [];
        List<MemoryPart> parts =
        [
            new("boot parameters", 0, layout.BootParametersEnd, "boot"),
            new("kernel", layout.Kernel.Start, layout.Kernel.End, "kernel"),
        ];
        if (layout.HasTables)
            parts.Add(new MemoryPart("first page tables", layout.LinearTables, layout.PageDirectory + Page.Size, "tables"));
        if (layout.InitrdLength > 0)
            parts.Add(new MemoryPart("initrd", layout.InitrdAddress, layout.InitrdAddress + layout.InitrdLength, "initrd"));
        if (layout.HasDescriptors)
            parts.Add(new MemoryPart("devices", layout.DescriptorPage, layout.Top, "device"));
        foreach (MemoryRange bank in layout.Banks.All)
        {
            ulong at = bank.Start;
            foreach (MemoryPart part in parts.Where(p => p.Start >= bank.Start && p.End <= bank.End).OrderBy(p => p.Start))
            {
                if (part.Start > at)
                    memory.Add(new MemoryPart("free for the guest", at, part.Start, "free"));
                memory.Add(part);
                at = Math.Max(at, part.End);
            }

            if (at < bank.End)
                memory.Add(new MemoryPart("free for the guest", at, bank.End, "free"));
        }

        if (layout.HasDescriptors)
            memory.Add(parts[^1]);
        return memory;
    }
}
