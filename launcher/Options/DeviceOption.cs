// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Bus.Dma;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Options;

/// <summary>A device on the command line. Networks, which know of one another, are <see cref="NetOption"/>.</summary>
public abstract record DeviceOption
{
    /// <summary>What a guest has several of, in a sentence.</summary>
    public abstract string Kind { get; }

    /// <summary>Pages of device memory that it wants.</summary>
    public abstract int PageCount { get; }

    /// <summary>Takes note of the files that it uses: nothing else is to be written there.</summary>
    public abstract void Claim(FileClaims claims);

    /// <summary>Opens the host's side.</summary>
    /// <exception cref="DeviceException">It cannot be used; the message says why.</exception>
    public abstract HostDevice Open();
}

/// <summary>The host's side of a device, open. A guest may restart; then the device is made anew, and this is not.</summary>
public abstract class HostDevice : IDisposable
{
    /// <summary>Makes the device for a guest.</summary>
    /// <param name="complaints">Hears what only a developer wants to know.</param>
    public abstract IDmaDevice MakeForGuest(Complaints complaints);

    /// <summary>Brings what the guest has written to the medium.</summary>
    /// <returns>Null, or a sentence: what could not be saved, and why.</returns>
    public virtual string? Save() => null;

    /// <inheritdoc/>
    public abstract void Dispose();
}
