// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Backends.Network;

namespace Lguest.Devices.Models;

/// <summary>
/// A network card: packets out at once, packets in when the guest has a buffer. Those that it has no room for wait where they are
/// (the tap's queue, the peer's socket), and whoever overflows that queue counts the loss, as with any busy card.
/// </summary>
/// <param name="link">The other end; it outlives the model.</param>
/// <param name="capture">Who writes packets down, or null.</param>
/// <param name="complaints">Who hears of buffers that are not the guest's.</param>
/// <param name="say">Who hears of the end of the network.</param>
public sealed class NetworkModel(IPacketLink link, CaptureInterface? capture = null, Complaints? complaints = null, Action<string>? say = null) : DeviceModel
{
    /// <summary>Packets that are longer go out as they are.</summary>
    private const int LongestRepair = 2048;

    private readonly Complaints _complaints = complaints ?? Complaints.Silent;
    private readonly GuestVector _repaired = new();
    private readonly byte[] _frame = GC.AllocateArray<byte>(LongestRepair, pinned: true);
    private bool _told;

    /// <summary>
    /// Whether to finish checksums that the guest's packets lack: needed when the guest is on a shared network too, and routes.
    /// </summary>
    public bool FinishesChecksums { get; init; }

    /// <inheritdoc/>
    public override string Description =>
        link.Address is { } host ? string.Create(CultureInfo.InvariantCulture, $"net {link.Description}, host {host}") : $"net {link.Description}";

    /// <summary>Readable when a packet may be there.</summary>
    public int InputDescriptor => link.Descriptor;

    /// <summary>Whether to poll for more.</summary>
    public bool WantsInput => !HoldsInput && link.IsAlive;

    /// <summary>Something has come that the guest has not got yet.</summary>
    public bool HoldsInput { get; private set; }

    /// <summary>The descriptor is readable.</summary>
    public void ReadInput() => HoldsInput = true;

    /// <summary>The guest's card is up or down.</summary>
    /// <param name="room">Bytes of the longest packet that it takes; 0: it is down.</param>
    /// <param name="takesUnfinished">Whether it takes packets with unfinished checksums.</param>
    public void Listen(int room, bool takesUnfinished = false) => link.Listen(room, takesUnfinished);

    /// <summary>Whether headers in front of packets mean something to the other end: unfinished checksums, TCP to be cut into packets.</summary>
    public bool UsesHeaders => link.HeaderBytes > 0;

    /// <summary>The guest sends a packet.</summary>
    /// <param name="packet">An Ethernet packet; it may be cut short.</param>
    /// <param name="port">To whom, where the link has many ends.</param>
    /// <param name="header">Bytes of a virtio header in front of it: the link's, or one that is not looked at.</param>
    /// <returns>Bytes that arrived; 0 when it was lost.</returns>
    public uint Send(GuestVector packet, int port = 0, int header = 0)
    {
        if (link.HeaderBytes == 0)
        {
            packet.Consume(header);
            header = 0;
        }

        capture?.Record(packet, packet.Length - header, PacketDirection.FromGuest, header);
        uint arrived = (uint)Math.Max(0, Transmit(packet, port, header) - header);
        TellOfTrouble();

        // The main loop delivers what is held as soon as this returns.
        if (link.HoldsPackets)
            HoldsInput = true;
        Observer?.Sent(this, arrived);
        return arrived;
    }

    /// <summary>Takes the next packet for the guest.</summary>
    /// <param name="target">A buffer of the guest's.</param>
    /// <param name="header">Bytes at its start for a virtio header, as it is when there is nothing to say: a link with headers writes its own there.</param>
    /// <returns>Bytes of the packet stored; 0 when there is none, and then nothing is held any more.</returns>
    public int Receive(GuestVector target, int header = 0)
    {
        int length;
        if (link.HeaderBytes == 0)
        {
            target.Consume(header);
            length = link.Receive(target);
        }
        else
        {
            length = Math.Max(0, link.Receive(target) - header);
            target.Consume(header);
        }

        if (length == 0)
        {
            HoldsInput = false;
            return 0;
        }

        if (link.Counters is { } counters)
        {
            counters.Received++;
            counters.ReceivedBytes += (uint)length;
        }

        capture?.Record(target, length, PacketDirection.ToGuest);
        Observer?.Delivered(this, (uint)length);
        return length;
    }

    /// <summary>Takes the next packet and drops it: the guest's interface is down, or its buffer cannot be used.</summary>
    public void Lose()
    {
        if (!link.Discard())
            HoldsInput = false;
        else if (link.Counters is { } counters)
            counters.ReceiveDrops++;
    }

    /// <summary>The guest has bound a buffer that is not its own.</summary>
    public void Complain(string why) => _complaints.Once("net buffer", $"network: receive buffer: {why}");

    /// <summary>Says what became of the network, once.</summary>
    public void TellOfTrouble()
    {
        if (_told || link.Trouble is not { } trouble)
            return;
        _told = true;
        say?.Invoke(trouble);
    }

    private int Transmit(GuestVector packet, int port, int header)
    {
        if (!FinishesChecksums || packet.Length > LongestRepair)
            return link.Send(packet, port);

        // Read once: what was looked at is what goes out, whether there was anything to finish or not.
        int length = packet.CopyTo(_frame);

        // What a header says is unfinished the host finishes, and would do so wrongly if it were finished already.
        const byte needsChecksum = 1;
        if (header == 0 || (_frame[0] & needsChecksum) == 0)
            ChecksumRepair.Finish(_frame.AsSpan(header, length - header));
        _repaired.LoadHost(_frame, length);
        return link.Send(_repaired, port);
    }
}
