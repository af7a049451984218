// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices.Bus.Dma;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Monitor;

/// <summary>The guest's devices, and the buffers it has bound for them.</summary>
internal static class DeviceView
{
    public static string Show(DebugTarget.Running running)
    {
        StringBuilder text = new($"descriptors at physical 0x{running.Places.DescriptorPage:x8}\n");
        for (int i = 0; i < running.Bus.Devices.Count; i++)
        {
            IDmaDevice device = running.Bus.Devices[i];
            DeviceDescriptor descriptor = running.Guest.Memory.ReadValue<DeviceDescriptor>(running.Places.DescriptorPage + (uint)(i * DeviceDescriptor.Size));
            string page = descriptor.NumPages == 0 ? "no page" : $"page 0x{descriptor.Pfn << Page.Shift:x8}";
            text.Append($"{i,2} irq {i + 1,2} {device.Model.Description}: {page}, features 0x{(ushort)descriptor.Features:x4}, status {descriptor.Status}\n");
            if (device.Type == DeviceType.Block)
                text.Append(Request(running.Guest.Memory.ReadValue<BlockPage>(running.Bus.FirstPageOf(i))));
        }

        return text.ToString();
    }

    public static string ShowBindings(IDebugPort guest)
    {
        StringBuilder text = new();
        int count = 0;
        foreach ((uint key, (uint array, uint buffers, uint irq)) in guest.Bindings)
        {
            count++;
            text.Append($"key 0x{key:x8} irq {irq,2}: {buffers} buffer(s) at 0x{array:x8}\n");
            for (uint i = 0; i < buffers && i < 64; i++)
                text.Append("   ").Append(Buffer(guest.Memory, array + (i * LguestDma.Size))).Append('\n');
        }

        return text.Append($"{count} of {LguestDma.MaxBindings} bindings in use\n").ToString();
    }

    /// <summary>A scatter list in a line; anything may be in a guest's memory.</summary>
    public static unsafe string Buffer(GuestMemory memory, uint address)
    {
        if (!memory.Contains(address, LguestDma.Size))
            return $"0x{address:x8}: not the guest's memory";
        LguestDma dma = memory.ReadValue<LguestDma>(address);
        StringBuilder text = new($"0x{address:x8}: used {dma.UsedLen},");
        for (int i = 0; i < LguestDma.MaxSections && dma.Len[i] != 0; i++)
            text.Append($" 0x{dma.Addr[i]:x8}+{dma.Len[i]}");
        return text.ToString();
    }

    private static string Request(in BlockPage page) =>
        $"      last request: {page.Type} of {page.Bytes} bytes at sector {page.Sector} of {page.NumSectors}: {page.Result}\n";
}
