// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Share;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Bus.Lguest;
using Lguest.Devices.Bus.Pci;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using Lguest.GuestAbi.Virtio;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;
using Lguest.Launcher.Options;

namespace Lguest.Launcher.Run;

/// <summary>
/// The host's side of a guest's devices, in the order of the command line: what is opened once, and on which the devices are made anew
/// each time that the guest restarts. Networks are <see cref="GuestNetworks"/>; the console is the session's own.
/// </summary>
internal sealed class GuestDevices : IDisposable
{
    private readonly List<HostDevice> _devices = [];

    private GuestDevices()
    {
    }

    /// <summary>Folders in which files are opened while the guest runs.</summary>
    public IEnumerable<SharedFolder> Folders => _devices.Select(static device => device.Folder).OfType<SharedFolder>();

    /// <summary>Whether the guest gets a source of random bytes: a driver for it came with 2.6.26.</summary>
    public static bool HasEntropy(LaunchOptions options, KernelSeries series) =>
        !options.NoEntropy && series.Devices is DeviceBusKind.Pci or DeviceBusKind.LguestBus;

    /// <summary>Counts the pages of device memory that a guest with these options has.</summary>
    /// <param name="options">What the user wants.</param>
    /// <param name="kernel">Whose devices.</param>
    /// <exception cref="LaunchException">These are more devices than the guest can have, or it has no driver for one.</exception>
    public static int CountPages(LaunchOptions options, KernelImage kernel)
    {
        bool hasEntropy = HasEntropy(options, kernel.Series);
        switch (kernel.Series.Devices)
        {
            case DeviceBusKind.Dma:
                CheckCount(options, hasEntropy, DeviceDescriptor.MaxDevices);
                if (options.Devices.Find(static device => device.DmaPages == null) is { } strange)
                    throw new LaunchException($"{strange.Option} is for kernels with virtio, of 2.6.24 and later; kernel '{kernel.Path}' ({kernel.Release ?? "without a release"}) has no driver for it");
                return options.Devices.Sum(static device => device.DmaPages!.Value) + (options.Nets.Count * DmaNet.Pages) + DmaConsole.Pages;
            case DeviceBusKind.Pci:
                CheckCount(options, hasEntropy, PciBus.Slots - 1);
                return 0;
            default:
                const int ofANetwork = 2;
                const int ofAConsole = 2;
                int queues = options.Devices.Sum(static device => device.Queues) + (options.Nets.Count * ofANetwork) + (hasEntropy ? 1 : 0) + ofAConsole;
                if (queues > LguestBus.MostQueues)
                    throw new LaunchException($"{Describe(options, hasEntropy)} need {queues} irqs, a network and the console two each, and kernel '{kernel.Path}' ({kernel.Release}) has {LguestBus.MostQueues}");
                return LguestBus.PagesFor(queues);
        }
    }

    /// <summary>Opens them all, or none.</summary>
    /// <exception cref="DeviceException">One cannot be used.</exception>
    public static GuestDevices Open(IReadOnlyList<DeviceOption> options)
    {
        GuestDevices devices = new();
        try
        {
            foreach (DeviceOption option in options)
                devices._devices.Add(option.Open());
            return devices;
        }
        catch
        {
            devices.Dispose();
            throw;
        }
    }

    /// <summary>Makes devices for them on the bus of 2.6.23.</summary>
    public IEnumerable<IDmaDevice> MakeForDma(Complaints complaints) => _devices.Select(device => device.MakeForDma(complaints));

    /// <summary>Makes devices for them with virtqueues.</summary>
    public IEnumerable<VirtioDevice> MakeVirtio(GuestMemory memory, VirtioFormat format, Complaints complaints) =>
        _devices.Select(device => device.MakeVirtio(memory, format, complaints));

    /// <summary>Brings what the guest has written to the medium.</summary>
    /// <param name="say">Hears what could not be saved.</param>
    public void Save(Action<string> say)
    {
        foreach (HostDevice device in _devices)
        {
            if (device.Save() is { } failure)
                say(failure);
        }
    }

    private static void CheckCount(LaunchOptions options, bool hasEntropy, int most)
    {
        if (options.Devices.Count + options.Nets.Count + (hasEntropy ? 2 : 1) > most)
            throw new LaunchException($"{Describe(options, hasEntropy)} are more than the {most} devices that a guest can have");
    }

    private static string Describe(LaunchOptions options, bool hasEntropy)
    {
        IEnumerable<string> parts = [.. options.Devices.CountBy(static device => device.Kind).Select(static kind => $"{kind.Value} {kind.Key}"), $"{options.Nets.Count} networks"];
        return string.Join(", ", parts) + (hasEntropy ? ", a console and a source of random bytes (--no-rng leaves it out)" : " and a console");
    }

    /// <summary>Closes them. Does not save.</summary>
    public void Dispose()
    {
        foreach (HostDevice device in _devices)
            device.Dispose();
    }
}
