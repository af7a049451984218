// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Models;

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

    /// <summary>Accesses to its registers, and by ports to its configuration.</summary>
    public long Accesses { get; set; }
}

/// <summary>Counts what goes through the devices, and hands what the guest says to whoever wants it.</summary>
public sealed class DeviceWatcher : IDeviceObserver
{
    private readonly DeviceModel[] _devices;
    private readonly DeviceTraffic[] _traffic;

    /// <summary>A watcher of a guest's devices.</summary>
    /// <param name="devices">All of them.</param>
    public DeviceWatcher(IEnumerable<DeviceModel> devices)
    {
        _devices = [.. devices];
        _traffic = [.. _devices.Select(static _ => new DeviceTraffic())];
    }

    /// <summary>What went through each device, by index.</summary>
    public IReadOnlyList<DeviceTraffic> Traffic => _traffic;

    /// <summary>Hears what the guest says, in pieces.</summary>
    public Action<byte[]>? ConsoleOutput { get; set; }

    /// <summary>Hears of disk requests that are over.</summary>
    public Action<DiskModel, DiskRequest>? BlockDone { get; set; }

    /// <summary>Hears of packets sent: the device and the bytes.</summary>
    public Action<NetworkModel, uint>? PacketSent { get; set; }

    /// <summary>Hears of input that the guest got: the device and the bytes.</summary>
    public Action<DeviceModel, uint>? InputDelivered { get; set; }

    /// <summary>Hears of accesses to registers and configuration.</summary>
    public Action<DeviceModel, DeviceAccess>? AccessDone { get; set; }

    /// <inheritdoc/>
    public void Saying(ConsoleModel console, GuestVector text)
    {
        if (ConsoleOutput is not { } hear)
            return;
        byte[] copy = new byte[text.Length];
        text.CopyTo(copy);
        hear(copy);
    }

    /// <inheritdoc/>
    public void Requested(DiskModel disk, in DiskRequest request)
    {
        DeviceTraffic traffic = TrafficOf(disk);
        traffic.Requests++;
        if (!request.IsDone)
            traffic.Errors++;
        else if (request.Operation == DiskOperation.Write)
            traffic.BytesOut += request.Bytes;
        else
            traffic.BytesIn += request.Bytes;
        BlockDone?.Invoke(disk, request);
    }

    /// <inheritdoc/>
    public void Sent(DeviceModel device, uint bytes)
    {
        DeviceTraffic traffic = TrafficOf(device);
        traffic.Requests++;
        traffic.BytesOut += bytes;
        if (device is not NetworkModel net)
            return;
        if (bytes == 0)
            traffic.Errors++;
        PacketSent?.Invoke(net, bytes);
    }

    /// <inheritdoc/>
    public void Delivered(DeviceModel device, uint bytes)
    {
        DeviceTraffic traffic = TrafficOf(device);
        traffic.Deliveries++;
        traffic.BytesIn += bytes;
        InputDelivered?.Invoke(device, bytes);
    }

    /// <inheritdoc/>
    public void Accessed(DeviceModel device, in DeviceAccess access)
    {
        TrafficOf(device).Accesses++;
        AccessDone?.Invoke(device, access);
    }

    private DeviceTraffic TrafficOf(DeviceModel device)
    {
        int index = 0;
        while (_devices[index] != device)
            index++;
        return _traffic[index];
    }
}
