// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Network;

/// <summary>
/// <c>mac=…</c> after a network option. The guest's driver makes its own address, 02:00 and the guest's number and 00:00; the
/// number is all that the ABI lets the host choose.
/// </summary>
public static class MacOption
{
    private const string Mark = "mac=";

    /// <summary>Whether a part of an option is one.</summary>
    public static bool Is(string part) => part.StartsWith(Mark, StringComparison.Ordinal);

    /// <summary>Reads one.</summary>
    /// <returns>The guest's number.</returns>
    /// <exception cref="DeviceException">It is no such address.</exception>
    public static ushort Parse(string part)
    {
        string written = part[Mark.Length..];
        if (!MacAddress.TryParse(written, out MacAddress address))
            throw new DeviceException($"'{written}' is no Ethernet address: six hexadecimal bytes with colons between them");
        if (!address.IsOfGuest(out ushort guestId))
            throw new DeviceException($"a guest's driver makes its own address, 02:00:XX:XX:00:00; only the two bytes in the middle can be chosen, so {address} cannot be had");
        return guestId;
    }
}
