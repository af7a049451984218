// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Bus.Pci;

// [D:270] A bus that is probed
/// <summary>
/// The bus of 4.0 and later (abi.md §8): a host bridge in slot 0 and a device in each of the slots after it, found by way of two ports,
/// used by way of a page of addresses above RAM that is no memory. This is the model of it; who notices that a guest accesses a port or
/// such an address is the engine's affair.
/// </summary>
public sealed class PciBus : GuestBus, IDeviceSpace
{
    /// <summary>Slots.</summary>
    public const int Slots = 32;

    private const ushort AddressPort = 0xCF8;
    private const ushort DataPort = 0xCFC;
    private const int PortWidth = 4;
    private const uint Nothing = uint.MaxValue;

    private readonly List<VirtioFunction> _functions = [];
    private readonly uint _firstAddress;
    private uint _address;

    /// <summary>An empty bus.</summary>
    /// <param name="firstAddress">Guest physical address of the first device's page, page aligned; the others follow.</param>
    public PciBus(uint firstAddress) => _firstAddress = firstAddress;

    /// <inheritdoc/>
    public override IDeviceSpace Space => this;

    /// <summary>Puts a device into the next slot.</summary>
    /// <exception cref="InvalidOperationException">All slots are taken, or the first one is not a console: an early console looks nowhere else.</exception>
    public void Add(VirtioDevice device)
    {
        int slot = _functions.Count + 1;
        if (slot == Slots)
            throw new InvalidOperationException($"the bus has room for {Slots - 1} devices and is full");
        if (slot == 1 && device.Id != VirtioId.Console)
            throw new InvalidOperationException("the first device must be the console");
        uint address = _firstAddress + ((uint)(slot - 1) * Page.Size);
        _functions.Add(new VirtioFunction(device, slot, address, Interrupt));
        Place(device, new PlacedDevice(device.Model, (uint)slot, new MemoryRange(address, Page.Size)));
    }

    /// <summary>Never: such a guest accesses its devices, and does not come out for them.</summary>
    public override bool TryServe(in RunExit exit, out string? death)
    {
        death = null;
        return false;
    }

    /// <inheritdoc/>
    public override string StateOf(int index) => _functions[index].State;

    /// <inheritdoc/>
    public bool TryIn(ushort port, int width, out uint value)
    {
        value = Nothing;
        switch (port)
        {
            case >= AddressPort and < AddressPort + PortWidth:
                value = Part(_address, port - AddressPort, width);
                return true;
            case >= DataPort and < DataPort + PortWidth:
                int offset = port - DataPort;
                value = offset + width > PortWidth ? Masked(Nothing, width) : ReadConfiguration(offset, width);
                return true;
            default:
                return false;
        }
    }

    /// <inheritdoc/>
    public bool TryOut(ushort port, int width, uint value)
    {
        switch (port)
        {
            case >= AddressPort and < AddressPort + PortWidth:
                int at = 8 * (port - AddressPort);
                uint mask = Masked(Nothing, width) << at;
                _address = (_address & ~mask) | ((value << at) & mask);
                return true;
            case >= DataPort and < DataPort + PortWidth:
                int offset = port - DataPort;
                if (offset + width <= PortWidth && Selected(out int register) is { } function)
                {
                    function.WriteConfiguration(register + offset, Masked(value, width), width);
                    Tell(function, new(DeviceAccessKind.Configuration, true, (uint)(register + offset), width, Masked(value, width)));
                }

                return true;
            default:
                return false;
        }
    }

    /// <inheritdoc/>
    public bool HasAddress(uint address) => Find(address) != null;

    /// <inheritdoc/>
    public uint Read(uint address, int width)
    {
        if (Find(address) is not { } function)
            return Masked(Nothing, width);
        uint value = function.ReadRegister(address % Page.Size, width);
        Tell(function, new(DeviceAccessKind.Register, false, address % Page.Size, width, value));
        return value;
    }

    /// <inheritdoc/>
    public void Write(uint address, int width, uint value)
    {
        if (Find(address) is not { } function)
            return;
        function.WriteRegister(address % Page.Size, Masked(value, width), width);
        Tell(function, new(DeviceAccessKind.Register, true, address % Page.Size, width, Masked(value, width)));
    }

    /// <summary>An access is over. A write to a register, or through the window to one, may have had something done.</summary>
    private void Tell(VirtioFunction function, in DeviceAccess access)
    {
        Observer?.Accessed(function.Device.Model, access);
        if (access.IsWrite && (access.Kind == DeviceAccessKind.Register || access.Offset >= PciConfiguration.WindowData))
            HasServed();
    }

    private VirtioFunction? Find(uint address)
    {
        foreach (VirtioFunction function in _functions)
        {
            if (address - function.Address < Page.Size)
                return function;
        }

        return null;
    }

    private uint ReadConfiguration(int offset, int width)
    {
        VirtioFunction? function = Selected(out int register);
        if (function != null)
        {
            uint value = function.ReadConfiguration(register + offset, width);
            Tell(function, new(DeviceAccessKind.Configuration, false, (uint)(register + offset), width, value));
            return value;
        }

        return Masked(IsBridge ? BridgeClass(register + offset) : Nothing, width);
    }

    /// <summary>The device whose configuration the address register names, or null.</summary>
    private VirtioFunction? Selected(out int register)
    {
        register = (int)(_address & 0xFC);
        int slot = Slot;
        return slot > 0 && slot <= _functions.Count ? _functions[slot - 1] : null;
    }

    /// <summary>The slot that the address register names; −1 when it names nothing on this bus.</summary>
    private int Slot
    {
        get
        {
            const uint enabled = 0x8000_0000;
            const uint functionAndBus = 0x00FF_0700;
            return (_address & enabled) != 0 && (_address & functionAndBus) == 0 ? (int)(_address >> 11) & (Slots - 1) : -1;
        }
    }

    private bool IsBridge => Slot == 0;

    /// <summary>The host bridge is all zero but for its class: no vendor, so that nobody looks for a driver, and the right class for a bus to be believed.</summary>
    private static uint BridgeClass(int register)
    {
        const int classAt = 0x0B;
        const uint bridge = 6;
        return register <= classAt && register + sizeof(uint) > classAt && register >= 0x08 ? bridge << (8 * (classAt - register)) : 0;
    }

    /// <summary>A part of a register, in its own width; what is beyond the register is ones.</summary>
    private static uint Part(uint value, int offset, int width) =>
        (uint)Masked((uint)((value | (~0UL << 32)) >> (8 * offset)), width);

    private static uint Masked(uint value, int width) => width >= sizeof(uint) ? value : value & ((1u << (8 * width)) - 1);
}
