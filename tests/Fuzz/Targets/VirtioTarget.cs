// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Devices.Backends;
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Bus;
using Lguest.Devices.Bus.Pci;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Inspect.Target;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>
/// A guest's ports, registers, rings and chains, for a console, a disk, entropy and a network on PCI, with memory that changes while
/// they are served. Nothing beyond the guest's memory is touched (there are holes around it that nobody may touch), and the disk keeps
/// its length.
/// </summary>
internal sealed class VirtioTarget : IFuzzTarget
{
    private const uint Ram = ScriptedMachine.Ram;
    private const uint HighBank = 0x2_0000;
    private const uint Registers = 0x10_0000;
    private const int Devices = 4;

    private static readonly uint[] s_edges =
    [
        0, Ram, Ram - 1, Ram - 16, HighBank, HighBank - 1, HighBank + 0x4000, HighBank + 0x3FFC, Registers, 0x4000_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFF0, 0xFFFF_F000,
    ];

    private readonly ScriptedMachine _machine = new(new MemoryRange(HighBank, 0x4000));
    private readonly PciBus _bus;
    private readonly VirtioDevice[] _devices;
    private readonly DeviceWatcher _watch;

    public VirtioTarget()
    {
        _bus = new PciBus(Registers);
        _devices =
        [
            new VirtioConsole(new ConsoleModel(_machine.Port), _machine.Memory, VirtioFormat.Pci),
            new VirtioBlock(new DiskModel(_machine.Image), _machine.Memory, VirtioFormat.Pci),
            new VirtioEntropy(new EntropyModel(), _machine.Memory, VirtioFormat.Pci),
            new VirtioNet(new NetworkModel(_machine.Link) { FinishesChecksums = true }, MacAddress.OfGuest(1), _machine.Memory, VirtioFormat.Pci),
        ];
        foreach (VirtioDevice device in _devices)
            _bus.Add(device);
        _watch = new DeviceWatcher(_bus.Devices.Select(static device => device.Model));
        _bus.Observer = _watch;
        _bus.Connect(_machine.Guest);
    }

    public IEnumerable<byte[]> Seeds
    {
        get
        {
            // Each device started, and a request of its own kind: by the numbers of Step.
            for (byte device = 0; device < Devices; device++)
            {
                yield return [0, device, 1, 0, 0x10, 0, 0x20, 1, 16, 2, 0, 0x30, 0, 0x40, 1, 0, 2, 0, 0, 3, device, 0];
                yield return [0, device, 1, 1, 0x10, 0, 0x20, 1, 16, 2, 0, 0x30, 0, 2, 1, 0, 2, 1, 0, 3, device, 0, 3, device, 1, 6, 60, .. new byte[60], 3, device, 0];
            }

            yield return [0, 1, 7, 0, 0x10, 1, 5, 1, 0, 0, 0x10, 16, 0, 0, 0x20, 0, 2, 1, 0, 0x30, 1, 0, 1, 3, 1, 0];
            foreach (byte[] noise in ScriptedMachine.Noise(20150215, 30))
                yield return noise;
        }
    }

    public int LongestCase => 800;

    /// <summary>Accesses to ports and registers so far.</summary>
    public long Accesses { get; private set; }

    public ulong Run(byte[] bytes)
    {
        Reset();
        Signature signature = new();
        CaseReader reader = new(bytes);
        ulong happened = 0;
        while (!reader.AtEnd)
            happened |= Step((byte)(reader.Byte() % 9), ref reader);
        Accesses = _watch.Traffic.Sum(static device => device.Accesses);
        signature.Add(happened);
        signature.AddCount(_machine.Guest.Irqs);
        signature.AddCount(_machine.Link.SentLengths.Count);
        foreach (VirtioDevice device in _devices)
            signature.Add(device.Fault == null ? 0u : 1);
        _machine.End();
        return signature.Value;
    }

    private void Reset()
    {
        _machine.Clear();
        for (int device = 0; device < Devices; device++)
        {
            Configure(device, 0x10, Registers + ((uint)device * Page.Size));
            WriteRegister(device, 20, 1, 0);
        }

        _machine.Begin();
    }

    /// <returns>What happened, as a set of bits.</returns>
    private ulong Step(byte what, ref CaseReader reader)
    {
        switch (what)
        {
            case 0:
                Start(reader.Byte() % Devices);
                break;
            case 1:
                _machine.Poke(Address(ref reader), reader.Word());
                break;
            case 2:
                RingLayout layout = Queue(reader.Byte() % Devices, reader.Byte() % 2u);
                _machine.Offer(ref reader, layout, Address);
                break;
            case 3:
                int device = reader.Byte() % Devices;
                WriteRegister(device, 56, 2, reader.Byte());
                return Signature.Bit(what, ReadRegister(device, 58, 1) | ((uint)device << 8));
            case 4:
                return Signature.Bit(what, Math.Min(_bus.Read(Registers + (reader.Half() % (Devices * Page.Size)), Width(ref reader)), 1));
            case 5:
                _bus.Write(Registers + (reader.Half() % (Devices * Page.Size)), Width(ref reader), reader.Word());
                break;
            case 6:
                return _machine.Deliver(reader.Bytes(reader.Byte()).ToArray(), _bus);
            case 7:
                _bus.TryOut((ushort)(0xCF8 + (reader.Byte() % 10)), Width(ref reader), reader.Byte() % 2 == 0 ? reader.Word() : 0x8000_0000 | reader.Half());
                _ = _bus.TryIn((ushort)(0xCF8 + (reader.Byte() % 10)), Width(ref reader), out uint value);
                return Signature.Bit(what, Math.Min(value, 1));
            case 8:
                _machine.ChangeLater(Address(ref reader), reader.Word());
                break;
        }

        return 0;
    }

    /// <summary>As a good driver does; queue n of a device is at a place of its own.</summary>
    private void Start(int device)
    {
        WriteRegister(device, 20, 1, 0);
        WriteRegister(device, 20, 1, 3);
        for (uint half = 0; half < 2; half++)
        {
            WriteRegister(device, 0, 4, half);
            WriteRegister(device, 8, 4, half);
            WriteRegister(device, 12, 4, ReadRegister(device, 4, 4));
        }

        WriteRegister(device, 20, 1, 11);
        for (uint queue = 0; queue < 2; queue++)
        {
            RingLayout layout = Queue(device, queue);
            WriteRegister(device, 22, 2, queue);
            WriteRegister(device, 24, 2, layout.Size);
            WriteRegister(device, 32, 4, layout.Descriptors);
            WriteRegister(device, 40, 4, layout.Available);
            WriteRegister(device, 48, 4, layout.Used);
            WriteRegister(device, 28, 2, 1);
        }

        WriteRegister(device, 20, 1, 15);
    }

    private static RingLayout Queue(int device, uint queue)
    {
        uint place = 0xC000 + ((((uint)device * 2) + queue) * 0x400);
        return new(8, place, place + 0x100, place + 0x200);
    }

    private void Configure(int device, uint offset, uint value)
    {
        _bus.TryOut(0xCF8, 4, 0x8000_0000 | ((uint)(device + 1) << 11) | offset);
        _bus.TryOut(0xCFC, 4, value);
    }

    private uint ReadRegister(int device, uint offset, int width) => _bus.Read(Registers + ((uint)device * Page.Size) + offset, width);

    private void WriteRegister(int device, uint offset, int width, uint value) => _bus.Write(Registers + ((uint)device * Page.Size) + offset, width, value);

    private static int Width(ref CaseReader reader) => 1 << (reader.Byte() % 3);

    private static uint Address(ref CaseReader reader)
    {
        const int marked = 0xF000;
        ushort chosen = reader.Half();
        if (chosen < marked)
            return chosen;

        // An edge, and up to 64 bytes before or after it.
        return ScriptedMachine.Near(s_edges, chosen & 0xF, chosen >> 4);
    }
}
