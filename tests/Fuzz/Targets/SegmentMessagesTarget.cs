// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net.Sockets;
using Lguest.Devices;
using Lguest.Devices.Backends.Network;
using Lguest.Devices.Bus.Dma;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>
/// Messages between launchers on a shared network, from a process that has the right to be there: as a sender of packets, who
/// connects to ours, and as a receiver, to whom ours connects.
/// </summary>
internal sealed class SegmentMessagesTarget : IFuzzTarget
{
    private const int HostileSlot = 1;
    private const uint Data = 0x8000;
    private const uint Dma = 0x2000;

    private readonly TestGuest _guest = new();
    private readonly SharedSegment _place;
    private readonly string _ports;
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
    private volatile byte[] _answers = [];

    public SegmentMessagesTarget()
    {
        string lan = Path.Combine(new TemporaryDirectory().Path, "lan");
        _place = SharedSegment.Join(lan, 0);
        _ports = lan + ".ports";
        _listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(_ports, HostileSlot.ToString(CultureInfo.InvariantCulture))));
        _listener.Listen();
        new Thread(Answer) { IsBackground = true, Name = "hostile receiver" }.Start();
    }

    public IEnumerable<byte[]> Seeds
    {
        get
        {
            foreach (uint kind in (uint[])[SegmentMessage.Packet, SegmentMessage.Query, SegmentMessage.State, SegmentMessage.Report])
            {
                byte[] word = BitConverter.GetBytes(kind);
                yield return [100, 0, 3, 104, 0, .. word, .. new byte[100]];
                yield return [0, 1, 1, 4, 0, .. word, 8, 0, .. word, 0xEA, 5, 0, 0, 52, 0, .. word, .. new byte[48]];
            }
        }
    }

    public IReadOnlyList<byte[]> Words { get; } =
        [.. ((uint[])[SegmentMessage.Packet, SegmentMessage.Query, SegmentMessage.State, SegmentMessage.Report]).Select(BitConverter.GetBytes), [4, 0], [8, 0], [0, 0], [52, 0], [0xFF, 0xFF]];

    public int LongestCase => 3000;

    public ulong Run(byte[] bytes)
    {
        CaseReader reader = new(bytes);
        ushort room = reader.Half();
        byte flags = reader.Byte();
        byte[] messages = reader.Rest().ToArray();
        _answers = messages;
        Signature signature = new();
        _guest.WriteDma(Dma, (Data, room), (Data + 0x4000, (ushort)(flags * 16)));
        GuestVector vector = new();
        vector.Load(_guest.Memory, Dma, toGuest: true);
        _place.SetCapacity(room);
        using Socket sender = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            sender.Connect(new UnixDomainSocketEndPoint(Path.Combine(_ports, "0")));
            Say(sender, messages);
        }
        catch (SocketException)
        {
            // Thrown out, or no more room.
        }

        for (int i = 0; i < 8; i++)
        {
            int length = (flags & 1) != 0 && i == 0 ? _place.Discard() ? 1 : 0 : _place.Receive(vector);
            if (length < 0 || length > vector.Length && vector.Length > 0)
                throw new FuzzFindException($"{length} bytes have come into {vector.Length}");
            signature.AddCount(length);
        }

        // Every other case, since a receiver that says nothing costs the sender a wait.
        if ((flags & 2) != 0)
        {
            int arrived = _place.Send(vector, HostileSlot);
            if (arrived < 0 || arrived > vector.Length)
                throw new FuzzFindException($"{arrived} of {vector.Length} bytes have arrived");
            signature.AddCount(arrived);
        }

        signature.Add((ulong)flags & 3);
        return signature.Value;
    }

    /// <summary>Messages of a length each.</summary>
    private static void Say(Socket socket, byte[] messages)
    {
        CaseReader reader = new(messages);
        while (!reader.AtEnd)
            socket.Send(reader.Bytes(reader.Half()));
    }

    private void Answer()
    {
        while (true)
        {
            using Socket caller = _listener.Accept();
            try
            {
                byte[] answers = _answers;
                Say(caller, answers);
                caller.ReceiveTimeout = 1;
                if (answers.Length % 2 == 0)
                    caller.Receive(new byte[65536]);
            }
            catch (SocketException)
            {
                // Ours has closed it, as it should when it does not like what it hears.
            }
        }
    }
}
