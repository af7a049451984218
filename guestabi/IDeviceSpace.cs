// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>
/// What a guest reaches that is not its memory: ports, and addresses above its RAM (abi.md §8). Asked on the guest's own thread, from
/// inside the instruction that makes the access, once for each access; whoever answers may raise an irq (<see cref="IDmaGuest.RaiseIrq"/>).
/// </summary>
public interface IDeviceSpace
{
    /// <summary>The guest reads a port.</summary>
    /// <param name="port">Its number.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    /// <param name="value">What it reads.</param>
    /// <returns>False when no device has the port.</returns>
    bool TryIn(ushort port, int width, out uint value);

    /// <summary>The guest writes a port.</summary>
    /// <param name="port">Its number.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    /// <param name="value">What it writes.</param>
    /// <returns>False when no device has the port.</returns>
    bool TryOut(ushort port, int width, uint value);

    /// <summary>Whether a device answers at an address.</summary>
    /// <param name="address">Guest physical.</param>
    bool HasAddress(uint address);

    /// <summary>The guest reads an address that is no memory.</summary>
    /// <param name="address">Guest physical.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    /// <returns>All ones where nobody answers.</returns>
    uint Read(uint address, int width);

    /// <summary>The guest writes an address that is no memory.</summary>
    /// <param name="address">Guest physical.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    /// <param name="value">What; it is lost where nobody answers.</param>
    void Write(uint address, int width, uint value);
}
