// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>What a guest's owner has to do something about.</summary>
public enum RunExitKind
{
    /// <summary>The guest sent DMA: an lguest_dma at <see cref="RunExit.Address"/>, to <see cref="RunExit.Key"/>.</summary>
    Dma,

    /// <summary>The guest made NOTIFY of <see cref="RunExit.Address"/> (abi.md §7.2).</summary>
    Notify,

    /// <summary>Somebody wants the owner: <see cref="IGuest.Break"/>.</summary>
    Break,

    /// <summary>The guest is dead, of <see cref="RunExit.Reason"/>.</summary>
    Died,

    /// <summary>The guest pulled the reset line: it is over, and wants to be started again.</summary>
    Restart,
}

/// <summary>
/// Why <see cref="IGuest.Run"/> returned. A small value: there is one for each request that a guest makes of a device.
/// </summary>
/// <param name="Kind">What there is to do.</param>
/// <param name="Address">Guest physical address, as the guest gave it.</param>
/// <param name="Key">The key that DMA was sent to.</param>
/// <param name="Reason">Why the guest died, one character for each byte: what it said itself may be in any encoding.</param>
public readonly record struct RunExit(RunExitKind Kind, uint Address = 0, uint Key = 0, string? Reason = null)
{
    /// <summary>Somebody wants the owner.</summary>
    public static RunExit Break => new(RunExitKind.Break);

    /// <summary>The guest wants to be started again.</summary>
    public static RunExit Restart => new(RunExitKind.Restart);

    /// <summary>The guest sent DMA.</summary>
    public static RunExit Dma(uint address, uint key) => new(RunExitKind.Dma, address, key);

    /// <summary>The guest made NOTIFY.</summary>
    public static RunExit Notify(uint address) => new(RunExitKind.Notify, address);

    /// <summary>The guest is dead.</summary>
    public static RunExit Died(string reason) => new(RunExitKind.Died, Reason: reason);
}
