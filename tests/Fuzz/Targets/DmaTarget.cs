// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Devices.Backends;
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Bus;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Models;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>
/// A guest's lists, requests and bindings, for a console, a disk and a network at once, with memory that changes while they are
/// served. Nothing beyond the guest's memory is touched (there are holes around it that nobody may touch), and the disk keeps its
/// length.
/// </summary>
internal sealed class DmaTarget : IFuzzTarget
{
    private const uint Ram = ScriptedMachine.Ram;
    private const uint HighBank = 0x2_0000;
    private const uint Descriptors = 0x4_0000;
    private const uint DiskPage = Descriptors + Page.Size;
    private const uint NetworkPage = DiskPage + Page.Size;

    private static readonly uint[] s_edges =
    [
        0, Ram, Ram - 1, Ram - 4, Ram - 100, HighBank, HighBank - 1, HighBank + 0x4000, HighBank + 0x3FFC, Descriptors, DiskPage, DiskPage + 8, NetworkPage, NetworkPage + Page.Size, NetworkPage + 0xFFC,
        0x4000_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FF9C, 0xFFFF_F000,
    ];

    private readonly ScriptedMachine _machine = new(new MemoryRange(HighBank, 0x4000), new(Descriptors, 3 * Page.Size));
    private readonly DmaBus _bus;
    private readonly byte[] _clean;

    public DmaTarget()
    {
        _bus = new DmaBus(_machine.Memory, Descriptors);
        _bus.Add(new DmaDisk(new DiskModel(_machine.Image)));
        _bus.Add(DmaNet.OnWire(new NetworkModel(_machine.Link) { FinishesChecksums = true }, MacAddress.OfGuest(1)));
        _bus.Add(new DmaConsole(new ConsoleModel(_machine.Port), 0));
        _bus.Connect(_machine.Guest);
        _clean = _machine.Memory.Read(Descriptors, 3 * Page.Size).ToArray();
    }

    public IEnumerable<byte[]> Seeds
    {
        get
        {
            // A write, a read, console output, console input, packets both ways: by the numbers of Step.
            yield return [1, 0, 0x10, 1, 0, 0x20, 0, 2, 5, 1, 0, 0, 2, 0, 1, 0, 0x30, 1, 0, 0x38, 0, 2, 2, 10, 0x80, 0, 0x30, 1, 1, 3, 0, 0x10, 10, 0x80];
            yield return [1, 0, 0x30, 2, 0, 0x40, 0, 2, 0, 0x50, 0, 2, 5, 0, 0, 0, 4, 0, 2, 10, 0x80, 0, 0x30, 1, 1, 1, 0, 0x10, 0, 3, 0, 0x10, 10, 0x80];
            yield return [1, 0, 0x10, 3, 0, 0x20, 5, 0, 0, 0x21, 7, 0, 0, 0x22, 1, 0, 3, 0, 0x10, 0, 0];
            yield return [1, 0, 0x10, 1, 0, 0x20, 40, 0, 2, 0, 0, 0, 0x10, 1, 3, 4, 10, .. "echo hello"u8, 0, 0, 0x10, 0, 0, 0, 0, 4, 5, .. "again"u8];
            yield return [1, 0, 0x10, 1, 0, 0x20, 100, 0, 3, 0, 0x10, 12, 0x80, 0, 0, 0x10, 0, 0, 0, 0, 2, 12, 0x84, 0, 0x10, 1, 2, 4, 60, .. new byte[60]];
            foreach (byte[] noise in ScriptedMachine.Noise(20071109, 20))
                yield return noise;
        }
    }

    public int LongestCase => 800;

    public ulong Run(byte[] bytes)
    {
        Reset();
        Signature signature = new();
        CaseReader reader = new(bytes);
        ulong happened = 0;
        while (!reader.AtEnd)
            happened |= Step((byte)(reader.Byte() % 7), ref reader);
        signature.Add(happened);
        signature.AddCount(_machine.Guest.Irqs);
        signature.AddCount(_machine.Port.BytesWritten);
        _machine.End();
        return signature.Value;
    }

    private void Reset()
    {
        _machine.Clear();
        _clean.CopyTo(_machine.Memory.Write(Descriptors, (uint)_clean.Length));
        _machine.Begin();
    }

    /// <returns>What happened, as a set of bits.</returns>
    private ulong Step(byte what, ref CaseReader reader)
    {
        switch (what)
        {
            case 0:
                _machine.Poke(Address(ref reader), reader.Word());
                break;
            case 1:
                WriteList(ref reader);
                break;
            case 2:
                _machine.Guest.Bind(Address(ref reader), new DmaBinding(Address(ref reader), reader.Byte(), reader.Byte()));
                break;
            case 3:
                try
                {
                    uint list = Address(ref reader);
                    _bus.HandleOutput(_machine.Guest, list, Address(ref reader));
                    return Signature.Bit(what, _machine.Memory.ReadUInt32(list)) | Signature.Bit(7, _machine.Memory.ReadUInt32(DiskPage + 12));
                }
                catch (GuestAddressException)
                {
                    // The guest's end, says the bus.
                    return Signature.Bit(what, -1);
                }

            case 4:
                return Deliver(reader.Bytes(reader.Byte()).ToArray());
            case 5:
                _machine.Poke(DiskPage, reader.Byte() % 3u);
                _machine.Poke(DiskPage + 4, reader.Half() is var sector && sector < 0x8000 ? sector : sector * 0x1_0001u);
                _machine.Poke(DiskPage + 8, (uint)reader.Half() << 8);
                break;
            case 6:
                _machine.ChangeLater(Address(ref reader), reader.Word());
                break;
        }

        return 0;
    }

    private ulong Deliver(byte[] input)
    {
        ulong happened = 0;
        _machine.Port.Inject(input);
        _machine.Link.Packets.Enqueue(input);
        foreach (IInputDevice device in _bus.Inputs)
        {
            // The console's own descriptor is silent: reading it would wait.
            if (device is DmaNet)
                device.ReadInput();
            if (device.Deliver())
                happened |= Signature.Bit((ulong)((IDmaDevice)device).Type, 1);
        }

        return happened;
    }

    private static uint Address(ref CaseReader reader)
    {
        const int marked = 0x8000;
        ushort chosen = reader.Half();
        if (chosen < marked)
            return chosen;

        // An edge, and up to 64 bytes before or after it.
        return ScriptedMachine.Near(s_edges, chosen & 0xFF, chosen >> 8);
    }

    private void WriteList(ref CaseReader reader)
    {
        uint list = Address(ref reader);
        int sections = reader.Byte() % (LguestDma.MaxSections + 1);
        for (int i = 0; i < sections; i++)
        {
            uint address = Address(ref reader);
            ushort length = reader.Half();
            _machine.Poke(list + 4 + ((uint)i * 4), address);
            _machine.Poke(list + 4 + (4 * LguestDma.MaxSections) + ((uint)i * 2), length);
        }
    }
}
