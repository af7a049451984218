// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Bus;
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Virtio;

/// <summary>
/// A network card (abi.md §10): one queue to receive, one to send, and a header in front of each packet. What the header can say means
/// something to the host's tap only. Then the guest may leave checksums to the host, and the cutting of TCP into packets; for the others
/// nothing is offered but the guest's address, and the header is all zero. Whole TCP is not offered to the guest: its driver would
/// keep 64 KiB for each of 256 packets to come.
/// </summary>
/// <param name="net">What the card does.</param>
/// <param name="address">The guest's address, for its driver to take.</param>
/// <param name="memory">The guest's memory.</param>
/// <param name="format">What requests look like.</param>
/// <param name="complaints">Who hears of drivers that break a rule.</param>
public sealed class VirtioNet(NetworkModel net, MacAddress address, GuestMemory memory, VirtioFormat format, Complaints? complaints = null)
    : VirtioDevice(memory, format, queues: 2, complaints), IInputDevice
{
    /// <summary>Packets in one go: enough for any burst, few enough that the guest's own output is not kept waiting.</summary>
    private const int Burst = 256;

    /// <summary>Bytes of a packet that every driver has room for.</summary>
    private const int LongestPacket = 1514;

    private const int ReceiveQueue = 0;

    private readonly VirtqueueChain _chain = new();

    /// <inheritdoc/>
    public override DeviceModel Model => net;

    /// <inheritdoc/>
    public override VirtioId Id => VirtioId.Net;

    /// <summary>The address, and two bytes of a status that is not offered.</summary>
    public override int ConfigurationLength => MacAddress.Size + sizeof(ushort);

    /// <inheritdoc/>
    public int InputDescriptor => net.InputDescriptor;

    /// <inheritdoc/>
    public bool WantsInput => net.WantsInput;

    /// <inheritdoc/>
    public bool HoldsInput => net.HoldsInput;

    /// <inheritdoc/>
    protected override ulong OwnFeatures =>
        VirtioFeatures.NetAddress
        | (net.UsesHeaders
            ? VirtioFeatures.NetChecksum | VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetHostTcp4 | VirtioFeatures.NetHostTcp6 | VirtioFeatures.NetHostEcn
            : 0);

    /// <inheritdoc/>
    public override void ReadConfiguration(Span<byte> target) => address.CopyTo(target);

    /// <inheritdoc/>
    public void ReadInput() => net.ReadInput();

    /// <inheritdoc/>
    public bool Deliver()
    {
        bool delivered = false;

        // No queue, no interface: its packets are dropped, else it would be flooded with old news on its way up.
        if (Fault != null || !Queues[ReceiveQueue].IsReady)
        {
            for (int i = 0; i < Burst && HoldsInput; i++)
                net.Lose();
        }
        else if (HoldsInput)
        {
            delivered = Attend(ReceiveQueue);
        }

        net.TellOfTrouble();
        return delivered;
    }

    /// <inheritdoc/>
    protected override void QueuesChanged() =>
        net.Listen(Queues[ReceiveQueue].IsReady ? LongestPacket : 0, (Features & VirtioFeatures.NetGuestChecksum) != 0);

    /// <inheritdoc/>
    protected override bool Serve(int queue) => queue == ReceiveQueue ? Fill(queue) : base.Serve(queue);

    /// <summary>Sends a packet; what receives is <see cref="Fill"/>, which may have to give a buffer back.</summary>
    protected override uint Answer(int queue, VirtqueueChain request)
    {
        if (request.Out.Length > Format.NetHeader)
            net.Send(request.Out, header: Format.NetHeader);

        return 0;
    }

    private bool Fill(int queue)
    {
        bool any = false;
        for (int i = 0; i < Burst && HoldsInput && Queues[queue].TryTake(_chain); i++)
        {
            int length = Receive();
            if (length == 0 && !HoldsInput)
            {
                Queues[queue].Return();
                break;
            }

            Queues[queue].Complete(_chain, (uint)length);
            any = true;
        }

        return any;
    }

    /// <returns>Bytes written, header included; 0 when there was no packet, or no room for the header.</returns>
    private int Receive()
    {
        // How many buffers a packet has taken is the last word of a header of 12 bytes, and 1 where nobody asks.
        const int buffersOffset = 10;
        int header = Format.NetHeader;
        if (_chain.In.Length <= header)
        {
            net.Complain($"{_chain.In.Length} bytes have no room for a packet");
            net.Lose();
            return 0;
        }

        Span<byte> bytes = stackalloc byte[header];
        bytes.Clear();
        if (header > buffersOffset)
            bytes[buffersOffset] = 1;
        _chain.In.CopyFrom(bytes);
        int length = net.Receive(_chain.In, header);
        return length == 0 ? 0 : header + length;
    }
}
