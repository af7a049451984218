// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices;
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using Lguest.GuestAbi.Virtio;
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
    private ushort _guestId;
    private bool _hasOneAddress;
    private int _tapHeader;

    private GuestNetworks()
    {
    }

    /// <summary>Opens them all, or none.</summary>
    /// <param name="options">The networks.</param>
    /// <param name="outputs">Where packets are written, if they are; and which files are something else.</param>
    /// <param name="series">What the guest speaks: generations mark free slots differently.</param>
    /// <param name="guestId">The number in the guest's Ethernet address that the user wants; null: one that nobody else has.</param>
    /// <exception cref="DeviceException">One cannot be had.</exception>
    public static GuestNetworks Open(IReadOnlyList<NetOption> options, OutputFiles outputs, KernelSeries series, ushort? guestId)
    {
        bool isDma = series.Devices == DeviceBusKind.Dma;
        byte freeSlot = isDma ? series.Generation.Bus!.FreeNetSlot : (byte)0;

        // The header of 2.6.24 is shorter than any that the tun driver knows.
        const int shortestTapHeader = 10;
        int header = VirtioFormat.Of(series.Devices)?.NetHeader ?? 0;
        GuestNetworks networks = new() { _hasOneAddress = isDma, _tapHeader = header >= shortestTapHeader ? header : 0 };
        try
        {
            if (outputs.Capture != null)
                networks._capture = options.Count > 0 ? new PacketCapture(outputs.Capture) : throw new DeviceException("--pcap without a network: there would be nothing to write; add --tunnet, --usernet or --sharenet");
            foreach (NetOption option in options)
            {
                networks.Add(option, freeSlot);
                if (option is NetOption.SharedNet shared)
                    outputs.TakeNetwork(shared.Path);
            }

            networks._guestId = networks.TakeNumber(guestId);
            return networks;
        }
        catch
        {
            networks.Dispose();
            throw;
        }
    }

    /// <summary>The number of which the guest's driver makes its Ethernet address.</summary>
    public ushort GuestId => _guestId;

    /// <summary>What they connect to.</summary>
    public IReadOnlyList<IDisposable> Ends => _ends;

    /// <summary>Makes devices for them on the bus of 2.6.23.</summary>
    /// <param name="complaints">Hears what only a developer wants to know.</param>
    /// <param name="say">Hears what everybody has to know.</param>
    public IEnumerable<IDmaDevice> MakeForDma(Complaints complaints, Action<string> say)
    {
        _capture?.Start(say);
        for (int i = 0; i < _ends.Count; i++)
        {
            yield return _ends[i] switch
            {
                SharedSegment segment => DmaNet.OnSegment(new NetworkModel(segment, _captures[i], complaints, say), segment),
                IPacketLink link => DmaNet.OnWire(new NetworkModel(link, _captures[i], complaints, say) { FinishesChecksums = IsShared }, link.Address!.Value),
                _ => throw new InvalidOperationException("an unknown kind of network"),
            };
        }
    }

    /// <summary>Makes devices for them with virtqueues.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="format">What requests look like.</param>
    /// <param name="complaints">Hears what only a developer wants to know.</param>
    /// <param name="say">Hears what everybody has to know.</param>
    public IEnumerable<VirtioDevice> MakeVirtio(GuestMemory memory, VirtioFormat format, Complaints complaints, Action<string> say)
    {
        _capture?.Start(say);
        for (int i = 0; i < _ends.Count; i++)
        {
            IPacketLink link = _ends[i] is SharedSegment segment ? new SegmentSwitch(segment, AddressOf(i)) : (IPacketLink)_ends[i];
            NetworkModel net = new(link, _captures[i], complaints, say) { FinishesChecksums = IsShared };
            yield return new VirtioNet(net, AddressOf(i), memory, format, complaints);
        }
    }

    /// <summary>Announces the guest to the other ends of the networks.</summary>
    public void Introduce()
    {
        for (int i = 0; i < _ends.Count; i++)
            (_ends[i] as IPacketLink)?.MeetGuest(AddressOf(i));
    }

    /// <summary>Whether the guest may route what leaves other guests with unfinished checksums.</summary>
    private bool IsShared => _ends.OfType<SharedSegment>().Any();

    /// <summary>
    /// The guest's address on a network. A driver of 2.6.23 makes it of the guest's number, the same one on each; a virtio device says what
    /// it is, and two cards of a guest on one bridge need two.
    /// </summary>
    private MacAddress AddressOf(int index) => new(MacAddress.OfGuest(_guestId).Value | (uint)(_hasOneAddress ? 0 : index));

    /// <summary>Leaves all networks.</summary>
    public void Dispose()
    {
        foreach (IDisposable end in _ends)
            end.Dispose();
        _ends.Clear();
    }

    private void Add(NetOption option, byte freeSlot)
    {
        (IDisposable end, string what) = option switch
        {
            NetOption.TapNet tap => Described(TapLink.Open(tap.Where, _tapHeader)),
            NetOption.UserNet user => Described(PasstLink.Start(user.Settings)),
            NetOption.SharedNet shared => (SharedSegment.Join(shared.Path, freeSlot), "shared network " + shared.Path),
            _ => throw new InvalidOperationException("an unknown kind of network"),
        };
        string name = string.Create(CultureInfo.InvariantCulture, $"eth{_ends.Count}");
        _ends.Add(end);
        _captures.Add(_capture?.AddInterface(name, what));
    }

    /// <summary>
    /// A guest has one number for all its networks, 16 bits of it. The process number's low half is the first choice, as in 2007;
    /// of two launchers 65536 apart the second takes the next one.
    /// </summary>
    private ushort TakeNumber(ushort? wanted)
    {
        if (_ends.Count == 0)
            return wanted ?? (ushort)Environment.ProcessId;

        // Two devices on one file are one place where the number may be taken.
        SegmentFile[] files = [.. _ends.OfType<SharedSegment>().Select(segment => segment.Page).DistinctBy(file => file.Identity)];
        if (wanted is { } chosen)
        {
            return Array.Find(files, file => !file.TryTakeNumber(chosen)) is not { } refused
                ? chosen
                : throw new DeviceException($"a guest on network '{refused.Path}' has the address {MacAddress.OfGuest(chosen)} already; choose another, or leave mac= out");
        }

        ushort first = (ushort)Environment.ProcessId;
        for (int i = 0; i <= ushort.MaxValue; i++)
        {
            ushort number = (ushort)(first + i);
            int taken = 0;
            while (taken < files.Length && files[taken].TryTakeNumber(number))
                taken++;
            if (taken == files.Length)
                return number;
            foreach (SegmentFile file in files.AsSpan(0, taken))
                file.GiveBackNumber(number);
        }

        throw new DeviceException("every one of the 65536 addresses that a guest can have is taken on the networks given; use another file");
    }

    private static (IDisposable End, string What) Described(IPacketLink link) => (link, link.Description);
}
