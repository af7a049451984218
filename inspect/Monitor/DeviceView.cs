// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices.Bus;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Monitor;

/// <summary>The guest's devices, and the buffers it has bound for them.</summary>
internal static class DeviceView
{
    public static string Show(DebugTarget.Running running)
    {
        StringBuilder text = new();
        if (running.Places.DescriptorPage is { } page)
            text.Append($"descriptors at physical 0x{page:x8}\n");
        for (int i = 0; i < running.Bus.Devices.Count; i++)
        {
            PlacedDevice device = running.Bus.Devices[i];
            text.Append($"{i,2} irq {device.Irq,2} {device.Model.Description}: {running.Bus.StateOf(i)}\n");
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
}
