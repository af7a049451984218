// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Devices.Backends;
using Lguest.Devices.Bus;
using Lguest.Devices.Virtio;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>
/// What a case finds around the bus that it tries: memory with holes around it that nobody may touch and that changes while devices are
/// served, a guest without an engine, and what a disk, a network and a console have on the host's side.
/// </summary>
internal sealed class ScriptedMachine : IHostWriteObserver
{
    /// <summary>Bytes of memory from address 0 on.</summary>
    public const uint Ram = 0x1_0000;

    private const int Sectors = 40;
    private const int OddBytes = 100;
    private const int DiskBytes = (Sectors * BlockImage.SectorSize) + OddBytes;

    private readonly string _disk;
    private readonly Queue<(uint Address, uint Value)> _changes = [];

    /// <summary>A machine with RAM, and memory elsewhere.</summary>
    public ScriptedMachine(params MemoryRange[] elsewhere)
    {
        Memory = MappedGuestMemory.Create([new(0, Ram), .. elsewhere]);
        Guest = new ScriptedGuest(Memory);
        _disk = new TemporaryDirectory().File("disk.img", new byte[DiskBytes]);
        Image = BlockImage.Open(_disk, readOnly: false);
        FileStream nowhere = new("/dev/null", FileMode.Open, FileAccess.Write);
        Port = new ConsolePort(new HostPipe().ReadEnd, (int)nowhere.SafeFileHandle.DangerousGetHandle(), TimeProvider.System);
    }

    /// <summary>An address as a case gives it.</summary>
    public delegate uint AddressReader(ref CaseReader reader);

    public MappedGuestMemory Memory { get; }

    public ScriptedGuest Guest { get; }

    public ScriptedLink Link { get; } = new();

    public BlockImage Image { get; }

    public ConsolePort Port { get; }

    /// <summary>Cases of random bytes.</summary>
    public static IEnumerable<byte[]> Noise(int seed, int count)
    {
        Random random = new(seed);
        for (int i = 0; i < count; i++)
        {
            byte[] noise = new byte[200];
            random.NextBytes(noise);
            yield return noise;
        }
    }

    /// <summary>One of some addresses, or one up to 64 bytes before or after it.</summary>
    /// <param name="edges">The addresses.</param>
    /// <param name="edge">Which.</param>
    /// <param name="distance">7 bits.</param>
    public static uint Near(ReadOnlySpan<uint> edges, int edge, int distance)
    {
        int offset = distance & 0x7F;
        return edges[edge % edges.Length] + (uint)(offset < 64 ? offset : offset - 128);
    }

    /// <summary>Forgets the last case. Memory does not change until <see cref="Begin"/>.</summary>
    public void Clear()
    {
        Memory.RemoveObserver(this);
        Memory.Write(0, Ram).Clear();
        Guest.Clear();
        _changes.Clear();
        Link.Packets.Clear();
        Link.SentLengths.Clear();
        Port.Take(Port.Held.Length);
    }

    public void Begin() => Memory.AddObserver(this);

    /// <summary>Ends a case.</summary>
    /// <exception cref="FuzzFindException">The disk is not as long as it was.</exception>
    public void End()
    {
        Memory.RemoveObserver(this);
        if (new FileInfo(_disk).Length != DiskBytes)
            throw new FuzzFindException("the disk has another length");
    }

    /// <summary>Just before the host writes: memory may become something else now.</summary>
    public void HostWrites(uint address, uint length)
    {
        if (_changes.TryDequeue(out (uint Address, uint Value) change))
            Poke(change.Address, change.Value);
    }

    /// <summary>A word of memory that changes when the host next writes.</summary>
    public void ChangeLater(uint address, uint value) => _changes.Enqueue((address, value));

    /// <summary>As the guest itself or another process does: nobody is told.</summary>
    public unsafe void Poke(uint address, uint value)
    {
        if (Memory.Contains(address, sizeof(uint)))
            BinaryPrimitives.WriteUInt32LittleEndian(new Span<byte>(Memory.Base + address, sizeof(uint)), value);
    }

    /// <summary>A chain in a ring: pieces anywhere, of any length.</summary>
    public void Offer(ref CaseReader reader, RingLayout layout, AddressReader address)
    {
        int pieces = 1 + (reader.Byte() % 6);
        for (uint i = 0; i < pieces; i++)
        {
            uint entry = layout.Descriptors + (i * RingDescriptor.Size);
            Poke(entry, address(ref reader));
            Poke(entry + 8, reader.Half());
            byte flags = reader.Byte();
            Poke(entry + 12, (flags & 6u) | (i + 1 < pieces ? 1u : 0) | ((i + 1) << 16));
            if (flags > 0xF0)
                Poke(entry + 4, flags);
        }

        ushort offered = Memory.ReadValue<ushort>(layout.Available + sizeof(ushort));
        Poke(layout.Available, ((uint)offered + 1) << 16);
    }

    /// <summary>Input for devices with rings: the same is typed, and comes as a packet.</summary>
    /// <returns>What happened, as a set of bits.</returns>
    public ulong Deliver(byte[] input, IGuestBus bus)
    {
        ulong happened = 0;
        Port.Inject(input);
        if (input.Length > 0)
            Link.Packets.Enqueue(input);
        foreach (IInputDevice device in bus.Inputs)
        {
            // The console's own descriptor is silent: reading it would wait.
            if (device is VirtioNet)
                device.ReadInput();
            if (device.Deliver())
                happened |= Signature.Bit(6, device is VirtioNet ? 1 : 2);
        }

        return happened;
    }
}
