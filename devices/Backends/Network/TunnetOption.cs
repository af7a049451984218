// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Lguest.Devices.Native;

namespace Lguest.Devices.Backends.Network;

/// <summary>Which tap interface a guest is connected to.</summary>
public enum TunnetKind
{
    /// <summary>A new one, with an address.</summary>
    Address,

    /// <summary>A new one, on a bridge.</summary>
    Bridge,

    /// <summary>One that exists.</summary>
    Tap,
}

/// <summary>The value of <c>--tunnet</c>, understood.</summary>
/// <param name="Kind">Which of the three forms.</param>
/// <param name="Name">The bridge or tap; empty for an address.</param>
/// <param name="Address">The host's IPv4 address on the new tap.</param>
/// <param name="Prefix">Bits of its network; −1 when not given: what the class of the address says, as in 2007.</param>
/// <param name="GuestId">The number in the guest's Ethernet address, or null: any.</param>
public sealed record TunnetOption(TunnetKind Kind, string Name, IPAddress Address, int Prefix, ushort? GuestId)
{
    private const string Forms = "--tunnet is followed by =IP[/PREFIX], =bridge:NAME or =tap:NAME, then ,mac=02:00:XX:XX:00:00 if needed";
    private const string BridgeMark = "bridge:";
    private const string TapMark = "tap:";

    /// <summary>Understands a value.</summary>
    /// <exception cref="DeviceException">It makes no sense.</exception>
    public static TunnetOption Parse(string value)
    {
        ushort? guestId = null;
        string[] parts = value.Split(',');
        foreach (string part in parts.AsSpan(1))
            guestId = MacOption.Is(part) ? MacOption.Parse(part) : throw new DeviceException($"'{part}' makes no sense there: {Forms}");

        string where = parts[0];
        if (where.StartsWith(BridgeMark, StringComparison.Ordinal))
            return new TunnetOption(TunnetKind.Bridge, InterfaceName(where[BridgeMark.Length..], "a bridge"), IPAddress.Any, -1, guestId);
        if (where.StartsWith(TapMark, StringComparison.Ordinal))
            return new TunnetOption(TunnetKind.Tap, InterfaceName(where[TapMark.Length..], "a tap"), IPAddress.Any, -1, guestId);
        (IPAddress address, int prefix) = ParseCidr(where) ?? throw new DeviceException($"'{where}' is no IPv4 address; {Forms}");
        return new TunnetOption(TunnetKind.Address, string.Empty, address, prefix, guestId);
    }

    /// <summary>Reads a dotted address with or without a prefix; null when it is neither.</summary>
    internal static (IPAddress Address, int Prefix)? ParseCidr(string text)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        string dotted = slash < 0 ? text : text[..slash];
        int prefix = -1;
        const int MaxPrefix = 32;
        if (slash >= 0 && (!int.TryParse(text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out prefix) || prefix is < 1 or > MaxPrefix))
            return null;

        // "10.1" is an address to the framework, and a typing error to us.
        const int Bytes = 4;
        bool good = dotted.Split('.').Length == Bytes && IPAddress.TryParse(dotted, out _);
        return good && IPAddress.Parse(dotted) is { AddressFamily: AddressFamily.InterNetwork } address ? (address, prefix) : null;
    }

    private static string InterfaceName(string name, string what)
    {
        if (name.Length == 0)
            throw new DeviceException($"--tunnet={what[2..]}: needs the name of {what}");
        if (Encoding.UTF8.GetByteCount(name) >= NetworkInterface.NameSize || name.AsSpan().ContainsAny("/ %\t\n"))
            throw new DeviceException($"'{name}' cannot be the name of an interface (at most {NetworkInterface.NameSize - 1} bytes, no slash, no blank)");
        return name;
    }
}
