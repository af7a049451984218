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
internal sealed class DmaTarget : IFuzzTarget, IHostWriteObserver
{
    private const uint Ram = 0x1_0000;
    private const uint HighBank = 0x2_0000;
    private const uint Descriptors = 0x4_0000;
    private const uint DiskPage = Descriptors + Page.Size;
    private const uint NetworkPage = DiskPage + Page.Size;
    private const int Sectors = 40;
    private const int OddBytes = 100;

    private static readonly uint[] s_edges =
    [
        0, Ram, Ram - 1, Ram - 4, Ram - 100, HighBank, HighBank - 1, HighBank + 0x4000, HighBank + 0x3FFC, Descriptors, DiskPage, DiskPage + 8, NetworkPage, NetworkPage + Page.Size, NetworkPage + 0xFFC,
        0x4000_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FF9C, 0xFFFF_F000,
    ];

    private readonly MappedGuestMemory _memory = MappedGuestMemory.Create([new(0, Ram), new(HighBank, 0x4000), new(Descriptors, 3 * Page.Size)]);
    private readonly ScriptedLink _link = new();
    private readonly ScriptedGuest _guest;
    private readonly string _disk;
    private readonly BlockImage _image;
    private readonly DmaBus _bus;
    private readonly ConsolePort _port;
    private readonly Queue<(uint Address, uint Value)> _changes = [];
    private readonly byte[] _clean;

    public DmaTarget()
    {
        _guest = new ScriptedGuest(_memory);
        _disk = new TemporaryDirectory().File("disk.img", new byte[(Sectors * BlockPage.SectorSize) + OddBytes]);
        _image = BlockImage.Open(_disk, readOnly: false);
        FileStream nowhere = new("/dev/null", FileMode.Open, FileAccess.Write);
        _port = new ConsolePort(new HostPipe().ReadEnd, (int)nowhere.SafeFileHandle.DangerousGetHandle(), TimeProvider.System);
        _bus = new DmaBus(_memory, Descriptors);
        _bus.Add(new DmaDisk(new DiskModel(_image)));
        _bus.Add(DmaNet.OnWire(new NetworkModel(_link) { FinishesChecksums = true }, MacAddress.OfGuest(1)));
        _bus.Add(new DmaConsole(new ConsoleModel(_port), 0));
        _bus.Connect(_guest);
        _clean = _memory.Read(Descriptors, 3 * Page.Size).ToArray();
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
            Random random = new(20071109);
            for (int i = 0; i < 20; i++)
            {
                byte[] noise = new byte[200];
                random.NextBytes(noise);
                yield return noise;
            }
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
        signature.AddCount(_guest.Irqs);
        signature.AddCount(_port.BytesWritten);
        _memory.RemoveObserver(this);
        if (new FileInfo(_disk).Length != (Sectors * BlockPage.SectorSize) + OddBytes)
            throw new FuzzFindException("the disk has another length");
        return signature.Value;
    }

    /// <summary>Just before the host writes: memory may become something else now.</summary>
    public void HostWrites(uint address, uint length)
    {
        if (_changes.TryDequeue(out (uint Address, uint Value) change))
            Poke(change.Address, change.Value);
    }

    private void Reset()
    {
        _memory.RemoveObserver(this);
        _memory.Write(0, Ram).Clear();
        _clean.CopyTo(_memory.Write(Descriptors, (uint)_clean.Length));
        _guest.Clear();
        _changes.Clear();
        _link.Packets.Clear();
        _link.SentLengths.Clear();
        _port.Take(_port.Held.Length);
        _memory.AddObserver(this);
    }

    /// <returns>What happened, as a set of bits.</returns>
    private ulong Step(byte what, ref CaseReader reader)
    {
        switch (what)
        {
            case 0:
                Poke(Address(ref reader), reader.Word());
                break;
            case 1:
                WriteList(ref reader);
                break;
            case 2:
                _guest.Bind(Address(ref reader), new DmaBinding(Address(ref reader), reader.Byte(), reader.Byte()));
                break;
            case 3:
                try
                {
                    uint list = Address(ref reader);
                    _bus.HandleOutput(_guest, list, Address(ref reader));
                    return Signature.Bit(what, _memory.ReadUInt32(list)) | Signature.Bit(7, _memory.ReadUInt32(DiskPage + 12));
                }
                catch (GuestAddressException)
                {
                    // The guest's end, says the bus.
                    return Signature.Bit(what, -1);
                }

            case 4:
                return Deliver(reader.Bytes(reader.Byte()).ToArray());
            case 5:
                Poke(DiskPage, reader.Byte() % 3u);
                Poke(DiskPage + 4, reader.Half() is var sector && sector < 0x8000 ? sector : sector * 0x1_0001u);
                Poke(DiskPage + 8, (uint)reader.Half() << 8);
                break;
            case 6:
                _changes.Enqueue((Address(ref reader), reader.Word()));
                break;
        }

        return 0;
    }

    private ulong Deliver(byte[] input)
    {
        ulong happened = 0;
        _port.Inject(input);
        _link.Packets.Enqueue(input);
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
        int offset = (chosen >> 8) & 0x7F;
        return s_edges[(chosen & 0xFF) % s_edges.Length] + (uint)(offset < 64 ? offset : offset - 128);
    }

    private void WriteList(ref CaseReader reader)
    {
        uint list = Address(ref reader);
        int sections = reader.Byte() % (LguestDma.MaxSections + 1);
        for (int i = 0; i < sections; i++)
        {
            uint address = Address(ref reader);
            ushort length = reader.Half();
            Poke(list + 4 + ((uint)i * 4), address);
            Poke(list + 4 + (4 * LguestDma.MaxSections) + ((uint)i * 2), length);
        }
    }

    /// <summary>As the guest itself or another process does: nobody is told.</summary>
    private unsafe void Poke(uint address, uint value)
    {
        if (_memory.Contains(address, sizeof(uint)))
            BinaryPrimitives.WriteUInt32LittleEndian(new Span<byte>(_memory.Base + address, sizeof(uint)), value);
    }
}
