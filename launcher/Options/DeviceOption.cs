// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Share;
using Lguest.Devices.Bus.Dma;
using Lguest.Devices.Virtio;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Options;

/// <summary>A device on the command line. Networks, which know of one another, are <see cref="NetOption"/>.</summary>
public abstract record DeviceOption
{
    /// <summary>What a guest has several of, in a sentence.</summary>
    public abstract string Kind { get; }

    /// <summary>Pages of device memory that it has on the bus of 2.6.23; null: those kernels have no driver for it.</summary>
    public abstract int? DmaPages { get; }

    /// <summary>Virtqueues that it has where it has such.</summary>
    public virtual int Queues => 1;

    /// <summary>How it is written, without its value: <c>--block</c>.</summary>
    public abstract string Option { get; }

    /// <summary>Files that it keeps open.</summary>
    public virtual int FileCount => 1;

    /// <summary>Takes note of the files that it uses: nothing else is to be written there.</summary>
    public abstract void Claim(FileClaims claims);

    /// <summary>Opens the host's side.</summary>
    /// <exception cref="DeviceException">It cannot be used; the message says why.</exception>
    public abstract HostDevice Open();
}

/// <summary>The host's side of a device, open. A guest may restart; then the device is made anew, and this is not.</summary>
public abstract class HostDevice : IDisposable
{
    /// <summary>Makes the device for a guest on the bus of 2.6.23. Asked only where <see cref="DeviceOption.DmaPages"/> says that it can be there.</summary>
    /// <param name="complaints">Hears what only a developer wants to know.</param>
    public abstract IDmaDevice MakeForDma(Complaints complaints);

    /// <summary>Makes the device for a guest with virtqueues.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="format">What requests look like.</param>
    /// <param name="complaints">Hears what only a developer wants to know.</param>
    public abstract VirtioDevice MakeVirtio(GuestMemory memory, VirtioFormat format, Complaints complaints);

    /// <summary>A folder in which files are opened while the guest runs; null: all that is needed is open.</summary>
    public virtual SharedFolder? Folder => null;

    /// <summary>Brings what the guest has written to the medium.</summary>
    /// <returns>Null, or a sentence: what could not be saved, and why.</returns>
    public virtual string? Save() => null;

    /// <inheritdoc/>
    public abstract void Dispose();
}
