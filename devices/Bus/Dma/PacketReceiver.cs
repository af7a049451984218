// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Network;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

/// <summary>
/// Brings packets to a guest: from a source into the buffers that the guest has bound, as many as are there in one go, with
/// one irq for all of them.
/// </summary>
/// <remarks>
/// A guest whose interface is up and whose buffers are all full gets its packets later: they wait where they are (the tap's
/// queue, the peer's socket), and whoever overflows that queue counts the loss, as with any busy network card. A guest whose
/// interface is down has nothing bound; its packets are taken and dropped, else it would be flooded with old news on its way up.
/// </remarks>
/// <param name="source">Where they come from.</param>
/// <param name="counters">Who counts them.</param>
/// <param name="capture">Who writes them down, or null.</param>
/// <param name="complaints">Who hears of buffers that are not the guest's.</param>
internal sealed class PacketReceiver(IPacketSource source, NetCounters counters, CaptureInterface? capture, Complaints complaints)
{
    /// <summary>Packets in one go: enough for any burst, few enough that the guest's own output is not kept waiting.</summary>
    private const int Burst = 256;

    private readonly GuestVector _vector = new();
    private GuestMemory? _memory;
    private uint _key;

    /// <summary>Something has come that the guest has not got yet.</summary>
    public bool Pending { get; set; }

    /// <summary>Whether to poll for more.</summary>
    public bool WantsInput => !Pending && source.IsAlive && _memory != null;

    /// <summary>Raise the irq even when every buffer is full: for a peer's packet that gives the guest its second chance.</summary>
    public bool RemindsWhenFull { get; init; }

    /// <summary>Told of each packet that the guest got.</summary>
    public Action<uint>? Delivered { get; set; }

    /// <summary>Where the guest binds its buffers.</summary>
    public void Attach(GuestMemory memory, uint key)
    {
        _memory = memory;
        _key = key;
    }

    /// <summary>Delivers what there is and what fits.</summary>
    /// <returns>Whether the guest got a packet.</returns>
    public bool Deliver(IGuestChannel channel)
    {
        uint irq = 0;
        for (int i = 0; i < Burst && Pending; i++)
        {
            long buffer = channel.GetDma(_key);
            if (buffer < 0)
            {
                Wait(channel);
                break;
            }

            try
            {
                if (Fill((uint)buffer, out uint wanted))
                    irq = wanted;
            }
            catch (GuestAddressException wrong)
            {
                complaints.Once("net buffer", $"network: receive buffer: {wrong.Message}");
                Lose();
                break;
            }
        }

        // A guest that died meanwhile does not answer here; the next read says so.
        if (irq != 0)
            _ = channel.RaiseIrq(irq);
        return irq != 0;
    }

    private bool Fill(uint buffer, out uint irq)
    {
        irq = _memory!.ReadUInt32(buffer); // Read once
        int length = 0;
        try
        {
            _vector.Load(_memory, buffer, toGuest: true);
            length = source.Receive(_vector);
        }
        finally
        {
            // 0 gives the buffer back.
            _memory.WriteUInt32(buffer, (uint)length);
        }

        if (length == 0)
        {
            Pending = false;
            return false;
        }

        counters.Received++;
        counters.ReceivedBytes += (uint)length;
        capture?.Record(_vector, length, PacketDirection.ToGuest);
        Delivered?.Invoke((uint)length);
        return true;
    }

    private void Wait(IGuestChannel channel)
    {
        // Without a word from the channel about bindings we do not know, and waiting loses nothing.
        DmaBinding? bound = null;
        if (channel is IDmaBindings bindings)
        {
            bound = bindings.FindBinding(_key);
            if (bound == null)
            {
                for (int i = 0; i < Burst && Pending; i++)
                    Lose();
                return;
            }
        }

        if (RemindsWhenFull && bound is { } full)
            _ = channel.RaiseIrq(full.Irq);
    }

    private void Lose()
    {
        if (source.Discard())
            counters.ReceiveDrops++;
        else
            Pending = false;
    }
}
