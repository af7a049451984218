// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Bus.Dma;
using Lguest.GuestAbi;
using Lguest.Launcher.Common;
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

    /// <summary>Counts the pages of device memory that a guest with these options has.</summary>
    /// <exception cref="LaunchException">These are more devices than a guest can have.</exception>
    public static int CountPages(LaunchOptions options)
    {
        if (options.Devices.Count + options.Nets.Count + 1 > DeviceDescriptor.MaxDevices)
        {
            IEnumerable<string> parts = [.. options.Devices.CountBy(static device => device.Kind).Select(static kind => $"{kind.Value} {kind.Key}"), $"{options.Nets.Count} networks"];
            throw new LaunchException($"{string.Join(", ", parts)} and a console are more than the {DeviceDescriptor.MaxDevices} devices that a guest can have");
        }

        return options.Devices.Sum(static device => device.PageCount) + (options.Nets.Count * DmaNet.Pages) + DmaConsole.Pages;
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

    /// <summary>Puts devices for them on a bus.</summary>
    public void AddTo(DmaBus bus, Complaints complaints)
    {
        foreach (HostDevice device in _devices)
            bus.Add(device.MakeForGuest(complaints));
    }

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

    /// <summary>Closes them. Does not save.</summary>
    public void Dispose()
    {
        foreach (HostDevice device in _devices)
            device.Dispose();
    }
}
