// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Bus.Pci;

/// <summary>
/// The configuration space of a virtio device (abi.md §8.2): who it is, where its registers are, and capabilities that say which register
/// does what. Bytes, of which the guest may change a few.
/// </summary>
internal sealed class PciConfiguration
{
    /// <summary>Bytes of it; beyond, everything reads ones.</summary>
    public const int Length = 0x98;

    /// <summary>Where the window into the registers begins: whatever is accessed there accesses a register.</summary>
    public const int WindowData = 0x94;

    private const int Bar = 0x10;
    private const int WindowCapability = 0x84;
    private const int CapabilityBar = 4;
    private const int CapabilityOffset = 8;
    private const int CapabilityLength = 12;

    private readonly byte[] _bytes = new byte[Length];
    private readonly byte[] _writable = new byte[Length];

    /// <summary>The configuration space of a device.</summary>
    /// <param name="id">What it is.</param>
    /// <param name="slot">Its slot, which is its irq, too.</param>
    /// <param name="address">Where its registers are.</param>
    /// <param name="configurationLength">Bytes of the device's own configuration.</param>
    public PciConfiguration(VirtioId id, int slot, uint address, int configurationLength)
    {
        const ushort vendor = 0x1AF4;
        const ushort modern = 0x1040;
        const ushort hasCapabilities = 0x10;
        const ushort subsystem = 0x40;
        const int deviceCapability = 0x74;
        Put16(0x00, vendor);
        Put16(0x02, (ushort)(modern + (byte)id));
        Put16(0x06, hasCapabilities);
        _bytes[0x08] = 1;
        (_bytes[0x0B], _bytes[0x0A]) = ClassOf(id);
        Put16(0x2E, subsystem);
        _bytes[0x34] = 0x40;
        _bytes[0x3C] = (byte)slot;
        Put32(Bar, address);
        Capability(0x40, 0x50, 16, 1, VirtioFunction.CommonRegisters, VirtioFunction.NotifyRegister);
        Capability(0x50, 0x64, 20, 2, VirtioFunction.NotifyRegister, sizeof(ushort));
        Capability(0x64, WindowCapability, 16, 3, VirtioFunction.InterruptRegister, 1);
        if (configurationLength > 0)
            Capability(deviceCapability, 0, 16, 4, VirtioFunction.DeviceRegisters, configurationLength);
        Capability(WindowCapability, configurationLength > 0 ? (byte)deviceCapability : (byte)0, 20, 5, 0, 0);

        // Cache line and latency are the guest's to write; so are the page of the registers, and what the window looks at.
        Allow(0x0C, 2, 0xFF);
        Allow(Bar + 1, 1, 0xF0);
        Allow(Bar + 2, 2, 0xFF);
        Allow(WindowCapability + CapabilityBar, 1, 0xFF);
        Allow(WindowCapability + CapabilityOffset, 8, 0xFF);
    }

    /// <summary>Where the guest has put the registers.</summary>
    public uint Address => Get32(Bar);

    /// <summary>What the window looks at; a length of 0 when that is nothing.</summary>
    public (uint Offset, int Width) Window
    {
        get
        {
            uint offset = Get32(WindowCapability + CapabilityOffset);
            uint length = Get32(WindowCapability + CapabilityLength);
            bool isSane = _bytes[WindowCapability + CapabilityBar] == 0 && length is 1 or 2 or 4 && offset <= Page.Size - length;
            return isSane ? (offset, (int)length) : (0, 0);
        }
    }

    /// <summary>Reads; what is beyond the end is ones.</summary>
    public uint Read(int offset, int width)
    {
        uint value = 0;
        for (int i = 0; i < width; i++)
            value |= (uint)(offset + i < Length ? _bytes[offset + i] : byte.MaxValue) << (8 * i);
        return value;
    }

    /// <summary>Writes what the guest may change; all else is lost.</summary>
    public void Write(int offset, uint value, int width)
    {
        for (int i = 0; i < width && offset + i < Length; i++)
        {
            byte mask = _writable[offset + i];
            _bytes[offset + i] = (byte)((_bytes[offset + i] & ~mask) | ((byte)(value >> (8 * i)) & mask));
        }
    }

    private static (byte Class, byte Subclass) ClassOf(VirtioId id) => id switch
    {
        VirtioId.Console => (7, 0),
        VirtioId.Net => (2, 0),
        VirtioId.Block => (1, 0x80),
        _ => (0xFF, 0),
    };

    private void Capability(int at, byte next, byte length, byte type, int offset, int bytes)
    {
        const byte vendorSpecific = 9;
        _bytes[at] = vendorSpecific;
        _bytes[at + 1] = next;
        _bytes[at + 2] = length;
        _bytes[at + 3] = type;
        Put32(at + CapabilityOffset, (uint)offset);
        Put32(at + CapabilityLength, (uint)bytes);
    }

    private void Allow(int offset, int count, byte mask) => _writable.AsSpan(offset, count).Fill(mask);

    private uint Get32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset));

    private void Put16(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(offset), value);

    private void Put32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(offset), value);
}
