// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Lguest.Launcher.Debugging;

/// <summary>
/// Where somebody may connect: a TCP address or a Unix socket. A debugger can do anything to a guest, so nothing is reachable
/// from other machines unless the address says so by name.
/// </summary>
/// <param name="EndPoint">For the socket.</param>
/// <param name="Path">The Unix socket's file; null for TCP.</param>
public sealed record SocketAddress(EndPoint EndPoint, string? Path)
{
    private const string UnixPrefix = "unix:";

    /// <summary>Understands <c>HOST:PORT</c>, <c>PORT</c> (of this machine only), or <c>unix:PATH</c>.</summary>
    /// <param name="option">The option's name, for messages.</param>
    /// <param name="text">What stands behind it.</param>
    /// <param name="defaultPort">The port when the text is empty.</param>
    /// <exception cref="LaunchException">It is none of them.</exception>
    public static SocketAddress Parse(string option, string text, int defaultPort)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
            return Unix(option, text[UnixPrefix.Length..]);
        if (text.Length == 0)
            return new SocketAddress(new IPEndPoint(IPAddress.Loopback, defaultPort), null);
        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? string.Empty : text[..colon].Trim('[', ']');
        if (!ushort.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
            throw new LaunchException($"--{option}={text} is no address: HOST:PORT, a PORT of this machine, or unix:PATH is wanted");
        if (host.Length == 0 || host == "localhost")
            return new SocketAddress(new IPEndPoint(IPAddress.Loopback, port), null);
        if (IPAddress.TryParse(host, out IPAddress? address))
            return new SocketAddress(new IPEndPoint(address, port), null);
        throw new LaunchException($"--{option}={text}: '{host}' is no IP address; give the number, as in 127.0.0.1:{port}");
    }

    /// <summary>Understands <c>unix:PATH</c> only.</summary>
    /// <exception cref="LaunchException">It is none.</exception>
    public static SocketAddress ParseUnix(string option, string text) =>
        text.StartsWith(UnixPrefix, StringComparison.Ordinal)
            ? Unix(option, text[UnixPrefix.Length..])
            : throw new LaunchException($"--{option}={text} is no Unix socket: unix:PATH is wanted");

    /// <summary>Starts to listen. A socket file that nobody listens at any more is replaced.</summary>
    /// <exception cref="LaunchException">The address cannot be had.</exception>
    public Socket Listen(string option)
    {
        Socket socket = new(EndPoint.AddressFamily, SocketType.Stream, Path == null ? ProtocolType.Tcp : ProtocolType.Unspecified);
        try
        {
            if (Path != null && File.Exists(Path) && IsDeserted())
                File.Delete(Path);
            socket.Bind(EndPoint);
            if (Path != null)
            {
                // Whoever can connect owns the guest: nobody but the user.
                File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            socket.Listen(4);
            return socket;
        }
        catch (Exception failure) when (failure is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new LaunchException($"--{option}: cannot listen at {this}: {failure.Message}; is another guest using it?");
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
            throw new LaunchException($"--{option}=unix:{path}: a Unix socket's path has 1 to 107 bytes");
        }
    }

    private bool IsDeserted()
    {
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(EndPoint);
            return false;
        }
        catch (SocketException refused) when (refused.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
