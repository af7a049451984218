// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Bus.Lguest;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Support;

namespace Lguest.Tests.Devices.Bus.Lguest;

/// <summary>
/// What the drivers of 2.6.24 to 3.19 do with a device on the bus: they read its descriptor, write into it, and make NOTIFY. Written from
/// abi.md §7, and knowing nothing else of the device.
/// </summary>
internal sealed class BusDriver
{
    private readonly LguestBus _bus;
    private readonly GuestMemory _memory;
    private readonly uint _status;
    private readonly uint _offered;
    private readonly int _featureBytes;

    private BusDriver(LguestBus bus, GuestMemory memory, uint address, bool isTyped)
    {
        (_bus, _memory, Address) = (bus, memory, address);
        byte type = Byte(0);
        Id = (VirtioId)type;
        if (isTyped)
        {
            uint at = 3;
            End = address + at + Byte(1);
            _status = address + 2;
            while (address + at < End)
            {
                byte[] data = memory.Read(address + at + 2, Byte(at + 1)).ToArray();
                if (Byte(at) == 2)
                    AddQueue(address + at + 2);
                else
                    Fields.Add((Byte(at), data));
                at += 2u + Byte(at + 1);
            }
        }
        else
        {
            (int queues, _featureBytes, int configuration) = (Byte(1), Byte(2), Byte(3));
            _status = address + 4;
            for (uint i = 0; i < queues; i++)
                AddQueue(address + 5 + (8 * i));
            _offered = address + 5 + (8 * (uint)queues);
            Configuration = memory.Read(_offered + (2 * (uint)_featureBytes), (uint)configuration).ToArray();
            End = _offered + (2 * (uint)_featureBytes) + (uint)configuration;
        }
    }

    /// <summary>Guest physical address of its descriptor.</summary>
    public uint Address { get; }

    /// <summary>First address after it.</summary>
    public uint End { get; }

    /// <summary>What it is.</summary>
    public VirtioId Id { get; }

    /// <summary>2.6.24: what has a field of its own, but for the queues.</summary>
    public List<(byte Type, byte[] Data)> Fields { get; } = [];

    /// <summary>Later: the configuration.</summary>
    public byte[] Configuration { get; } = [];

    /// <summary>Its queues: entries, irq, address.</summary>
    public List<(ushort Entries, ushort Irq, uint Address)> Queues { get; } = [];

    /// <summary>The features that it offers.</summary>
    public uint Offered => _memory.ReadUInt32(_offered);

    /// <summary>The features that its driver accepts.</summary>
    public uint Accepted
    {
        get => _memory.ReadUInt32(_offered + (uint)_featureBytes);
        set => _memory.WriteUInt32(_offered + (uint)_featureBytes, value);
    }

    /// <summary>How far the driver is, as the descriptor says.</summary>
    public VirtioStatus Status => (VirtioStatus)_memory.ReadValue<byte>(_status);

    /// <summary>Finds all devices, as a guest does.</summary>
    public static List<BusDriver> Find(LguestBus bus, GuestMemory memory, uint page, bool isTyped)
    {
        List<BusDriver> found = [];
        for (uint at = page; memory.ReadValue<byte>(at) != 0; at = found[^1].End)
            found.Add(new BusDriver(bus, memory, at, isTyped));
        return found;
    }

    /// <summary>Writes the status, and says so or not.</summary>
    public void SetStatus(VirtioStatus status, bool tell = true)
    {
        _memory.WriteValue(_status, (byte)status);
        if (tell)
            Notify(Address);
    }

    /// <summary>The ring of a queue, as the driver makes it: it does not clear anything.</summary>
    public TestRing Ring(int queue) => new(_memory, RingLayout.Contiguous(Queues[queue].Address, Queues[queue].Entries));

    /// <summary>There is something in a queue.</summary>
    public void Kick(int queue) => Notify(Queues[queue].Address);

    private void Notify(uint address)
    {
        Assert.True(_bus.TryServe(RunExit.Notify(address), out string? death));
        Assert.Null(death);
    }

    private byte Byte(uint offset) => _memory.ReadValue<byte>(Address + offset);

    private void AddQueue(uint at) => Queues.Add((_memory.ReadValue<ushort>(at), _memory.ReadValue<ushort>(at + 2), _memory.ReadUInt32(at + 4) << Page.Shift));
}
