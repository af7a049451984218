// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Bus;

/// <summary>A device that brings the guest something from the host, as whoever watches the host sees it, whatever bus it is on.</summary>
public interface IInputDevice
{
    /// <summary>The descriptor to poll for input while <see cref="WantsInput"/>.</summary>
    int InputDescriptor { get; }

    /// <summary>Whether there is any point in polling: the input has not ended, and there is room to put it.</summary>
    bool WantsInput { get; }

    /// <summary>Input has been read that the guest had no buffer for: <see cref="Deliver"/> should be tried again.</summary>
    bool HoldsInput { get; }

    /// <summary>Reads what is there. Called when the descriptor is readable.</summary>
    void ReadInput();

    /// <summary>Gives the guest what was read, if it has a buffer that is free.</summary>
    /// <returns>Whether the guest got anything: then it is worth trying again soon, if more is held.</returns>
    bool Deliver();
}
