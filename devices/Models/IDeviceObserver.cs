// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Models;

/// <summary>Sees what goes between a guest and its devices, on the thread that owns the guest, whatever bus they are on.</summary>
public interface IDeviceObserver
{
    /// <summary>The guest says something, and it is about to be written.</summary>
    /// <param name="console">Where.</param>
    /// <param name="text">What: guest memory, valid during the call only.</param>
    void Saying(ConsoleModel console, GuestVector text);

    /// <summary>A disk has carried out a request, or refused it.</summary>
    /// <param name="disk">Which.</param>
    /// <param name="request">What was asked, and whether all of it was done.</param>
    void Requested(DiskModel disk, in DiskRequest request);

    /// <summary>The guest has sent something.</summary>
    /// <param name="device">Which console or network.</param>
    /// <param name="bytes">Bytes that went out; 0 for a packet that was lost.</param>
    void Sent(DeviceModel device, uint bytes);

    /// <summary>The guest has got something: a packet, or what was typed.</summary>
    /// <param name="device">Which console or network.</param>
    /// <param name="bytes">How much.</param>
    void Delivered(DeviceModel device, uint bytes);

    /// <summary>The guest has accessed a device's registers or configuration.</summary>
    /// <param name="device">Which.</param>
    /// <param name="access">What it did.</param>
    void Accessed(DeviceModel device, in DeviceAccess access);
}
