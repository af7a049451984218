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
internal sealed class LguestBusTarget : IFuzzTarget
{
    private const uint Ram = ScriptedMachine.Ram;
    private const uint Descriptors = 0x2_0000;
    private const uint Rings = Descriptors + Page.Size;
    private const uint RingBytes = 3 * Page.Size;
    private const int Queues = 6;
    private const uint End = Rings + (Queues * RingBytes);

    private static readonly uint[] s_edges =
    [
        0, Ram, Ram - 1, Ram - 16, Descriptors, Descriptors - 1, Rings, Rings + RingBytes, End, End - 1, End - 16, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFF0, 0xFFFF_F000,
    ];

    private readonly ScriptedMachine _machine = new(new MemoryRange(Descriptors, End - Descriptors));
    private LguestBus _bus = null!;
    private VirtioDevice[] _devices = [];

    public LguestBusTarget()
    {
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

            foreach (byte[] noise in ScriptedMachine.Noise(20080101, 30))
                yield return noise;
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
        signature.Add(_machine.Guest.IrqSet);
        signature.AddCount(_machine.Link.SentLengths.Count);
        foreach (VirtioDevice device in _devices)
            signature.Add(device.Fault == null ? 0u : 1);
        _machine.End();
        if ((_machine.Guest.IrqSet & ~0x7EUL) != 0)
            throw new FuzzFindException($"irqs {_machine.Guest.IrqSet:x} were raised");
        return signature.Value;
    }

    private void Reset(bool isTyped)
    {
        _machine.Clear();
        VirtioFormat format = isTyped ? VirtioFormat.First : VirtioFormat.LguestBus;
        _bus = new LguestBus(_machine.Memory, Descriptors, isTyped);
        _devices =
        [
            new VirtioBlock(new DiskModel(_machine.Image), _machine.Memory, format),
            new VirtioEntropy(new EntropyModel(), _machine.Memory, format),
            new VirtioNet(new NetworkModel(_machine.Link) { FinishesChecksums = true }, MacAddress.OfGuest(1), _machine.Memory, format),
            new VirtioConsole(new ConsoleModel(_machine.Port), _machine.Memory, format),
        ];
        foreach (VirtioDevice device in _devices)
            _bus.Add(device);
        _bus.Connect(_machine.Guest);
        _machine.Begin();
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
                _machine.Poke(Address(ref reader), reader.Word());
                break;
            case 2:
                RingLayout layout = RingOf(reader.Byte() % Queues);
                _machine.Offer(ref reader, layout, Address);
                break;
            case 3:
                int queue = reader.Byte() % Queues;
                Notify(Rings + ((uint)queue * RingBytes));
                return Signature.Bit(what, (uint)queue | (_machine.Memory.ReadValue<ushort>(RingOf(queue).Used + 2) == 0 ? 0 : 8u));
            case 4:
                Notify(Address(ref reader));
                break;
            case 5:
                _machine.Poke(Descriptors + (reader.Byte() * 2u), reader.Word());
                break;
            case 6:
                return _machine.Deliver(reader.Bytes(reader.Byte()).ToArray(), _bus);
            case 7:
                _machine.ChangeLater(Address(ref reader), reader.Word());
                break;
        }

        return 0;
    }

    private void Notify(uint address) => _bus.TryServe(RunExit.Notify(address), out _);

    /// <summary>Where the descriptors of the four devices are; the guest may have made nonsense of them.</summary>
    private static uint DescriptorOf(byte chosen) =>
        Descriptors + (chosen % 10) switch { 0 => 0u, 1 => 57, 2 => 78, 3 => 115, 4 => 29, 5 => 42, 6 => 73, var other => (uint)other };

    private static RingLayout RingOf(int queue) => RingLayout.Contiguous(Rings + ((uint)queue * RingBytes), RingLayout.MaxSize);

    private static uint Address(ref CaseReader reader)
    {
        const int marked = 0xF000;
        ushort chosen = reader.Half();
        if (chosen < marked)
            return chosen < 0x8000 ? chosen : Descriptors + (chosen & 0x7FFFu);

        // An edge, and up to 64 bytes before or after it.
        return ScriptedMachine.Near(s_edges, chosen & 0xF, chosen >> 4);
    }
}
