// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Bus.Dma;
using Lguest.GuestAbi;

namespace Lguest.Inspect.Target;

/// <summary>What went through a device.</summary>
public sealed class DeviceTraffic
{
    /// <summary>Disk requests, packets sent, pieces of console output.</summary>
    public long Requests { get; set; }

    /// <summary>Packets received, pieces of console input.</summary>
    public long Deliveries { get; set; }

    /// <summary>Bytes from the guest.</summary>
    public long BytesOut { get; set; }

    /// <summary>Bytes to the guest.</summary>
    public long BytesIn { get; set; }

    /// <summary>Disk requests that failed, packets that nobody took.</summary>
    public long Errors { get; set; }
}

/// <summary>Counts what goes through the devices, and hands what the guest says to whoever wants it.</summary>
public sealed class DeviceWatcher : IDeviceObserver
{
    private readonly GuestMemory _memory;
    private readonly DeviceBus _bus;
    private readonly DeviceTraffic[] _traffic;

    /// <summary>A watcher of a bus.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="bus">All its devices are there already.</param>
    public DeviceWatcher(GuestMemory memory, DeviceBus bus)
    {
        _memory = memory;
        _bus = bus;
        _traffic = [.. bus.Devices.Select(static _ => new DeviceTraffic())];
    }

    /// <summary>What went through each device, by index.</summary>
    public IReadOnlyList<DeviceTraffic> Traffic => _traffic;

    /// <summary>Hears what the guest says, in pieces.</summary>
    public Action<byte[]>? ConsoleOutput { get; set; }

    /// <summary>Hears of disk requests, carried out: the device and its page.</summary>
    public Action<IGuestDevice, BlockPage>? BlockDone { get; set; }

    /// <summary>Hears of packets sent: the device and the bytes.</summary>
    public Action<IGuestDevice, uint>? PacketSent { get; set; }

    /// <summary>Hears of input that the guest got: the device and the bytes.</summary>
    public Action<IGuestDevice, uint>? InputDelivered { get; set; }

    /// <inheritdoc/>
    public void Sending(IGuestDevice device, uint dmaAddress)
    {
        if (device.Type == DeviceType.Console && ConsoleOutput is { } hear)
            hear(Gather(dmaAddress));
    }

    /// <inheritdoc/>
    public void Sent(IGuestDevice device, uint used)
    {
        int index = IndexOf(device);
        DeviceTraffic traffic = _traffic[index];
        traffic.Requests++;
        if (device.Type != DeviceType.Block)
        {
            traffic.BytesOut += used;
            if (device.Type != DeviceType.Net)
                return;
            if (used == 0)
                traffic.Errors++;
            PacketSent?.Invoke(device, used);
            return;
        }


        // Where the page is the bus knows; the descriptor is the guest's to change.
        BlockPage page = _memory.ReadValue<BlockPage>(_bus.FirstPageOf(index));
        if (page.Result != BlockResult.Ok)
            traffic.Errors++;
        else if (page.Type == BlockRequestType.Write)
            traffic.BytesOut += page.Bytes;
        else
            traffic.BytesIn += page.Bytes;
        BlockDone?.Invoke(device, page);
    }

    /// <inheritdoc/>
    public void Delivered(IGuestDevice device, uint bytes)
    {
        DeviceTraffic traffic = _traffic[IndexOf(device)];
        traffic.Deliveries++;
        traffic.BytesIn += bytes;
        InputDelivered?.Invoke(device, bytes);
    }

    private int IndexOf(IGuestDevice device)
    {
        int index = 0;
        while (_bus.Devices[index] != device)
            index++;
        return index;
    }

    private unsafe byte[] Gather(uint address)
    {
        if (!_memory.Contains(address, LguestDma.Size))
            return [];
        LguestDma dma = _memory.ReadValue<LguestDma>(address);
        List<byte> bytes = [];
        for (int i = 0; i < LguestDma.MaxSections && dma.Len[i] != 0; i++)
        {
            // The device refuses such a list as a whole, and says so.
            if (!_memory.Contains(dma.Addr[i], dma.Len[i]))
                return [];
            bytes.AddRange(_memory.Read(dma.Addr[i], dma.Len[i]));
        }

        return [.. bytes];
    }
}
