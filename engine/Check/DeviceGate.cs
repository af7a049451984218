// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Memory;
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>
/// The guest's devices as the interpreter that goes first finds them: what it does will be taken back, and what a device does cannot be.
/// So it is stopped before it reaches one; and let through when its turn is the only one.
/// </summary>
/// <param name="devices">The guest's devices.</param>
internal sealed class DeviceGate(IDeviceSpace devices) : IDeviceSpace
{
    private readonly DeviceReachedException _reached = new();

    /// <summary>Whether accesses reach the devices; else each ends with a <see cref="DeviceReachedException"/>.</summary>
    public bool IsOpen { get; set; }

    /// <inheritdoc/>
    public bool TryIn(ushort port, int width, out uint value) => Reached.TryIn(port, width, out value);

    /// <inheritdoc/>
    public bool TryOut(ushort port, int width, uint value) => Reached.TryOut(port, width, value);

    /// <inheritdoc/>
    public bool HasAddress(uint address) => devices.HasAddress(address);

    /// <inheritdoc/>
    public uint Read(uint address, int width) => Reached.Read(address, width);

    /// <inheritdoc/>
    public void Write(uint address, int width, uint value) => Reached.Write(address, width, value);

    private IDeviceSpace Reached => IsOpen ? devices : throw _reached;
}
