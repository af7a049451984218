// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Lguest.Devices.Native;
using Lguest.GuestAbi;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Network;

/// <summary>
/// Our place on a segment: the slot, the socket that the other launchers send packets to, and the connections to them. It lives
/// as long as the launcher; a guest that restarts finds it again.
/// </summary>
/// <remarks>
/// Every peer has a connection of its own and they are served in turn, a packet each: one that floods us delays the others by a
/// packet and takes none of their room. Memory is never shared but for the page of the ABI. Used by one thread.
/// </remarks>
public sealed unsafe class SharedSegment : IPacketLink
{
    /// <summary>Connections at most: one per slot, and some for onlookers.</summary>
    private const int MaxConnections = NetPage.Slots + 32;

    /// <summary>Of one process: as many as a guest has devices. A process that wants all of them gets no more.</summary>
    private const int MaxOfProcess = 16;

    /// <summary>Messages other than packets that are looked at in one go.</summary>
    private const int MaxChatter = 64;

    /// <summary>
    /// The segments of this thread: a guest may have two devices on one, or on two, and while one waits for an answer it may be
    /// the other that has to give it.
    /// </summary>
    [ThreadStatic]
    private static List<SharedSegment>? t_neighbours;

    private readonly SegmentFile _file;
    private readonly SegmentPorts _ports;
    private readonly int _listener;
    private readonly EpollSet _arrivals;
    private readonly int _watch;
    private readonly SegmentPeer?[] _peers = new SegmentPeer?[NetPage.Slots];
    private readonly WaitBudget _budget = new(TimeProvider.System);
    private readonly Dictionary<int, int> _connections = [];
    private readonly GuestVector _nowhere = new();
    private uint _capacity;
    private bool _closed;

    private SharedSegment(SegmentFile file, SegmentPorts ports, int listener, byte freeSlot)
    {
        _file = file;
        _ports = ports;
        _listener = listener;
        FreeSlot = freeSlot;
        _arrivals = EpollSet.Create(out int error) ?? throw new DeviceException($"cannot watch the network '{file.Path}': {HostMessage.Of((HostErrno)error)}");
        _arrivals.Add(listener);

        // Without a watch (a host may have used up its inotify instances) nobody is told, and nothing else is lost.
        _watch = FileWatch.Open(file.Self);
        if (_watch >= 0)
            _arrivals.Add(_watch);
        (t_neighbours ??= []).Add(this);
    }

    /// <summary>The network file.</summary>
    public SegmentFile Page => _file;

    /// <summary>Where its launchers meet.</summary>
    public SegmentPorts Ports => _ports;

    /// <summary>The byte of which a free slot consists.</summary>
    public byte FreeSlot { get; }

    /// <inheritdoc/>
    public string Description => string.Create(CultureInfo.InvariantCulture, $"shared {_file.Path}, slot {_file.Slot}");

    /// <inheritdoc/>
    public string? Trouble => IsCut
        ? $"somebody has cut network file '{_file.Path}' short: the guest goes on without that network; end all guests on it, remove the file, and start them again"
        : null;

    /// <summary>What goes through.</summary>
    public NetCounters Counters { get; } = new();

    /// <summary>What peers have cost our guest so far.</summary>
    internal TimeSpan Waited => _budget.Waited;

    /// <inheritdoc/>
    public int Descriptor => _arrivals.Descriptor;

    /// <inheritdoc/>
    public bool IsAlive => !_closed && !IsCut;

    /// <summary>
    /// Somebody has cut the file short. The guest finds its page empty (whoever maps it sees to that), peers find theirs empty
    /// too, and there is no way back to a network for those who were on it.
    /// </summary>
    public bool IsCut { get; private set; }

    /// <summary>Joins the segment of a file.</summary>
    /// <param name="path">The file; it is made if it is not there.</param>
    /// <param name="freeSlot">The byte of which a free slot consists, in the guest's generation.</param>
    /// <exception cref="DeviceException">That cannot be done; the message says why.</exception>
    public static SharedSegment Join(string path, byte freeSlot)
    {
        SegmentFile file = SegmentFile.Join(path, freeSlot);
        SegmentPorts? ports = null;
        int listener = -1;
        try
        {
            file.Exclusively(() =>
            {
                ports = SegmentPorts.Open(file, create: true);
                listener = ports.Listen(file.Slot);
            });
            return new SharedSegment(file, ports!, listener, freeSlot);
        }
        catch
        {
            if (listener >= 0)
                _ = close(listener);
            ports?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>Sends a packet to the guest in a slot.</summary>
    /// <returns>Bytes that arrive there.</returns>
    public int Send(GuestVector packet, int slot)
    {
        // Nobody sends to himself: the genuine hypervisor looks for other guests only.
        int arrived = 0;
        if (slot != _file.Slot && packet.Length is > 0 and <= SegmentMessage.MaxPacket && IsAlive)
            arrived = (_peers[slot] ??= new SegmentPeer(_ports, slot, WaitForHello, _budget)).Send(packet);
        Counters.CountSent(arrived);
        return arrived;
    }

    /// <summary>Tells everybody how much our guest's buffers hold; 0: there are none.</summary>
    public void SetCapacity(uint bytes)
    {
        if (_capacity == bytes)
            return;
        _capacity = bytes;
        foreach (int connection in _connections.Keys.ToArray())
            SayState(connection);
    }

    /// <inheritdoc/>
    public int Receive(GuestVector target) => TryTake(target, out int length) ? length : 0;

    /// <inheritdoc/>
    public bool Discard()
    {
        _nowhere.Clear();
        return TryTake(_nowhere, out _);
    }

    /// <summary>Leaves: the slot is empty and free, the socket is gone.</summary>
    public void Dispose()
    {
        if (_closed)
            return;
        _closed = true;
        t_neighbours?.Remove(this);
        foreach (SegmentPeer? peer in _peers)
            peer?.Dispose();
        foreach (int connection in _connections.Keys)
            _ = close(connection);
        _ = close(_listener);
        _arrivals.Dispose();
        if (_watch >= 0)
            _ = close(_watch);
        try
        {
            _file.ClearSlot(_file.Slot, FreeSlot);
            _file.Exclusively(() => _ports.Remove(_file.Slot, _file.IsAlone));
        }
        catch (DeviceException)
        {
            // The socket stays behind, as after a crash: the slot's next owner replaces it.
        }

        _ports.Dispose();
        _file.Dispose();
    }

    /// <summary>Takes the next packet of the next peer.</summary>
    private bool TryTake(GuestVector target, out int length)
    {
        length = 0;
        for (int chatter = 0; chatter < MaxChatter && IsAlive; chatter++)
        {
            if (!_arrivals.TryNext(out int fd))
                return false;
            if (fd == _listener)
            {
                AcceptAll();
                continue;
            }

            if (fd == _watch)
            {
                FileWatch.Drain(_watch);
                IsCut = !_file.IsWhole;
                continue;
            }

            // Unless it was closed in this same round.
            if (_connections.ContainsKey(fd))
            {
                length = ReceiveFrom(fd, target);
                if (length >= 0)
                    return true;
            }
        }

        length = 0;
        return false;
    }

    /// <returns>Bytes of a packet, or negative: it was something else.</returns>
    private int ReceiveFrom(int fd, GuestVector target)
    {
        uint kind = 0;
        long count;
        ReadOnlySpan<iovec> message = target.After(&kind, sizeof(uint));
        fixed (iovec* parts = message)
            count = PacketSocket.Receive(fd, parts, message.Length);

        if (count == -EAGAIN)
            return -1;

        // A packet without a byte is none, unless there was no room for any.
        if (kind == SegmentMessage.Packet && (count > sizeof(uint) || (count == sizeof(uint) && target.Length == 0)))
            return (int)count - sizeof(uint);
        if (count == sizeof(uint) && kind == SegmentMessage.Query)
            SayReport(fd);
        else
            Close(fd);
        return -1;
    }

    private void AcceptAll()
    {
        for (int i = 0; i < NetPage.Slots; i++)
        {
            int fd = PacketSocket.Accept(_listener);
            if (fd < 0)
                return;
            int process = PacketSocket.PeerProcess(fd);
            if (!_ports.Admits(fd) || _connections.Count >= MaxConnections || _connections.Values.Count(p => p == process) >= MaxOfProcess)
            {
                _ = close(fd);
                continue;
            }

            _connections.Add(fd, process);
            _arrivals.Add(fd);
            SayState(fd);
        }
    }

    /// <summary>Waits for a word from somebody we have connected to, and meanwhile answers whoever connects to us.</summary>
    private void WaitForHello(int fd, int patience)
    {
        long start = Stopwatch.GetTimestamp();
        List<SharedSegment> doors = t_neighbours ?? [];
        pollfd[] fds = [.. doors.Select(d => new pollfd { fd = d._listener, events = POLLIN }), new pollfd { fd = fd, events = POLLIN }];
        while (true)
        {
            // Looks once even when the time is over: on a busy host it may be over before we get here.
            double left = Math.Max(0, patience - Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            int ready;
            fixed (pollfd* all = fds)
                ready = poll(all, (uint)fds.Length, (int)Math.Ceiling(left));

            // A signal.
            if (ready < 0 && left > 0)
                continue;
            if (ready <= 0 || fds[^1].revents != 0)
                return;
            foreach (SharedSegment door in doors)
                door.AcceptAll();
        }
    }

    private void SayState(int fd)
    {
        uint* words = stackalloc uint[2] { SegmentMessage.State, _capacity };
        Say(fd, words, 2 * sizeof(uint));
    }

    private void SayReport(int fd)
    {
        byte* bytes = stackalloc byte[sizeof(uint) + sizeof(SegmentReport)];
        *(uint*)bytes = SegmentMessage.Report;
        SegmentReport report = new()
        {
            Received = Counters.Received,
            ReceivedBytes = Counters.ReceivedBytes,
            ReceiveDrops = Counters.ReceiveDrops,
            Sent = Counters.Sent,
            SentBytes = Counters.SentBytes,
            SendDrops = Counters.SendDrops,
        };
        Unsafe.WriteUnaligned(bytes + sizeof(uint), report);
        Say(fd, bytes, (uint)(sizeof(uint) + sizeof(SegmentReport)));
    }

    /// <summary>Whoever does not take what we say is not listening, and has to connect again when he is.</summary>
    private void Say(int fd, void* words, uint length)
    {
        iovec part = new() { iov_base = words, iov_len = length };
        if (PacketSocket.Send(fd, &part, 1) != length)
            Close(fd);
    }

    private void Close(int fd)
    {
        _connections.Remove(fd);
        _ = close(fd);
    }
}
