// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Lguest.Devices.Native;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Network;

/// <summary>
/// Outbound networking for those who may not configure networks: <c>passt</c>, a program that turns a guest's packets into ordinary
/// sockets of the user. We start it, and talk to it over a stream on which each packet follows its length (u32, big endian): the
/// protocol that qemu's stream sockets have. It ends when our end of the socket closes, however we end.
/// </summary>
public sealed unsafe class PasstLink : IPacketLink
{
    private const string Program = "passt";
    private const int LengthSize = sizeof(uint);

    /// <summary>Bytes of a packet at most; whoever announces more has lost his place in the stream.</summary>
    private const int MaxPacket = 65535;

    /// <summary>Milliseconds for passt to make room: it is a program that may be kept waiting by a busy host.</summary>
    private const int SendPatience = 100;

    /// <summary>Handshakes at once that are helped on; whoever knocks more often is not helped.</summary>
    private const int MaxOwn = 256;

    private readonly Process _process;
    private readonly UsernetOption _option;
    private readonly Queue<byte[]> _own = new();
    private readonly byte[] _input = new byte[4 * (MaxPacket + LengthSize)];
    private readonly byte[] _rest = new byte[MaxPacket + LengthSize];
    private int _fd;
    private int _start;
    private int _end;
    private int _restStart;
    private int _restEnd;
    private bool _sentHandshake;

    private PasstLink(Process process, int fd, UsernetOption option)
    {
        _process = process;
        _option = option;
        _fd = fd;
        IsAlive = true;
        Description = string.Create(CultureInfo.InvariantCulture, $"passt, guest {option.Address}/{option.Prefix}, gateway {option.Gateway}");
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <summary>The process that passt is.</summary>
    public int ProcessId => _process.Id;

    /// <summary>What passt calls itself to the guest: we tell it to.</summary>
    public MacAddress? Address { get; } = new MacAddress(0x024C_4755_4553);

    /// <inheritdoc/>
    public int Descriptor => _fd;

    /// <inheritdoc/>
    public bool IsAlive { get; private set; }

    /// <inheritdoc/>
    public string? Trouble => IsAlive ? null : "passt has ended: the guest goes on without that network";

    /// <inheritdoc/>
    public bool HoldsPackets => _own.Count > 0;

    /// <summary>Starts passt.</summary>
    /// <exception cref="DeviceException">It is not there, or does not do what we ask.</exception>
    public static PasstLink Start(UsernetOption option)
    {
        int error = PacketSocket.MakePair(out int ours, out int childs);
        if (error < 0)
            throw new DeviceException($"no socket to talk to {Program} with: {HostMessage.Of((HostErrno)(-error))}");
        PasstLink? link = null;
        try
        {
            PacketSocket.Inherit(childs);
            Process process = Process.Start(new ProcessStartInfo(Program, Arguments(option, childs)) { RedirectStandardError = true, RedirectStandardInput = true })
                ?? throw new DeviceException($"{Program} could not be started");
            process.StandardInput.Close();
            _ = close(childs);
            childs = -1;
            link = new PasstLink(process, ours, option);

            // It checks its options before it does anything else, and says on standard error what it does not like.
            const int Patience = 300;
            if (process.WaitForExit(Patience))
                throw new DeviceException(WhyItEnded(option, LastWords(process)));
            process.ErrorDataReceived += static (_, _) => { };
            process.BeginErrorReadLine();
            return link;
        }
        catch (Win32Exception missing)
        {
            throw new DeviceException($"--usernet needs the program {Program}, and it cannot be started ({HostMessage.Of((HostErrno)missing.NativeErrorCode)}); get it with: apt install passt, dnf install passt, or from https://passt.top");
        }
        catch
        {
            link?.Dispose();
            if (link != null)
                ours = -1;
            throw;
        }
        finally
        {
            if (childs >= 0)
                _ = close(childs);
            if (link == null && ours >= 0)
                _ = close(ours);
        }
    }

    /// <summary>A sentence about what passt could not do, its own words last.</summary>
    /// <param name="option">What was asked for.</param>
    /// <param name="words">What passt said.</param>
    internal static string WhyItEnded(UsernetOption option, string words)
    {
        const int FirstOrdinaryPort = 1024;
        if (!words.Contains("Failed to bind", StringComparison.Ordinal))
            return $"--usernet: {Program} could not start; is it one of 2023 or newer? It says: {words}";

        // Its words name a forward as it was given to it.
        string forward = option.TcpForwards.Concat(option.UdpForwards).FirstOrDefault(f => words.Contains($" {f}'", StringComparison.Ordinal)) ?? "HOST:GUEST";
        string host = forward.Split(':')[0];
        string reason = int.TryParse(host, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port < FirstOrdinaryPort
            ? $"ports below {FirstOrdinaryPort} are root's, and it may be in use; forward one from {FirstOrdinaryPort} on"
            : "somebody uses it already; forward another one";
        return $"--usernet: port {host} of this machine cannot be forwarded: {reason} ({Program}: {words})";
    }

    /// <inheritdoc/>
    public void MeetGuest(MacAddress guest)
    {
        byte[] introduction = PasstHelp.Introduction(guest, _option.Address, _option.Gateway);
        byte[] pinned = GC.AllocateArray<byte>(introduction.Length, pinned: true);
        introduction.CopyTo(pinned, 0);
        GuestVector packet = new();
        packet.LoadHost(pinned, pinned.Length);
        _ = Transmit(packet);
    }

    /// <inheritdoc/>
    public int Send(GuestVector packet, int port = 0)
    {
        int length = packet.Length;
        Span<byte> header = stackalloc byte[PasstHelp.Header];
        header = header[..packet.CopyTo(header)];
        packet.Limit(PasstHelp.WithoutPadding(header, length));
        if (!Transmit(packet))
            return 0;
        if (PasstHelp.LastWordOfHandshake(header) is { } word)
        {
            _sentHandshake = true;
            if (_own.Count < MaxOwn)
                _own.Enqueue(word);
        }

        return length;
    }

    /// <inheritdoc/>
    public int Receive(GuestVector target) => TryNext(out ReadOnlySpan<byte> packet) ? target.CopyFrom(packet) : 0;

    /// <inheritdoc/>
    public bool Discard() => TryNext(out _);

    /// <summary>Ends passt.</summary>
    public void Dispose()
    {
        IsAlive = false;
        if (_fd >= 0)
            _ = close(_fd);
        _fd = -1;
        try
        {
            if (!_process.HasExited)
                _process.Kill();
        }
        catch (Exception failure) when (failure is InvalidOperationException or Win32Exception)
        {
            // It was quicker, or has become another user's (root's passt does): it ends by itself, since its socket is closed.
        }

        _process.Dispose();
    }

    private bool Transmit(GuestVector packet)
    {
        int length = packet.Length;
        if (!IsAlive || length is 0 or > MaxPacket || !FlushRest() || !WaitForHandshake())
            return false;
        uint announced = BinaryPrimitives.ReverseEndianness((uint)length);
        int whole = length + LengthSize;
        long sent;
        ReadOnlySpan<iovec> message = packet.After(&announced, LengthSize);
        fixed (iovec* parts = message)
        {
            sent = PacketSocket.Send(_fd, parts, message.Length);
            if (sent == -EAGAIN && WaitForRoom())
                sent = PacketSocket.Send(_fd, parts, message.Length);
        }

        if (sent < 0)
        {
            if (sent != -EAGAIN)
                IsAlive = false;
            return false;
        }

        // A stream may take a part of a packet; the rest has to go first next time, or nothing would be understood any more.
        if (sent < whole)
        {
            Span<byte> copy = _rest.AsSpan(0, whole);
            BinaryPrimitives.WriteUInt32BigEndian(copy, (uint)length);
            packet.CopyTo(copy[LengthSize..]);
            _restStart = (int)sent;
            _restEnd = whole;
            _ = FlushRest();
        }

        return true;
    }

    private static List<string> Arguments(UsernetOption option, int fd)
    {
        const string GuestMtu = "1500";
        List<string> arguments =
        [
            "--foreground", "--quiet", "--stderr", "--one-off", "--ipv4-only",
            "--fd", fd.ToString(CultureInfo.InvariantCulture),
            "--address", option.Address.ToString(),
            "--netmask", option.Prefix.ToString(CultureInfo.InvariantCulture),
            "--gateway", option.Gateway.ToString(),
            "--mac-addr", "02:4c:47:55:45:53",
            "--mtu", GuestMtu,
        ];
        Add(arguments, "--tcp-ports", option.TcpForwards);
        Add(arguments, "--udp-ports", option.UdpForwards);
        return arguments;
    }

    private static void Add(List<string> arguments, string option, IReadOnlyList<string> forwards)
    {
        if (forwards.Count == 0)
            return;
        arguments.Add(option);
        arguments.Add(string.Join(',', forwards));
    }

    private static string LastWords(Process process)
    {
        string[] lines = process.StandardError.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string[] telling = [.. lines.Where(l => !l.Contains("syslog", StringComparison.Ordinal))];
        return telling.Length == 0 ? string.Create(CultureInfo.InvariantCulture, $"status {process.ExitCode}") : telling[^1];
    }

    private bool TryNext(out ReadOnlySpan<byte> packet)
    {
        if (_own.TryDequeue(out byte[]? own))
        {
            packet = own;
            return true;
        }

        packet = default;
        if (!HasWhole(out int length))
        {
            Read();
            if (!HasWhole(out length))
                return false;
        }

        packet = _input.AsSpan(_start + LengthSize, length);
        _start += LengthSize + length;
        return true;
    }

    private bool HasWhole(out int length)
    {
        length = 0;
        int held = _end - _start;
        if (!IsAlive || held < LengthSize)
            return false;
        uint announced = BinaryPrimitives.ReadUInt32BigEndian(_input.AsSpan(_start));
        if (announced is 0 or > MaxPacket)
        {
            IsAlive = false;
            return false;
        }

        length = (int)announced;
        return held >= LengthSize + length;
    }

    private void Read()
    {
        if (!IsAlive)
            return;
        _input.AsSpan(_start, _end - _start).CopyTo(_input);
        _end -= _start;
        _start = 0;
        long count;
        fixed (byte* start = &_input[_end])
        {
            iovec part = new() { iov_base = start, iov_len = _input.Length - _end };
            count = PacketSocket.Receive(_fd, &part, 1);
        }

        if (count > 0)
            _end += (int)count;
        else if (count != -EAGAIN)
            IsAlive = false;
    }

    private bool FlushRest()
    {
        while (_restStart < _restEnd)
        {
            long sent;
            fixed (byte* start = &_rest[_restStart])
            {
                iovec part = new() { iov_base = start, iov_len = _restEnd - _restStart };
                sent = PacketSocket.Send(_fd, &part, 1);
            }

            if (sent == -EAGAIN && WaitForRoom())
                continue;
            if (sent < 0)
            {
                IsAlive &= sent == -EAGAIN;
                return false;
            }

            _restStart += (int)sent;
        }

        return true;
    }

    private bool WaitForRoom()
    {
        pollfd room = new() { fd = _fd, events = POLLOUT };
        return poll(&room, 1, SendPatience) > 0 && (room.revents & POLLOUT) != 0;
    }

    /// <summary>
    /// passt takes in all packets that have come, and goes round for ever when an answer to a connection has others of that
    /// connection after it (2023). So it is given the time to take it in, which is microseconds when it has nothing else to do.
    /// </summary>
    /// <returns>False when it has too much else to do: then the packet is lost, and TCP sends it again.</returns>
    private bool WaitForHandshake()
    {
        if (!_sentHandshake)
            return true;
        SpinWait spin = default;
        for (long deadline = Environment.TickCount64 + SendPatience; PacketSocket.Unread(_fd) > 0; spin.SpinOnce(sleep1Threshold: 20))
        {
            if (Environment.TickCount64 > deadline)
                return false;
        }

        _sentHandshake = false;
        return true;
    }
}
