// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Models;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus;

/// <summary>A device in its place.</summary>
/// <param name="Model">What it does.</param>
/// <param name="Irq">Its first irq.</param>
/// <param name="Memory">The addresses above RAM that are its own, memory or not; null: it has none.</param>
public readonly record struct PlacedDevice(DeviceModel Model, uint Irq, MemoryRange? Memory);

// [D:105] Three buses
// What was just seen is how 2.6.23 finds its devices. The kernels after it had two other ways: such a page of descriptors, but with rings
// in place of DMA; and from 4.0 on PCI ([D:270]). Whoever runs a guest sees its devices through this, and does not ask which way it is.
/// <summary>A guest's devices, as whoever runs the guest sees them. Belongs to the thread that owns the guest.</summary>
public interface IGuestBus
{
    /// <summary>
    /// The guest has been served from inside an access of its own, without coming out: the time to look after input and output, as after
    /// an exit. Not on buses for which the guest comes out each time.
    /// </summary>
    event Action? Served;

    /// <summary>The devices, in the order in which they were added.</summary>
    IReadOnlyList<PlacedDevice> Devices { get; }

    /// <summary>Those that have input.</summary>
    IReadOnlyList<IInputDevice> Inputs { get; }

    /// <summary>What the guest reaches by ports and addresses that are not memory; null: nothing.</summary>
    IDeviceSpace? Space { get; }

    /// <summary>Who sees what goes through the bus; null: nobody. To be set when all devices are there.</summary>
    IDeviceObserver? Observer { get; set; }

    /// <summary>The guest exists, and has not run yet: from now on devices can interrupt it.</summary>
    void Connect(IDmaGuest guest);

    /// <summary>The guest came out because it wants something of a device.</summary>
    /// <param name="exit">What.</param>
    /// <param name="death">What it dies of, if it handed over what is not its own; null: it lives.</param>
    /// <returns>False when that is not for this bus.</returns>
    bool TryServe(in RunExit exit, out string? death);

    /// <summary>How a device stands, in words for a debugger. Lines without an end, the first of which follows its name.</summary>
    /// <param name="index">Of <see cref="Devices"/>.</param>
    string StateOf(int index);
}
