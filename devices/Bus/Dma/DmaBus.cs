// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Devices.Models;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

// [D:100] The bus
/// <summary>
/// The guest's bus, in 2.6.23 and before: one page above RAM with 16 descriptors, the pages of the devices after it, and the way from a DMA key to
/// the device that it belongs to (abi.md §6.2). Devices are found by the guest in the order in which they were added, so the
/// first block device is lgba; device i interrupts with irq i + 1.
/// </summary>
public sealed class DmaBus : GuestBus
{
    private readonly GuestMemory _memory;
    private readonly uint _descriptorPage;
    private readonly uint? _copyPage;
    private readonly Complaints _complaints;
    private readonly List<IDmaDevice> _devices = [];
    private readonly GuestVector _sent = new();
    private uint _nextPage;

    /// <summary>An empty bus.</summary>
    /// <param name="memory">The guest's memory; the descriptor page and the pages after it must be part of it.</param>
    /// <param name="descriptorPage">Guest physical address of the descriptor page.</param>
    /// <param name="complaints">Who hears of the guest's mistakes.</param>
    /// <param name="copyPage">Another page that is to hold the same descriptors, for guests that look there.</param>
    public DmaBus(GuestMemory memory, uint descriptorPage, Complaints? complaints = null, uint? copyPage = null)
    {
        _memory = memory;
        _descriptorPage = descriptorPage;
        _copyPage = copyPage;
        _nextPage = descriptorPage + Page.Size;
        _complaints = complaints ?? Complaints.Silent;
        memory.Write(descriptorPage, Page.Size).Clear();
        if (copyPage is uint copy)
            memory.Write(copy, Page.Size).Clear();
    }

    /// <summary>Puts a device on the bus: writes its descriptor and gives it its zeroed pages.</summary>
    /// <exception cref="InvalidOperationException">The bus is full.</exception>
    public void Add(IDmaDevice device)
    {
        int index = _devices.Count;
        if (index == DeviceDescriptor.MaxDevices)
            throw new InvalidOperationException($"the bus has room for {DeviceDescriptor.MaxDevices} devices and is full");

        uint first = 0;
        if (device.PageCount > 0)
        {
            first = _nextPage;
            uint bytes = (uint)device.PageCount * Page.Size;
            _memory.Write(first, bytes).Clear();
            _nextPage += bytes;
        }

        device.Attach(_memory, first);
        DeviceDescriptor descriptor = new()
        {
            Type = device.Type,
            Features = device.Features,
            NumPages = (ushort)device.PageCount,
            Pfn = first >> Page.Shift,
        };
        uint offset = (uint)(index * DeviceDescriptor.Size);
        _memory.WriteValue(_descriptorPage + offset, descriptor);
        if (_copyPage is uint copy)
            _memory.WriteValue(copy + offset, descriptor);
        _devices.Add(device);
        Place(device, new PlacedDevice(device.Model, (uint)index + 1, first == 0 ? null : new MemoryRange(first, _nextPage - first)));
    }

    /// <inheritdoc/>
    public override void Connect(IDmaGuest guest)
    {
        base.Connect(guest);
        foreach (IDmaDevice device in _devices)
            device.Connect(guest);
    }

    /// <inheritdoc/>
    public override bool TryServe(in RunExit exit, out string? death)
    {
        death = null;
        if (exit.Kind != RunExitKind.Dma || Guest is not { } guest)
            return false;
        try
        {
            HandleOutput(guest, exit.Address, exit.Key);
        }
        catch (GuestAddressException wrong)
        {
            // "Invalid address" is how the first launcher put it.
            death = $"Invalid address 0x{wrong.Address:x8} in DMA 0x{exit.Address:x8} sent to key 0x{exit.Key:x8}: {wrong.Length} bytes there are not all the guest's memory";
        }

        return true;
    }

    /// <inheritdoc/>
    public override string StateOf(int index)
    {
        // What the descriptor says the guest can change; where the page is we know ourselves.
        DeviceDescriptor descriptor = _memory.ReadValue<DeviceDescriptor>(_descriptorPage + (uint)(index * DeviceDescriptor.Size));
        string page = descriptor.NumPages == 0 ? "no page" : $"page 0x{descriptor.Pfn << Page.Shift:x8}";
        StringBuilder text = new($"{page}, features 0x{(ushort)descriptor.Features:x4}, status {descriptor.Status}");
        if (_devices[index].Type == DeviceType.Block && Devices[index].Memory is { } place)
        {
            BlockPage request = _memory.ReadValue<BlockPage>(place.Start);
            text.Append($"\n      last request: {request.Type} of {request.Bytes} bytes at sector {request.Sector} of {request.NumSectors}: {request.Result}");
        }

        return text.ToString();
    }

    // [D:120+20] From a key to a device
    // The guest sent memory to a key, and here it arrives from [L:220]. The list is read once and checked as a whole; then whoever
    // knows the key gets it, and what it took is stored in the list's first word, which is all that the guest hears.
    /// <summary>The guest sent DMA that no other guest took.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="dmaAddress">Guest physical address of the <c>lguest_dma</c>.</param>
    /// <param name="key">The key it was sent to.</param>
    /// <exception cref="GuestAddressException">
    /// It is not all the guest's own memory. As in the first launcher, that is the end of the guest: whoever hands such an
    /// address to a device has lost track of its memory, and would not look at an error either.
    /// </exception>
    public void HandleOutput(IDmaGuest guest, uint dmaAddress, uint key)
    {
        _sent.Load(_memory, dmaAddress, toGuest: false);
        foreach (IDmaDevice device in _devices)
        {
            if (!device.Watches(key))
                continue;

            // used_len is the structure's first word.
            _memory.WriteUInt32(dmaAddress, device.HandleOutput(guest, key, _sent));
            return;
        }

        // This can happen: the peer on a network may have left a moment ago. It is unusual with the devices there are here.
        _complaints.Once("key", $"the guest sent DMA 0x{dmaAddress:x8} to key 0x{key:x8}, where nobody listens");
    }
}
