// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Devices.Native;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Network;

/// <summary>
/// The way to one peer of a segment: a connection made when there is a packet, and made again when the peer has died and come
/// back. The kernel keeps what has been sent in a queue of our own (some 90 packets), so that neither a slow peer nor a hostile
/// one takes room from anybody else's; and a dead one's connection tells us so.
/// </summary>
/// <param name="ports">Where it listens.</param>
/// <param name="slot">Its slot.</param>
/// <param name="waitForHello">Waits for a word on a new connection, milliseconds at most.</param>
/// <param name="budget">What the peers of a segment may cost their sender, all together.</param>
internal sealed unsafe class SegmentPeer(SegmentPorts ports, int slot, Action<int, int> waitForHello, WaitBudget budget) : IDisposable
{
    /// <summary>
    /// Milliseconds for the word with which a launcher greets, which one that runs says within a few hundred instructions. Who is
    /// slower gets packets unmeasured until it speaks.
    /// </summary>
    private const int HelloPatience = 2;

    /// <summary>
    /// The second chance of a receiver that has no room: milliseconds that the sender waits, once. One that does not use it gets
    /// no other until it has taken something: a dead weight must not slow down the sender's guest with every packet.
    /// </summary>
    private const int SecondChance = 2;

    /// <summary>Pause before trying to connect again to somebody who answers the door and does not speak.</summary>
    private static readonly TimeSpan Sulking = TimeSpan.FromSeconds(1);

    /// <summary>One that has not said a word by then gets nothing more before it does: hundreds of the kind would cost a call each.</summary>
    private static readonly TimeSpan Deaf = TimeSpan.FromMilliseconds(50);

    /// <summary>How often somebody listens whether it does.</summary>
    private static readonly TimeSpan LookPeriod = TimeSpan.FromMilliseconds(20);

    private int _fd = -1;
    private int _capacity = -1;
    private bool _stalled;
    private bool _silent;
    private long _notBefore;
    private long _connected;
    private long _lastLook;

    /// <summary>Sends a packet.</summary>
    /// <returns>Bytes that the peer's guest gets of it: 0 when it is not there, has nothing bound, or has no room.</returns>
    public int Send(GuestVector packet)
    {
        // One more try: the connection may be to the slot's last owner.
        for (int attempt = 0; attempt < 2; attempt++)
        {
            if (_fd < 0 && !Connect())
                return 0;
            if (IsDeaf())
                return 0;
            Listen();
            if (_fd < 0)
                continue;
            if (_capacity == 0)
                return 0;
            long sent = Transmit(packet);
            if (sent == -EAGAIN)
            {
                _stalled = true;
                return 0;
            }

            if (sent >= sizeof(uint))
            {
                _stalled = false;
                int length = (int)sent - sizeof(uint);
                return _capacity < 0 ? length : Math.Min(length, _capacity);
            }

            Dispose();
        }

        return 0;
    }

    /// <summary>Closes the connection; the next packet makes another.</summary>
    public void Dispose()
    {
        if (_fd >= 0)
            _ = close(_fd);
        _fd = -1;
        _capacity = -1;
    }

    private bool Connect()
    {
        long now = Stopwatch.GetTimestamp();
        if (now < _notBefore)
            return false;
        _fd = ports.Connect(slot);
        if (_fd < 0)
        {
            // Nobody there, and finding that out is cheap. Or too many wait at its door: then it takes nobody in.
            if (_fd == -EAGAIN)
                _notBefore = now + (long)(Sulking.TotalSeconds * Stopwatch.Frequency);
            _fd = -1;
            return false;
        }

        _stalled = false;
        _connected = _lastLook = Stopwatch.GetTimestamp();
        int patience = _silent ? 0 : budget.Grant(HelloPatience);
        if (patience > 0)
            waitForHello(_fd, patience);
        Listen();
        if (patience > 0)
            budget.Spend(patience, inVain: _capacity < 0);
        if (_capacity < 0)
        {
            // Busy, or hostile. If it is still connected, packets may go there unmeasured; else it has to be left alone. One who
            // was waited for in vain is not waited for again before it has spoken.
            _silent |= patience > 0;
            _notBefore = now + (long)(Sulking.TotalSeconds * Stopwatch.Frequency);
        }

        return _fd >= 0;
    }

    private bool IsDeaf()
    {
        if (_capacity >= 0 || Stopwatch.GetElapsedTime(_connected) < Deaf)
            return false;
        if (Stopwatch.GetElapsedTime(_lastLook) < LookPeriod)
            return true;
        _lastLook = Stopwatch.GetTimestamp();
        Listen();
        return _fd >= 0 && _capacity < 0;
    }

    /// <summary>Takes what the peer has to say: its latest state counts.</summary>
    private void Listen()
    {
        const int Enough = 16;
        uint* words = stackalloc uint[2];
        iovec part = new() { iov_base = words, iov_len = 2 * sizeof(uint) };
        for (int i = 0; i < Enough && _fd >= 0; i++)
        {
            long count = PacketSocket.Receive(_fd, &part, 1);
            if (count == -EAGAIN)
                return;
            if (count == 2 * sizeof(uint) && words[0] == SegmentMessage.State)
                Hear(words[1]);
            else
                Dispose();
        }
    }

    private void Hear(uint capacity)
    {
        _capacity = (int)Math.Min(capacity, (uint)SegmentMessage.MaxPacket);
        _silent = false;
    }

    private long Transmit(GuestVector packet)
    {
        uint kind = SegmentMessage.Packet;
        ReadOnlySpan<iovec> message = packet.After(&kind, sizeof(uint));
        fixed (iovec* parts = message)
        {
            long sent = PacketSocket.Send(_fd, parts, message.Length);
            if (sent != -EAGAIN || _stalled || _silent)
                return sent;
            int patience = budget.Grant(SecondChance);
            if (patience == 0)
                return sent;
            pollfd room = new() { fd = _fd, events = POLLOUT };
            bool hasRoom = poll(&room, 1, patience) > 0;
            budget.Spend(patience, inVain: !hasRoom);
            return hasRoom ? PacketSocket.Send(_fd, parts, message.Length) : sent;
        }
    }
}
