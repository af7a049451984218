// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.GuestAbi;

namespace Lguest.Devices.Backends.Network;

/// <summary>An Ethernet address: 6 bytes, in the low 48 bits, the first byte of the wire uppermost.</summary>
public readonly record struct MacAddress(ulong Value)
{
    /// <summary>Bytes.</summary>
    public const int Size = NetPage.AddressSize;

    /// <summary>
    /// The group bit of the first byte. No station's own address has it, so that lguest's drivers use it on the network page to
    /// say: promiscuous, send me every packet (abi.md §6.5).
    /// </summary>
    public const byte PromiscuousBit = 0x01;

    /// <summary>From the bytes of the wire or the network page.</summary>
    public static MacAddress From(ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        foreach (byte b in bytes[..Size])
            value = value << 8 | b;
        return new MacAddress(value);
    }

    /// <summary>Reads six hexadecimal bytes with colons between them.</summary>
    public static bool TryParse(string text, out MacAddress address)
    {
        address = default;
        string[] parts = text.Split(':');
        if (parts.Length != Size)
            return false;
        ulong value = 0;
        foreach (string part in parts)
        {
            if (part.Length is 0 or > 2 || !byte.TryParse(part, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte b))
                return false;
            value = value << 8 | b;
        }

        address = new MacAddress(value);
        return true;
    }

    /// <summary>The address that a guest's driver gives itself: locally administered, with the guest's number inside.</summary>
    public static MacAddress OfGuest(ushort guestId) => new(0x0200_0000_0000 | (ulong)(guestId & 0xFF) << 24 | (ulong)(guestId >> 8) << 16);

    /// <summary>Whether it is such an address, and of which guest.</summary>
    public bool IsOfGuest(out ushort guestId)
    {
        guestId = (ushort)((Value >> 24 & 0xFF) | (Value >> 16 & 0xFF) << 8);
        return this == OfGuest(guestId);
    }

    /// <summary>Writes the bytes in the wire's order.</summary>
    public void CopyTo(Span<byte> bytes)
    {
        for (int i = 0; i < Size; i++)
            bytes[i] = (byte)(Value >> 8 * (Size - 1 - i));
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        ulong value = Value;
        return string.Join(':', Enumerable.Range(0, Size).Select(i => (value >> 8 * (Size - 1 - i) & 0xFF).ToString("x2", CultureInfo.InvariantCulture)));
    }
}
