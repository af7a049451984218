// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Backends.Network;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

// [D:210] A network with the host
/// <summary>
/// A network of two: the host (or whoever is behind it) in slot 0 of the page, the guest in slot 1. The guest sends to the
/// key page + 0 and binds its receive buffers at page + 4 (abi.md §6.5). The host's address carries the promiscuous bit, so that
/// the guest sends it every packet, whatever the destination: others may be bridged or routed behind it.
/// </summary>
/// <param name="link">The other end; it outlives the device.</param>
/// <param name="capture">Who writes packets down, or null.</param>
/// <param name="complaints">Who hears of what goes wrong.</param>
/// <param name="say">Who hears of the end of the network.</param>
public sealed class HostNetDevice(IPacketLink link, CaptureInterface? capture = null, Complaints? complaints = null, Action<string>? say = null) : IInputDevice
{
    private const int GuestSlot = 1;

    /// <summary>Packets that are longer go out as they are.</summary>
    private const int LongestRepair = 2048;

    private readonly PacketReceiver _receiver = new(link, new NetCounters(), capture, complaints ?? Complaints.Silent);
    private readonly GuestVector _repaired = new();
    private readonly byte[] _frame = GC.AllocateArray<byte>(LongestRepair, pinned: true);
    private uint _page;
    private bool _attached;
    private bool _told;

    /// <summary>
    /// Whether to finish checksums that the guest's packets lack: needed when the guest is on a shared network too, and routes.
    /// </summary>
    public bool FinishesChecksums { get; init; }

    /// <inheritdoc/>
    public DeviceType Type => DeviceType.Net;

    /// <summary>The guest's slot, and the timing of packets from outside is random. Checksums are needed out there.</summary>
    public DeviceFeatures Features => (DeviceFeatures)GuestSlot | DeviceFeatures.Randomness;

    /// <inheritdoc/>
    public int PageCount => 1;

    /// <inheritdoc/>
    public string Description => string.Create(CultureInfo.InvariantCulture, $"net {link.Description}, host {link.Address}");

    /// <inheritdoc/>
    public int InputDescriptor => link.Descriptor;

    /// <inheritdoc/>
    public bool WantsInput => _receiver.WantsInput;

    /// <inheritdoc/>
    public bool HoldsInput => _receiver.Pending;

    /// <inheritdoc/>
    public Action<uint>? Delivered
    {
        get => _receiver.Delivered;
        set => _receiver.Delivered = value;
    }

    /// <inheritdoc/>
    public void Attach(GuestMemory memory, uint firstPage)
    {
        Span<byte> slot = memory.Write(firstPage, MacAddress.Size);
        link.Address.CopyTo(slot);
        slot[0] |= MacAddress.PromiscuousBit;
        _page = firstPage;
        _attached = true;
        _receiver.Attach(memory, firstPage + NetPage.KeyOf(GuestSlot));
    }

    /// <inheritdoc/>
    public bool Watches(uint key) => _attached && key == _page;

    /// <inheritdoc/>
    public uint HandleOutput(IGuestChannel channel, uint key, GuestVector sent)
    {
        capture?.Record(sent, sent.Length, PacketDirection.FromGuest);
        int arrived = Send(sent);
        TellOfTrouble();

        // The main loop delivers what is held as soon as this returns.
        if (link.HoldsPackets)
            _receiver.Pending = true;
        return (uint)arrived;
    }

    /// <inheritdoc/>
    public void ReadInput() => _receiver.Pending = true;

    /// <inheritdoc/>
    public bool Deliver(IGuestChannel channel)
    {
        bool delivered = _receiver.Deliver(channel);
        TellOfTrouble();
        return delivered;
    }

    private void TellOfTrouble()
    {
        if (_told || link.Trouble is not { } trouble)
            return;
        _told = true;
        say?.Invoke(trouble);
    }

    private int Send(GuestVector sent)
    {
        if (FinishesChecksums && sent.Length <= LongestRepair)
        {
            // Read once: what was looked at is what goes out, whether there was anything to finish or not.
            int length = sent.CopyTo(_frame);
            ChecksumRepair.Finish(_frame.AsSpan(0, length));
            _repaired.LoadHost(_frame, length);
            return link.Send(_repaired);
        }

        return link.Send(sent);
    }
}
