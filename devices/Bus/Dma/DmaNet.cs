// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Models;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

// [D:200] A network card
/// <summary>
/// A network card on this bus: the guest sends a packet to the key of a slot, and gets packets in the buffers that it has bound at
/// the key of its own, as many as are there in one go, with one irq for all of them. Who has which slot is <see cref="INetSlots"/>.
/// </summary>
/// <remarks>
/// A guest whose interface is up and whose buffers are all full gets its packets later. A guest whose interface is down has nothing
/// bound; its packets are taken and dropped, else it would be flooded with old news on its way up.
/// </remarks>
public sealed class DmaNet : IDmaDevice, IInputDevice
{
    /// <summary>Pages of device memory: one, for addresses.</summary>
    public const int Pages = 1;

    /// <summary>Packets in one go: enough for any burst, few enough that the guest's own output is not kept waiting.</summary>
    private const int Burst = 256;

    private readonly NetworkModel _net;
    private readonly INetSlots _slots;
    private readonly GuestVector _vector = new();
    private GuestMemory? _memory;
    private IDmaGuest? _guest;
    private uint _page;
    private uint _key;

    private DmaNet(NetworkModel net, INetSlots slots)
    {
        _net = net;
        _slots = slots;
    }

    /// <inheritdoc/>
    public DeviceModel Model => _net;

    /// <inheritdoc/>
    public DeviceType Type => DeviceType.Net;

    /// <inheritdoc/>
    public DeviceFeatures Features => (DeviceFeatures)_slots.Own | _slots.Features;

    /// <inheritdoc/>
    public int PageCount => Pages;

    /// <inheritdoc/>
    public int InputDescriptor => _net.InputDescriptor;

    /// <inheritdoc/>
    public bool WantsInput => _memory != null && _net.WantsInput;

    /// <inheritdoc/>
    public bool HoldsInput => _net.HoldsInput;

    /// <summary>A card on a wire with two ends.</summary>
    /// <param name="net">The card.</param>
    /// <param name="host">The address of whoever is at the other end.</param>
    public static DmaNet OnWire(NetworkModel net, MacAddress host) => new(net, new HostSlots(host));

    /// <summary>A card on a network of guests.</summary>
    /// <param name="net">The card, on this segment.</param>
    /// <param name="segment">Our place on it.</param>
    public static DmaNet OnSegment(NetworkModel net, SharedSegment segment) => new(net, new SegmentSlots(segment));

    /// <inheritdoc/>
    public void Attach(GuestMemory memory, uint firstPage)
    {
        _slots.Attach(memory, firstPage);
        _memory = memory;
        _page = firstPage;
        _key = firstPage + NetPage.KeyOf(_slots.Own);
    }

    /// <inheritdoc/>
    public void Connect(IDmaGuest guest)
    {
        _guest = guest;
        _slots.Follow(guest, _key);
    }

    /// <inheritdoc/>
    public bool Watches(uint key) => _memory != null && NetPage.SlotOf(_page, key) is var slot and >= 0 && _slots.Has(slot);

    /// <inheritdoc/>
    public uint HandleOutput(IDmaGuest guest, uint key, GuestVector sent) => _net.Send(sent, NetPage.SlotOf(_page, key));

    /// <inheritdoc/>
    public void ReadInput() => _net.ReadInput();

    /// <inheritdoc/>
    public bool Deliver()
    {
        if (_guest is not { } guest)
            return false;
        uint irq = 0;
        for (int i = 0; i < Burst && _net.HoldsInput; i++)
        {
            if (guest.TakeBuffer(_key) is not { } buffer)
            {
                Wait(guest);
                break;
            }

            try
            {
                if (Fill(buffer, out uint wanted))
                    irq = wanted;
            }
            catch (GuestAddressException wrong)
            {
                _net.Complain(wrong.Message);
                _net.Lose();
                break;
            }
        }

        // A guest that died meanwhile does not answer here; its next run says so.
        if (irq != 0)
            _ = guest.RaiseIrq(irq);
        _net.TellOfTrouble();
        return irq != 0;
    }

    private bool Fill(uint buffer, out uint irq)
    {
        irq = _memory!.ReadUInt32(buffer); // Read once
        int length = 0;
        try
        {
            _vector.Load(_memory, buffer, toGuest: true);
            length = _net.Receive(_vector);
        }
        finally
        {
            // 0 gives the buffer back.
            _memory.WriteUInt32(buffer, (uint)length);
        }

        return length > 0;
    }

    private void Wait(IDmaGuest guest)
    {
        if (guest.FindBinding(_key) is not { } full)
        {
            for (int i = 0; i < Burst && _net.HoldsInput; i++)
                _net.Lose();
            return;
        }

        if (_slots.RemindsWhenFull)
            _ = guest.RaiseIrq(full.Irq);
    }
}
