// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Devices.Backends;
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Bus;
using Lguest.Devices.Bus.Lguest;
using Lguest.Devices.Models;
using Lguest.Devices.Virtio;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>
/// A guest's descriptors, rings, chains and NOTIFY, for a disk, entropy, a network and a console on the lguest bus in both of its forms, with
/// memory that changes while they are served. Nothing beyond the guest's memory is touched (there are holes around it that nobody may
/// touch), no irq is raised that belongs to no queue, and the disk keeps its length.
/// </summary>
internal sealed class LguestBusTarget : IFuzzTarget, IHostWriteObserver
{
    private const uint Ram = 0x1_0000;
    private const uint Descriptors = 0x2_0000;
    private const uint Rings = Descriptors + Page.Size;
    private const uint RingBytes = 3 * Page.Size;
    private const int Queues = 6;
    private const uint End = Rings + (Queues * RingBytes);
    private const int Sectors = 40;
    private const int OddBytes = 100;

    private static readonly uint[] s_edges =
    [
        0, Ram, Ram - 1, Ram - 16, Descriptors, Descriptors - 1, Rings, Rings + RingBytes, End, End - 1, End - 16, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFF0, 0xFFFF_F000,
    ];

    private readonly MappedGuestMemory _memory = MappedGuestMemory.Create([new(0, Ram), new(Descriptors, End - Descriptors)]);
    private readonly ScriptedLink _link = new();
    private readonly ScriptedGuest _guest;
    private readonly string _disk;
    private readonly BlockImage _image;
    private readonly ConsolePort _port;
    private readonly Queue<(uint Address, uint Value)> _changes = [];
    private LguestBus _bus = null!;
    private VirtioDevice[] _devices = [];

    public LguestBusTarget()
    {
        _guest = new ScriptedGuest(_memory);
        _disk = new TemporaryDirectory().File("disk.img", new byte[(Sectors * BlockImage.SectorSize) + OddBytes]);
        _image = BlockImage.Open(_disk, readOnly: false);
        FileStream nowhere = new("/dev/null", FileMode.Open, FileAccess.Write);
        _port = new ConsolePort(new HostPipe().ReadEnd, (int)nowhere.SafeFileHandle.DangerousGetHandle(), TimeProvider.System);
    }

    public IEnumerable<byte[]> Seeds
    {
        get
        {
            // A request of each kind, by the numbers of Step: in both forms, before and after a reset.
            for (byte form = 0; form < 2; form++)
            {
                yield return [form, 2, 0, 2, 0, 0x10, 16, 0, 0, 0x20, 0, 2, 2, 0, 0x30, 1, 0, 2, 3, 0];
                yield return [form, 2, 1, 0, 0, 0x10, 8, 0, 2, 3, 1, 0, 2, 4, 0, 0, 2, 1, 0, 0, 0x10, 8, 0, 2, 3, 1];
                yield return [form, 2, 2, 1, 0, 0x10, 12, 0, 2, 0, 0x20, 200, 2, 2, 3, 2, 6, 60, .. new byte[60], 2, 3, 1, 0, 0x10, 12, 0, 0, 0, 0x20, 60, 0, 0, 3, 3];
                yield return [form, 2, 4, 0, 0, 0x10, 8, 0, 2, 3, 4, 6, 3, 65, 66, 67, 2, 5, 0, 0, 0x10, 8, 0, 0, 3, 5, 4, 0, 0x10];
            }

            Random random = new(20080101);
            for (int i = 0; i < 30; i++)
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
        CaseReader reader = new(bytes);
        Reset(isTyped: reader.Byte() % 2 == 1);
        Signature signature = new();
        ulong happened = 0;
        while (!reader.AtEnd)
            happened |= Step((byte)(reader.Byte() % 8), ref reader);
        signature.Add(happened);
        signature.Add(_guest.IrqSet);
        signature.AddCount(_link.SentLengths.Count);
        foreach (VirtioDevice device in _devices)
            signature.Add(device.Fault == null ? 0u : 1);
        _memory.RemoveObserver(this);
        if ((_guest.IrqSet & ~0x7EUL) != 0)
            throw new FuzzFindException($"irqs {_guest.IrqSet:x} were raised");
        if (new FileInfo(_disk).Length != (Sectors * BlockImage.SectorSize) + OddBytes)
            throw new FuzzFindException("the disk has another length");
        return signature.Value;
    }

    /// <summary>Just before the host writes: memory may become something else now.</summary>
    public void HostWrites(uint address, uint length)
    {
        if (_changes.TryDequeue(out (uint Address, uint Value) change))
            Poke(change.Address, change.Value);
    }

    private void Reset(bool isTyped)
    {
        _memory.RemoveObserver(this);
        _memory.Write(0, Ram).Clear();
        _changes.Clear();
        _link.Packets.Clear();
        _link.SentLengths.Clear();
        _port.Take(_port.Held.Length);
        VirtioFormat format = isTyped ? VirtioFormat.First : VirtioFormat.LguestBus;
        _guest.Clear();
        _bus = new LguestBus(_memory, Descriptors, isTyped);
        _devices =
        [
            new VirtioBlock(new DiskModel(_image), _memory, format),
            new VirtioEntropy(new EntropyModel(), _memory, format),
            new VirtioNet(new NetworkModel(_link) { FinishesChecksums = true }, MacAddress.OfGuest(1), _memory, format),
            new VirtioConsole(new ConsoleModel(_port), _memory, format),
        ];
        foreach (VirtioDevice device in _devices)
            _bus.Add(device);
        _bus.Connect(_guest);
        _memory.AddObserver(this);
    }

    /// <returns>What happened, as a set of bits.</returns>
    private ulong Step(byte what, ref CaseReader reader)
    {
        switch (what)
        {
            case 0:
                // A status, or any other byte of a descriptor, and the word of it.
                Notify(DescriptorOf(reader.Byte()));
                break;
            case 1:
                Poke(Address(ref reader), reader.Word());
                break;
            case 2:
                Offer(ref reader);
                break;
            case 3:
                int queue = reader.Byte() % Queues;
                Notify(Rings + ((uint)queue * RingBytes));
                return Signature.Bit(what, (uint)queue | (_memory.ReadValue<ushort>(RingOf(queue).Used + 2) == 0 ? 0 : 8u));
            case 4:
                Notify(Address(ref reader));
                break;
            case 5:
                Poke(Descriptors + (reader.Byte() * 2u), reader.Word());
                break;
            case 6:
                return Deliver(reader.Bytes(reader.Byte()).ToArray());
            case 7:
                _changes.Enqueue((Address(ref reader), reader.Word()));
                break;
        }

        return 0;
    }

    private void Notify(uint address) => _bus.TryServe(RunExit.Notify(address), out _);

    /// <summary>Where the descriptors of the four devices are; the guest may have made nonsense of them.</summary>
    private static uint DescriptorOf(byte chosen) =>
        Descriptors + (chosen % 10) switch { 0 => 0u, 1 => 57, 2 => 78, 3 => 115, 4 => 29, 5 => 42, 6 => 73, var other => (uint)other };

    /// <summary>A chain in a ring: pieces anywhere, of any length.</summary>
    private void Offer(ref CaseReader reader)
    {
        RingLayout layout = RingOf(reader.Byte() % Queues);
        int pieces = 1 + (reader.Byte() % 6);
        for (uint i = 0; i < pieces; i++)
        {
            uint entry = layout.Descriptors + (i * RingDescriptor.Size);
            Poke(entry, Address(ref reader));
            Poke(entry + 8, reader.Half());
            byte flags = reader.Byte();
            Poke(entry + 12, (flags & 6u) | (i + 1 < pieces ? 1u : 0) | ((i + 1) << 16));
            if (flags > 0xF0)
                Poke(entry + 4, flags);
        }

        ushort offered = _memory.ReadValue<ushort>(layout.Available + sizeof(ushort));
        Poke(layout.Available, ((uint)offered + 1) << 16);
    }

    private static RingLayout RingOf(int queue) => RingLayout.Contiguous(Rings + ((uint)queue * RingBytes), RingLayout.MaxSize);

    private ulong Deliver(byte[] input)
    {
        ulong happened = 0;
        _port.Inject(input);
        if (input.Length > 0)
            _link.Packets.Enqueue(input);
        foreach (IInputDevice device in _bus.Inputs)
        {
            // The console's own descriptor is silent: reading it would wait.
            if (device is VirtioNet)
                device.ReadInput();
            if (device.Deliver())
                happened |= Signature.Bit(6, device is VirtioNet ? 1 : 2);
        }

        return happened;
    }

    private static uint Address(ref CaseReader reader)
    {
        const int marked = 0xF000;
        ushort chosen = reader.Half();
        if (chosen < marked)
            return chosen < 0x8000 ? chosen : Descriptors + (chosen & 0x7FFFu);

        // An edge, and up to 64 bytes before or after it.
        int offset = (chosen >> 4) & 0x7F;
        return s_edges[(chosen & 0xF) % s_edges.Length] + (uint)(offset < 64 ? offset : offset - 128);
    }

    /// <summary>As the guest itself does: nobody is told.</summary>
    private unsafe void Poke(uint address, uint value)
    {
        if (_memory.Contains(address, sizeof(uint)))
            BinaryPrimitives.WriteUInt32LittleEndian(new Span<byte>(_memory.Base + address, sizeof(uint)), value);
    }
}
