// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Lguest.Devices;
using Lguest.Inspect.Common;

namespace Lguest.Inspect.Sockets;

/// <summary>
/// Where somebody may connect: a TCP address or a Unix socket. A debugger can do anything to a guest, so nothing is reachable
/// from other machines unless the address says so by name.
/// </summary>
/// <param name="EndPoint">For the socket.</param>
/// <param name="Path">The Unix socket's file; null for TCP.</param>
public sealed record SocketAddress(EndPoint EndPoint, string? Path)
{
    private const string UnixPrefix = "unix:";
    private const int Backlog = 128;

    /// <summary>Understands <c>HOST:PORT</c>, <c>PORT</c> (of this machine only), or <c>unix:PATH</c>.</summary>
    /// <param name="option">The option's name, for messages.</param>
    /// <param name="text">What stands behind it.</param>
    /// <param name="defaultPort">The port when the text is empty.</param>
    /// <exception cref="InspectException">It is none of them.</exception>
    public static SocketAddress Parse(string option, string text, int defaultPort)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
            return Unix(option, text[UnixPrefix.Length..]);
        if (text.Length == 0)
            return new SocketAddress(new IPEndPoint(IPAddress.Loopback, defaultPort), null);
        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? string.Empty : text[..colon].Trim('[', ']');
        if (!ushort.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
            throw new InspectException($"--{option}={text} is no address; write HOST:PORT, a PORT of this machine, or unix:PATH");
        if (host.Length == 0 || host == "localhost")
            return new SocketAddress(new IPEndPoint(IPAddress.Loopback, port), null);
        if (IPAddress.TryParse(host, out IPAddress? address))
            return new SocketAddress(new IPEndPoint(address, port), null);
        throw new InspectException($"--{option}={text}: '{host}' is no IP address; give the number, as in 127.0.0.1:{port}");
    }

    /// <summary>Understands <c>unix:PATH</c> only.</summary>
    /// <exception cref="InspectException">It is none.</exception>
    public static SocketAddress ParseUnix(string option, string text) =>
        text.StartsWith(UnixPrefix, StringComparison.Ordinal)
            ? Unix(option, text[UnixPrefix.Length..])
            : throw new InspectException($"--{option}={text} is no Unix socket; write unix:PATH");

    /// <summary>Starts to listen. Of what there may be of the name of a Unix socket, only a socket that nobody listens at is replaced.</summary>
    /// <exception cref="InspectException">The address cannot be had.</exception>
    public Listener Listen(string option)
    {
        try
        {
            // Whoever can connect owns the guest: nobody but the user.
            if (Path != null && SocketFile.Listen(Path) is var file)
                return new Listener(new Socket(new SafeSocketHandle(file.Descriptor, ownsHandle: true)), file);
        }
        catch (DeviceException failure)
        {
            throw new InspectException($"--{option}: {failure.Message}");
        }

        Socket? socket = null;
        try
        {
            socket = new Socket(EndPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(EndPoint);
            socket.Listen(Backlog);
            return new Listener(socket, null);
        }
        catch (SocketException failure)
        {
            socket?.Dispose();
            throw new InspectException($"--{option}: cannot listen at {this}: {Why(failure.SocketErrorCode)}");
        }
    }

    /// <summary>As the user would write it.</summary>
    public override string ToString() => Path == null ? EndPoint.ToString()! : UnixPrefix + Path;

    private static SocketAddress Unix(string option, string path)
    {
        try
        {
            return new SocketAddress(new UnixDomainSocketEndPoint(path), path);
        }
        catch (ArgumentException)
        {
            throw new InspectException($"--{option}=unix:{path}: a Unix socket's path has 1 to 107 bytes");
        }
    }

    private static string Why(SocketError error) => HostMessage.ErrnoOf(error) switch
    {
        HostErrno.EADDRINUSE => "somebody listens there already; choose another port, or unix:PATH",
        HostErrno.EACCES => "ports below 1024 are for root; choose a higher one, or unix:PATH",
        HostErrno.EADDRNOTAVAIL => "this machine has no such address",
        0 => $"the host refuses it ({error})",
        HostErrno other => HostMessage.Of(other),
    };
}
