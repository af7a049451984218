// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>A guest as its devices on the DMA bus see it: buffers that it has bound, and interrupts.</summary>
public interface IDmaGuest
{
    /// <summary>The guest has bound or unbound something. Raised on the thread that runs the guest, while it runs.</summary>
    event Action? BindingsChanged;

    /// <summary>
    /// The array bound at a key, or null. <see cref="TakeBuffer"/> says the same of a network that is down and of one whose buffers
    /// are all full, and a device has to treat them differently: the first loses its packets, the second gets them a moment later.
    /// </summary>
    DmaBinding? FindBinding(uint key);

    /// <summary>
    /// Takes a free buffer that the guest has bound at a key; its irq is left in the buffer's used_len. A guest that has bound what
    /// it has not is dead then. For the thread that runs the guest.
    /// </summary>
    /// <returns>Its guest physical address, which may be any nonsense; null: nothing bound, all full, or the guest is over.</returns>
    uint? TakeBuffer(uint key);

    /// <summary>Raises an irq: the guest hears of it as soon as it takes interrupts. Any thread.</summary>
    /// <returns>Whether that was done: false for an irq that does not exist, and when the guest is over.</returns>
    bool RaiseIrq(uint irq);
}
