// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Bus.Pci;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Support;

namespace Lguest.Tests.Devices.Bus.Pci;

/// <summary>What the drivers of 4.9 do with a device on the bus, by ports and addresses only.</summary>
/// <param name="bus">The bus.</param>
/// <param name="slot">The device's slot.</param>
internal sealed class PciDriver(PciBus bus, int slot)
{
    /// <summary>Guest physical address of its registers, as it says.</summary>
    public uint Registers => Configuration(0x10, 4) & ~0xFu;

    /// <summary>The status that its driver sees.</summary>
    public VirtioStatus Status
    {
        get => (VirtioStatus)Read(20, 1);
        set => Write(20, 1, (uint)value);
    }

    /// <summary>Reads the configuration space.</summary>
    public uint Configuration(int offset, int width)
    {
        Select(offset);
        Assert.True(bus.TryIn((ushort)(0xCFC + (offset & 3)), width, out uint value));
        return value;
    }

    /// <summary>Writes the configuration space.</summary>
    public void Configure(int offset, int width, uint value)
    {
        Select(offset);
        Assert.True(bus.TryOut((ushort)(0xCFC + (offset & 3)), width, value));
    }

    /// <summary>Reads a register.</summary>
    public uint Read(uint register, int width) => bus.Read(Registers + register, width);

    /// <summary>Writes a register.</summary>
    public void Write(uint register, int width, uint value) => bus.Write(Registers + register, width, value);

    /// <summary>Writes a register by way of the window in the configuration space, as an early console does.</summary>
    public void WriteByWindow(uint register, int width, uint value)
    {
        Configure(0x84 + 4, 1, 0);
        Configure(0x84 + 8, 4, register);
        Configure(0x84 + 12, 4, (uint)width);
        Configure(0x94, 4, value);
    }

    /// <summary>The capabilities, by type: where each is.</summary>
    public Dictionary<uint, int> Capabilities()
    {
        Dictionary<uint, int> found = [];
        for (int at = (int)Configuration(0x34, 1); at != 0; at = (int)Configuration(at + 1, 1))
        {
            Assert.Equal(9u, Configuration(at, 1));
            found.Add(Configuration(at + 3, 1), at);
        }

        return found;
    }

    /// <summary>Starts the device with all that it offers, or with less.</summary>
    public void Start(GuestMemory memory, params ReadOnlySpan<TestRing> rings)
    {
        Status = VirtioStatus.None;
        Status = VirtioStatus.Acknowledge;
        Status |= VirtioStatus.Driver;
        for (uint half = 0; half < 2; half++)
        {
            Write(0, 4, half);
            uint offered = Read(4, 4);
            Write(8, 4, half);
            Write(12, 4, offered);
        }

        Status |= VirtioStatus.FeaturesFinal;
        Assert.NotEqual(VirtioStatus.None, Status & VirtioStatus.FeaturesFinal);
        for (int i = 0; i < rings.Length; i++)
        {
            SetUp((ushort)i, rings[i].Layout);
            Write(28, 2, 1);
        }

        Status |= VirtioStatus.DriverReady;
    }

    /// <summary>Says where a queue is.</summary>
    public void SetUp(ushort queue, RingLayout layout, uint high = 0)
    {
        Write(22, 2, queue);
        Write(24, 2, layout.Size);
        Write(32, 4, layout.Descriptors);
        Write(36, 4, 0);
        Write(40, 4, layout.Available);
        Write(44, 4, 0);
        Write(48, 4, layout.Used);
        Write(52, 4, high);
    }

    private void Select(int offset) => Assert.True(bus.TryOut(0xCF8, 4, 0x8000_0000 | ((uint)slot << 11) | ((uint)offset & 0xFC)));
}
