// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Network;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>The other end of a guest's wire: packets that the case brings.</summary>
internal sealed class ScriptedLink : IPacketLink
{
    private readonly HostPipe _pipe = new();
    private readonly byte[] _sent = new byte[16 * ushort.MaxValue];

    public Queue<byte[]> Packets { get; } = [];

    public int Descriptor => _pipe.ReadEnd;

    public bool IsAlive => true;

    public string Description => "a case";

    public MacAddress? Address => MacAddress.OfGuest(1);

    /// <summary>Bytes of a header in front of each packet, which is part of what is scripted and of what was sent.</summary>
    public int HeaderBytes { get; init; }

    /// <summary>What the guest's card has said of itself last.</summary>
    public (int Room, bool TakesUnfinished) Card { get; private set; }

    /// <summary>The packet that was sent last.</summary>
    public ReadOnlySpan<byte> LastSent => _sent.AsSpan(0, SentLengths[^1]);

    public void Listen(int room, bool takesUnfinished) => Card = (room, takesUnfinished);

    public int Receive(GuestVector target) => Packets.TryDequeue(out byte[]? packet) ? target.CopyFrom(packet) : 0;

    public bool Discard() => Packets.TryDequeue(out _);

    /// <summary>Bytes of each packet that was sent.</summary>
    public List<int> SentLengths { get; } = [];

    public int Send(GuestVector packet, int port)
    {
        SentLengths.Add(packet.Length);
        return packet.CopyTo(_sent);
    }

    public void Dispose() => _pipe.Dispose();
}
