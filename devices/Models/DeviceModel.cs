// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Models;

// [D:130] What a device is
// Three things make a device, and each is a class of its own. The *back end* is the host's side: a file, a terminal, a tap. The
// *model* is what the device does with it: what a disk refuses, which packets wait and which are lost. The third is how the guest's
// requests reach the model, and that is the bus's affair. A disk does not know whether it was asked by way of a page and a DMA list
// or by way of a ring.
/// <summary>
/// What a device does, whatever bus it is on. A model is handed guest memory that has been checked. It never throws for what a guest
/// does: whatever nonsense is asked, the guest gets an error, and the launcher lives.
/// </summary>
public abstract class DeviceModel
{
    /// <summary>A few words for the memory map: what it is and where its data goes.</summary>
    public abstract string Description { get; }

    /// <summary>Who sees what goes through; null: nobody.</summary>
    public IDeviceObserver? Observer { get; set; }
}
