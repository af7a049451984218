// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using Lguest.Devices.Native;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Network;

/// <summary>
/// A tap interface of the host: packets go through the tun driver as if they came from a network card. A packet that the guest
/// has no buffer for waits in the interface's own queue (<c>txqueuelen</c>, 1000 packets unless changed); beyond that the
/// host's kernel drops and counts it under the interface's TX dropped, where one would look for it with a real card.
/// </summary>
public sealed unsafe class TapLink : IPacketLink
{
    private const string DevicePath = "/dev/net/tun";

    /// <summary>How often somebody looks whether the bridge is still there.</summary>
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(1);

    private readonly byte[] _scratch = new byte[2048];
    private readonly string? _bridge;
    private readonly int _control;
    private long _lastLook;
    private int _fd;

    private TapLink(int fd, string name, MacAddress address, string purpose, string? bridge, int control, int headerBytes)
    {
        _fd = fd;
        HeaderBytes = headerBytes;
        _bridge = bridge;
        _control = control;
        Name = name;
        Address = address;
        Description = purpose.Length == 0 ? name : $"{name} {purpose}";
        IsAlive = true;
    }

    /// <summary>The interface's name.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public MacAddress? Address { get; }

    /// <inheritdoc/>
    public int Descriptor => _fd;

    /// <inheritdoc/>
    public int HeaderBytes { get; }

    /// <inheritdoc/>
    public bool IsAlive { get; private set; }

    /// <inheritdoc/>
    public string? Trouble => !IsAlive
        ? $"network interface '{Name}' has been deleted: the guest goes on without it"
        : IsBridgeGone() ? $"bridge '{_bridge}' has been deleted: the guest goes on without that network; packets still go to interface '{Name}'" : null;

    /// <summary>Makes a tap interface or takes an existing one, as the user asked.</summary>
    /// <param name="option">What the user wants.</param>
    /// <param name="headerBytes">Bytes of the virtio header that the guest has in front of its packets; 0: none, or one that the tun driver does not know.</param>
    /// <exception cref="DeviceException">It cannot be had; the message says why and what helps.</exception>
    public static TapLink Open(TunnetOption option, int headerBytes = 0)
    {
        int fd = OpenDevice();
        int control = -1;
        try
        {
            control = NetworkInterface.OpenControl();
            if (control < 0)
                throw new DeviceException($"no socket to configure a network with: {HostMessage.Of((HostErrno)(-control))}");
            string name = option.Kind == TunnetKind.Tap ? option.Name : "tap%d";
            if (option.Kind == TunnetKind.Tap && NetworkInterface.IndexOf(control, name, out _) != 0)
                throw new DeviceException($"there is no interface '{name}'; make it first: ip tuntap add dev {name} mode tap user $USER; ip link set {name} up");
            Check(NetworkInterface.AttachTap(fd, ref name, headerBytes), option, "attach", name);
            string purpose = string.Empty;
            switch (option.Kind)
            {
                case TunnetKind.Address:
                    Check(NetworkInterface.Configure(control, name, option.Address.GetAddressBytes(), option.Prefix), option, "address", name);
                    purpose = option.Prefix < 0 ? option.Address.ToString() : string.Create(CultureInfo.InvariantCulture, $"{option.Address}/{option.Prefix}");
                    break;
                case TunnetKind.Bridge:
                    if (NetworkInterface.IndexOf(control, option.Name, out _) != 0)
                        throw new DeviceException($"there is no bridge '{option.Name}'; make it first: ip link add {option.Name} type bridge; ip link set {option.Name} up");
                    Check(NetworkInterface.IndexOf(control, name, out int index), option, "find", name);
                    Check(NetworkInterface.AddToBridge(control, option.Name, index), option, "bridge", name);
                    purpose = "on bridge " + option.Name;
                    break;
            }

            Check(NetworkInterface.BringUp(control, name), option, "up", name);
            Span<byte> address = stackalloc byte[MacAddress.Size];
            Check(NetworkInterface.HardwareAddress(control, name, address), option, "find", name);
            bool onBridge = option.Kind == TunnetKind.Bridge;
            TapLink link = new(fd, name, MacAddress.From(address), purpose, onBridge ? option.Name : null, onBridge ? control : -1, headerBytes);
            if (onBridge)
                control = -1;
            return link;
        }
        catch
        {
            _ = close(fd);
            throw;
        }
        finally
        {
            if (control >= 0)
                _ = close(control);
        }
    }

    /// <summary>What the guest does not take unfinished the host's kernel finishes before it gives it to us.</summary>
    public void Listen(int room, bool takesUnfinished)
    {
        if (HeaderBytes > 0 && _fd >= 0)
            _ = NetworkInterface.LeaveUnfinished(_fd, takesUnfinished);
    }

    /// <inheritdoc/>
    public int Send(GuestVector packet, int port = 0)
    {
        if (!IsAlive)
            return 0;
        long written;
        fixed (iovec* sections = packet.Sections)
        {
            do
                written = VectoredCalls.writev(_fd, sections, packet.Sections.Length);
            while (written < 0 && errno == EINTR);
        }

        // EIO: the interface is down. EINVAL: too short for Ethernet. The guest sees that nothing arrived.
        if (written < 0)
            Judge((HostErrno)errno);
        return (int)Math.Max(0, written);
    }

    /// <inheritdoc/>
    public int Receive(GuestVector target)
    {
        // A buffer without a byte of room takes its packet off the queue all the same.
        if (target.Length == 0)
        {
            _ = Discard();
            return 0;
        }

        long count;
        fixed (iovec* sections = target.Sections)
        {
            do
                count = VectoredCalls.readv(_fd, sections, target.Sections.Length);
            while (count < 0 && errno == EINTR);
        }

        if (count < 0)
            Judge((HostErrno)errno);
        return (int)Math.Clamp(count, 0, target.Length);
    }

    /// <inheritdoc/>
    public bool Discard()
    {
        long count;
        fixed (byte* start = _scratch)
        {
            do
                count = read(_fd, start, _scratch.Length);
            while (count < 0 && errno == EINTR);
        }

        if (count < 0)
            Judge((HostErrno)errno);
        return count > 0;
    }

    /// <summary>Closes the interface; one that we made goes away.</summary>
    public void Dispose()
    {
        IsAlive = false;
        if (_fd >= 0)
            _ = close(_fd);
        if (_fd >= 0 && _control >= 0)
            _ = close(_control);
        _fd = -1;
    }

    /// <summary>The tun driver does not tell: a tap without its bridge is as good an interface as any.</summary>
    private bool IsBridgeGone()
    {
        if (_bridge == null || Stopwatch.GetElapsedTime(_lastLook) < LookPeriod)
            return false;
        _lastLook = Stopwatch.GetTimestamp();
        return NetworkInterface.IndexOf(_control, _bridge, out _) == ENODEV;
    }

    /// <summary>An interface that somebody deleted says EBADFD, for ever; anything else may pass.</summary>
    private void Judge(HostErrno error)
    {
        if (error is HostErrno.EBADFD or HostErrno.EBADF or HostErrno.ENODEV)
            IsAlive = false;
    }

    private static int OpenDevice()
    {
        int fd;
        fixed (byte* name = PathBytes.Of(DevicePath))
            fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
        if (fd >= 0)
            return fd;
        HostErrno error = (HostErrno)errno;
        string remedy = error switch
        {
            HostErrno.ENOENT => "; the host has no tun driver loaded: modprobe tun, or mknod it as a character device 10:200",
            HostErrno.ENODEV or HostErrno.ENXIO => "; the host's kernel has no tun driver: modprobe tun",
            HostErrno.EACCES or HostErrno.EPERM => "; ask for the right to open it (on most systems: chmod 666, it gives away nothing), or use --usernet, which needs none",
            _ => string.Empty,
        };
        throw new DeviceException($"cannot open {DevicePath}: {HostMessage.Of(error)}{remedy}");
    }

    private static void Check(int error, TunnetOption option, string step, string name)
    {
        if (error == 0)
            return;
        HostErrno what = (HostErrno)error;
        string cause = (step, what) switch
        {
            ("attach", HostErrno.EBUSY) => $"interface '{name}' is in use by another program (another guest?); each needs its own tap",
            ("attach", HostErrno.EINVAL) => $"interface '{name}' is no tap of the kind needed; make one with: ip tuntap add dev NAME mode tap user $USER",
            ("attach", HostErrno.EPERM) when option.Kind == TunnetKind.Tap => $"interface '{name}' belongs to somebody else; make one of your own: ip tuntap add dev NAME mode tap user $USER",
            ("attach", HostErrno.EPERM) => "making a tap interface needs the right to configure networks (CAP_NET_ADMIN); run as root, or have root make one for you (ip tuntap add dev tap0 mode tap user $USER) and use --tunnet=tap:tap0, or use --usernet",
            ("up", HostErrno.EPERM) => $"interface '{name}' is down, and bringing it up needs CAP_NET_ADMIN; root can: ip link set {name} up",
            ("bridge", HostErrno.EOPNOTSUPP) => $"'{option.Name}' is not a bridge",
            ("bridge", HostErrno.EPERM) => $"joining bridge '{option.Name}' needs CAP_NET_ADMIN; run as root, or have root make a tap on it for you and use --tunnet=tap:NAME",
            ("address", HostErrno.EINVAL) => $"the host does not take {option.Address} as an address of its own",
            ("address", _) => $"cannot give interface '{name}' the address {option.Address}: {HostMessage.Of(what)}",
            ("bridge", _) => $"interface '{name}' cannot join bridge '{option.Name}': {HostMessage.Of(what)}",
            _ => $"interface '{name}' cannot be set up: {HostMessage.Of(what)}",
        };
        throw new DeviceException(cause);
    }
}
