// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net;

namespace Lguest.Devices.Backends.Network;

/// <summary>The value of <c>--usernet</c>, understood.</summary>
/// <param name="Address">The guest's IPv4 address, which DHCP gives it.</param>
/// <param name="Prefix">Bits of its network.</param>
/// <param name="TcpForwards">HOST:GUEST, or one port for both.</param>
/// <param name="UdpForwards">Likewise.</param>
/// <param name="GuestId">The number in the guest's Ethernet address, or null: any.</param>
public sealed record UsernetOption(IPAddress Address, int Prefix, IReadOnlyList<string> TcpForwards, IReadOnlyList<string> UdpForwards, ushort? GuestId)
{
    /// <summary>The guest's network when none is given, as users of other machines know it.</summary>
    public const string DefaultNetwork = "10.0.2.15/24";

    private const string Forms = "--usernet is followed by =IP/PREFIX or nothing, then ,tcp=HOSTPORT:GUESTPORT ,udp=HOSTPORT:GUESTPORT ,mac=02:00:XX:XX:00:00 as needed";
    private const string TcpMark = "tcp=";
    private const string UdpMark = "udp=";

    /// <summary>The address behind which the guest finds the host's own loopback: number 2 of its network.</summary>
    public IPAddress Gateway
    {
        get
        {
            const int Number = 2;
            byte[] bytes = Address.GetAddressBytes();
            uint network = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(bytes) & (uint.MaxValue << (32 - Prefix));
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(bytes, network + Number);
            return new IPAddress(bytes);
        }
    }

    /// <summary>Understands a value; the empty one too.</summary>
    /// <exception cref="DeviceException">It makes no sense.</exception>
    public static UsernetOption Parse(string value)
    {
        string network = DefaultNetwork;
        List<string> tcp = [];
        List<string> udp = [];
        ushort? guestId = null;
        string[] parts = value.Split(',');
        for (int i = 0; i < parts.Length; i++)
        {
            string part = parts[i];
            if (part.StartsWith(TcpMark, StringComparison.Ordinal))
                tcp.Add(Forward(part[TcpMark.Length..]));
            else if (part.StartsWith(UdpMark, StringComparison.Ordinal))
                udp.Add(Forward(part[UdpMark.Length..]));
            else if (MacOption.Is(part))
                guestId = MacOption.Parse(part);
            else if (i == 0 && part.Length > 0)
                network = part;
            else if (part.Length > 0)
                throw new DeviceException($"'{part}' makes no sense there: {Forms}");
        }

        // Room for the network's own address, the gateway, the guest and the broadcast.
        const int LongestPrefix = 29;
        const int ShortestPrefix = 8;
        if (TunnetOption.ParseCidr(network) is not { } cidr || cidr.Prefix is < ShortestPrefix or > LongestPrefix)
            throw new DeviceException($"'{network}' is no IPv4 address with a prefix from /{ShortestPrefix} to /{LongestPrefix}; {Forms}");
        UsernetOption option = new(cidr.Address, cidr.Prefix, tcp, udp, guestId);
        if (option.Gateway.Equals(cidr.Address))
            throw new DeviceException($"{cidr.Address} is the gateway's address in that network; give the guest another");
        return option;
    }

    private static string Forward(string text)
    {
        string[] ports = text.Split(':');
        bool good = ports.Length is 1 or 2;
        foreach (string port in ports)
            good &= ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) && number > 0;
        return good ? text : throw new DeviceException($"'{text}' is no forward: HOSTPORT:GUESTPORT, each from 1 to 65535");
    }
}
