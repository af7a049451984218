// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Backends.Network;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

// [D:220] A network of guests
/// <summary>
/// A network between guests: the page of the network file is mapped into the guest, who publishes its address in its own slot,
/// binds its receive buffers at page + 4 × slot, and sends to page + 4 × peer for each peer that the packet is for (abi.md §6.6).
/// used_len is what arrived: 0 when the peer is gone, has nothing bound, or does not use its second chance.
/// </summary>
/// <param name="segment">Our place on it; it outlives the device.</param>
/// <param name="capture">Who writes packets down, or null.</param>
/// <param name="complaints">Who hears of what goes wrong.</param>
/// <param name="say">Who hears of the end of the network.</param>
public sealed unsafe class SharedNetDevice(SharedSegment segment, CaptureInterface? capture = null, Complaints? complaints = null, Action<string>? say = null) : IInputDevice
{
    private readonly PacketReceiver _receiver = new(segment, segment.Counters, capture, complaints ?? Complaints.Silent) { RemindsWhenFull = true };
    private GuestMemory? _memory;
    private uint _page;
    private bool _ended;

    /// <inheritdoc/>
    public DeviceType Type => DeviceType.Net;

    /// <summary>The guest's slot; and packets that never leave the host need no checksums.</summary>
    public DeviceFeatures Features => (DeviceFeatures)segment.Page.Slot | DeviceFeatures.NoChecksum;

    /// <inheritdoc/>
    public int PageCount => 1;

    /// <inheritdoc/>
    public string Description => string.Create(CultureInfo.InvariantCulture, $"net shared {segment.Page.Path}, slot {segment.Page.Slot}");

    /// <inheritdoc/>
    public int InputDescriptor => segment.Descriptor;

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
        // A guest that restarts is not there until it says so.
        segment.Page.ClearSlot(segment.Page.Slot, segment.FreeSlot);
        segment.SetCapacity(0);
        memory.MapFile(firstPage, segment.Page.Descriptor, 0);
        _memory = memory;
        _page = firstPage;
        _receiver.Attach(memory, firstPage + NetPage.KeyOf(segment.Page.Slot));
    }

    /// <summary>Follows what the guest binds, so that peers learn whether there is anybody to send to.</summary>
    public void Follow(IDmaBindings bindings)
    {
        uint key = _page + NetPage.KeyOf(segment.Page.Slot);
        bindings.BindingsChanged += () => segment.SetCapacity(bindings.FindBinding(key) is { } bound ? CapacityOf(bound) : 0);
    }

    /// <inheritdoc/>
    public bool Watches(uint key) => _memory != null && NetPage.SlotOf(_page, key) >= 0;

    /// <inheritdoc/>
    public uint HandleOutput(IGuestChannel channel, uint key, GuestVector sent)
    {
        capture?.Record(sent, sent.Length, PacketDirection.FromGuest);
        return (uint)segment.Send(NetPage.SlotOf(_page, key), sent);
    }

    /// <inheritdoc/>
    public void ReadInput() => _receiver.Pending = true;

    /// <inheritdoc/>
    public bool Deliver(IGuestChannel channel)
    {
        bool delivered = _receiver.Deliver(channel);
        if (segment.IsCut && !_ended)
        {
            _ended = true;
            say?.Invoke($"somebody has cut network file '{segment.Page.Path}' short: the guest goes on without that network; end all guests on it, remove the file, and start them again");
        }

        return delivered;
    }

    /// <summary>Bytes that the largest of the bound buffers holds.</summary>
    private uint CapacityOf(DmaBinding binding)
    {
        // A driver's buffers are all alike, and eight; a guest that binds thousands is measured by its first.
        const uint Enough = 64;
        uint largest = 0;
        for (uint i = 0; i < Math.Min(binding.Count, Enough); i++)
        {
            ulong address = binding.Array + ((ulong)i * LguestDma.Size);
            if (address > uint.MaxValue || !_memory!.Contains((uint)address, LguestDma.Size))
                break;
            // Read once; the sum is a hint to the peers, and no transfer believes it.
            LguestDma dma = _memory.ReadValue<LguestDma>((uint)address);
            uint bytes = 0;
            for (int section = 0; section < LguestDma.MaxSections && dma.Len[section] != 0; section++)
                bytes += dma.Len[section];
            largest = Math.Max(largest, bytes);
        }

        return largest;
    }
}
