// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Bus.Lguest;

/// <summary>A descriptor as a guest finds it, and what in it the guest writes (abi.md §7.1).</summary>
/// <param name="Bytes">All of it.</param>
/// <param name="Status">Where the driver's progress is, from its start.</param>
/// <param name="Accepted">Where the accepted features are, from its start; null where none can be accepted.</param>
internal sealed record DescriptorImage(byte[] Bytes, int Status, int? Accepted)
{
    /// <summary>The descriptor of 2.6.24: a list of fields.</summary>
    /// <param name="device">Whose.</param>
    /// <param name="queues">Its queues.</param>
    public static DescriptorImage Typed(VirtioDevice device, ReadOnlySpan<BusQueue> queues)
    {
        List<byte> fields = [];
        foreach (ref readonly BusQueue queue in queues)
            AddField(fields, BusDescriptor.QueueField, MemoryMarshal.AsBytes(new ReadOnlySpan<BusQueue>(in queue)));
        byte[] configuration = ConfigurationOf(device);
        foreach (TypedValue value in BusDescriptor.TypedValues)
        {
            if (value.Device == device.Id)
                AddField(fields, value.Field, configuration.AsSpan(value.Offset, value.Length));
        }

        return new([(byte)device.Id, checked((byte)fields.Count), 0, .. fields], BusDescriptor.TypedStatusAt, null);
    }

    /// <summary>The descriptor of 2.6.25 and later.</summary>
    /// <param name="device">Whose.</param>
    /// <param name="queues">Its queues.</param>
    public static DescriptorImage Untyped(VirtioDevice device, ReadOnlySpan<BusQueue> queues)
    {
        const int featureBytes = sizeof(uint);
        byte[] configuration = ConfigurationOf(device);
        List<byte> bytes = [(byte)device.Id, (byte)queues.Length, featureBytes, checked((byte)configuration.Length), 0];
        bytes.AddRange(MemoryMarshal.AsBytes(queues));
        bytes.AddRange(BitConverter.GetBytes((uint)device.OfferedFeatures));
        int accepted = bytes.Count;
        bytes.AddRange(new byte[featureBytes]);
        bytes.AddRange(configuration);
        return new([.. bytes], BusDescriptor.StatusAt, accepted);
    }

    private static void AddField(List<byte> fields, byte type, ReadOnlySpan<byte> data)
    {
        fields.Add(type);
        fields.Add((byte)data.Length);
        fields.AddRange(data);
    }

    private static byte[] ConfigurationOf(VirtioDevice device)
    {
        byte[] bytes = new byte[device.ConfigurationLength];
        device.ReadConfiguration(bytes);
        return bytes;
    }
}
