// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Bus;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Bus.Lguest;
using Lguest.Devices.Bus.Pci;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Launcher.Run;

/// <summary>Makes a guest's bus, of the kind that its kernel looks for, with all its devices on it.</summary>
internal static class GuestBuses
{
    /// <summary>Makes it.</summary>
    /// <param name="life">Whose.</param>
    /// <param name="memory">The guest's memory.</param>
    public static IGuestBus Make(GuestLife life, GuestMemory memory) => life.Kernel.Series.Devices switch
    {
        DeviceBusKind.Dma => MakeDma(life, memory),
        DeviceBusKind.Pci => MakePci(life, memory),
        _ => MakeLguest(life, memory),
    };

    private static DmaBus MakeDma(GuestLife life, GuestMemory memory)
    {
        DmaBus bus = new(memory, (uint)life.Layout.DescriptorPage, life.Complaints, life.Layout.DescriptorCopy);
        foreach (IDmaDevice device in (IEnumerable<IDmaDevice>)[.. life.Devices.MakeForDma(life.Complaints), .. life.Networks.MakeForDma(life.Complaints, life.Say)])
            bus.Add(device);
        bus.Add(new DmaConsole(new ConsoleModel(life.Console), life.Kernel.Generation.Bus!.ConsoleKey, life.Complaints));
        return bus;
    }

    private static PciBus MakePci(GuestLife life, GuestMemory memory)
    {
        // An early console looks for its device in the first slot, and nowhere else.
        PciBus bus = new(life.Layout.DeviceRegisters);
        bus.Add(new VirtioConsole(new ConsoleModel(life.Console), memory, VirtioFormat.Pci, life.Complaints, TimeProvider.System));
        foreach (VirtioDevice device in VirtioDevices(life, memory, VirtioFormat.Pci))
            bus.Add(device);
        return bus;
    }

    private static LguestBus MakeLguest(GuestLife life, GuestMemory memory)
    {
        DeviceBusKind kind = life.Kernel.Series.Devices;
        VirtioFormat format = VirtioFormat.Of(kind)!;
        LguestBus bus = new(memory, (uint)life.Layout.DescriptorPage, isTyped: kind == DeviceBusKind.TypedLguestBus);
        foreach (VirtioDevice device in VirtioDevices(life, memory, format))
            bus.Add(device);
        bus.Add(new VirtioConsole(new ConsoleModel(life.Console), memory, format, life.Complaints, TimeProvider.System));
        return bus;
    }

    /// <summary>All devices but the console, in the order in which the guest is to find them: disks and the like, networks, random bytes.</summary>
    private static IEnumerable<VirtioDevice> VirtioDevices(GuestLife life, GuestMemory memory, VirtioFormat format)
    {
        foreach (VirtioDevice device in life.Devices.MakeVirtio(memory, format, life.Complaints))
            yield return device;
        foreach (VirtioDevice net in life.Networks.MakeVirtio(memory, format, life.Complaints, life.Say))
            yield return net;
        if (GuestDevices.HasEntropy(life.Options, life.Kernel.Series))
            yield return new VirtioEntropy(new EntropyModel(), memory, format, life.Complaints);
    }
}
