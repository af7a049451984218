// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices;
using Lguest.Devices.Network;
using Lguest.GuestAbi;
using Lguest.Launcher.Options;

namespace Lguest.Launcher.Run;

/// <summary>
/// The host's side of a guest's networks, in the order of the command line, and the file that its packets are written to. They
/// are opened once; the devices on them are made anew each time that the guest restarts.
/// </summary>
public sealed class GuestNetworks : IDisposable
{
    private readonly List<IDisposable> _ends = [];
    private readonly List<CaptureInterface?> _captures = [];
    private PacketCapture? _capture;

    private GuestNetworks()
    {
    }

    /// <summary>Opens them all, or none.</summary>
    /// <param name="options">The networks.</param>
    /// <param name="capture">Where packets are written, or null.</param>
    /// <param name="generation">What the guest speaks: generations mark free slots differently.</param>
    /// <exception cref="DeviceException">One cannot be had.</exception>
    public static GuestNetworks Open(IReadOnlyList<NetOption> options, string? capture, AbiGeneration generation)
    {
        GuestNetworks networks = new();
        try
        {
            if (capture != null)
                networks._capture = options.Count > 0 ? PacketCapture.Create(capture) : throw new DeviceException("--pcap without a network: there would be nothing to write; add --tunnet, --usernet or --sharenet");
            foreach (NetOption option in options)
                networks.Add(option, generation);
            return networks;
        }
        catch
        {
            networks.Dispose();
            throw;
        }
    }

    /// <summary>Puts devices for them on a bus.</summary>
    public void AddTo(DeviceBus bus, Complaints complaints)
    {
        bool shared = _ends.OfType<SharedSegment>().Any();
        for (int i = 0; i < _ends.Count; i++)
        {
            bus.Add(_ends[i] switch
            {
                SharedSegment segment => new SharedNetDevice(segment, _captures[i], complaints),
                IPacketLink link => new HostNetDevice(link, _captures[i], complaints) { FinishesChecksums = shared },
                _ => throw new InvalidOperationException("an unknown kind of network"),
            });
        }
    }

    /// <summary>Lets the devices know what the guest binds.</summary>
    public static void Follow(DeviceBus bus, IDmaBindings bindings)
    {
        foreach (SharedNetDevice shared in bus.Devices.OfType<SharedNetDevice>())
            shared.Follow(bindings);
    }

    /// <summary>Tells those behind the networks whom to expect.</summary>
    /// <param name="guestId">The number of which the guest's driver makes its address.</param>
    public void Introduce(ushort guestId)
    {
        foreach (IPacketLink link in _ends.OfType<IPacketLink>())
            link.MeetGuest(MacAddress.OfGuest(guestId));
    }

    /// <summary>Leaves all networks.</summary>
    public void Dispose()
    {
        foreach (IDisposable end in _ends)
            end.Dispose();
        _ends.Clear();
        _capture?.Dispose();
    }

    private void Add(NetOption option, AbiGeneration generation)
    {
        (IDisposable end, string what) = option switch
        {
            NetOption.TapNet tap => Described(TapLink.Open(tap.Where)),
            NetOption.UserNet user => Described(PasstLink.Start(user.Settings)),
            NetOption.SharedNet shared => (SharedSegment.Join(shared.Path, generation.FreeNetSlot), "shared network " + shared.Path),
            _ => throw new InvalidOperationException("an unknown kind of network"),
        };
        string name = string.Create(CultureInfo.InvariantCulture, $"eth{_ends.Count}");
        _ends.Add(end);
        _captures.Add(_capture?.AddInterface(name, what));
    }

    private static (IDisposable End, string What) Described(IPacketLink link) => (link, link.Description);
}
