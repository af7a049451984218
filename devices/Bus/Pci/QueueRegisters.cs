// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Bus.Pci;

/// <summary>What a driver has written about one queue: registers 24 to 55 (abi.md §8.3).</summary>
internal struct QueueRegisters
{
    private const int First = 24;
    private const int Addresses = 32;

    private ushort _size;
    private bool _isEnabled;
    private uint _descriptors;
    private uint _available;
    private uint _used;
    private uint _descriptorsHigh;
    private uint _availableHigh;
    private uint _usedHigh;

    /// <summary>After a reset.</summary>
    public static QueueRegisters Initial => new() { _size = RingLayout.MaxSize };

    /// <summary>Whether the driver wants to use the queue.</summary>
    public readonly bool IsEnabled => _isEnabled;

    /// <summary>Where the queue is; null when that is beyond what a guest can have.</summary>
    public readonly RingLayout? Layout =>
        (_descriptorsHigh | _availableHigh | _usedHigh) == 0 ? new RingLayout(_size, _descriptors, _available, _used) : null;

    /// <summary>The driver writes.</summary>
    /// <param name="offset">From the first of the device's registers.</param>
    /// <param name="value">What.</param>
    /// <param name="width">1, 2 or 4 bytes; another than the register's own is lost.</param>
    public void Write(uint offset, uint value, int width)
    {
        // An enabled queue stays as it is until the reset.
        if (_isEnabled)
            return;
        switch (offset, width)
        {
            case (24, 2) when value is > 0 and <= RingLayout.MaxSize && (value & (value - 1)) == 0:
                _size = (ushort)value;
                break;
            case (28, 2) when value == 1:
                _isEnabled = true;
                break;
            case (32, 4):
                _descriptors = value;
                break;
            case (36, 4):
                _descriptorsHigh = value;
                break;
            case (40, 4):
                _available = value;
                break;
            case (44, 4):
                _availableHigh = value;
                break;
            case (48, 4):
                _used = value;
                break;
            case (52, 4):
                _usedHigh = value;
                break;
        }
    }

    /// <summary>The driver reads.</summary>
    /// <param name="bytes">Registers 24 to 55, all zero.</param>
    public readonly void Show(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, _size);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[2..], ushort.MaxValue);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[4..], _isEnabled ? (ushort)1 : (ushort)0);
        Span<byte> addresses = bytes[(Addresses - First)..];
        BinaryPrimitives.WriteUInt32LittleEndian(addresses, _descriptors);
        BinaryPrimitives.WriteUInt32LittleEndian(addresses[4..], _descriptorsHigh);
        BinaryPrimitives.WriteUInt32LittleEndian(addresses[8..], _available);
        BinaryPrimitives.WriteUInt32LittleEndian(addresses[12..], _availableHigh);
        BinaryPrimitives.WriteUInt32LittleEndian(addresses[16..], _used);
        BinaryPrimitives.WriteUInt32LittleEndian(addresses[20..], _usedHigh);
    }
}
