// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Models;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus;

/// <summary>What all buses have: the devices in their places, and a guest that they interrupt.</summary>
public abstract class GuestBus : IGuestBus
{
    private readonly List<PlacedDevice> _places = [];
    private readonly List<IInputDevice> _inputs = [];
    private IDeviceObserver? _observer;

    /// <inheritdoc/>
    public event Action? Served;

    /// <inheritdoc/>
    public IReadOnlyList<PlacedDevice> Devices => _places;

    /// <inheritdoc/>
    public IReadOnlyList<IInputDevice> Inputs => _inputs;

    /// <inheritdoc/>
    public virtual IDeviceSpace? Space => null;

    /// <inheritdoc/>
    public IDeviceObserver? Observer
    {
        get => _observer;
        set
        {
            _observer = value;
            foreach (PlacedDevice device in _places)
                device.Model.Observer = value;
        }
    }

    /// <summary>The guest; null before it exists.</summary>
    protected IDmaGuest? Guest { get; private set; }

    /// <inheritdoc/>
    public virtual void Connect(IDmaGuest guest) => Guest = guest;

    /// <inheritdoc/>
    public abstract bool TryServe(in RunExit exit, out string? death);

    /// <inheritdoc/>
    public abstract string StateOf(int index);

    /// <summary>A device has got its place.</summary>
    /// <param name="device">As it is on this bus.</param>
    /// <param name="place">Where it is.</param>
    protected void Place(object device, in PlacedDevice place)
    {
        _places.Add(place);
        if (device is IInputDevice input)
            _inputs.Add(input);
    }

    /// <summary>Raises an irq. A guest that is over, or has not begun, hears nothing.</summary>
    protected void Interrupt(uint irq) => _ = Guest?.RaiseIrq(irq);

    /// <summary>The guest has been served without coming out.</summary>
    protected void HasServed() => Served?.Invoke();
}
