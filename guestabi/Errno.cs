// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi;

/// <summary>The Linux error numbers that the channel answers with (negated), as in asm-generic/errno.h.</summary>
public static class Errno
{
    /// <summary>Not the owner of the guest.</summary>
    public const int EPERM = 1;

    /// <summary>The guest is dead, or no DMA buffer is free.</summary>
    public const int ENOENT = 2;

    /// <summary>A BREAK was asked for.</summary>
    public const int EAGAIN = 11;

    /// <summary>The words written do not reach as far as the request needs.</summary>
    public const int EFAULT = 14;

    /// <summary>Initialized already.</summary>
    public const int EBUSY = 16;

    /// <summary>No such request, irq, or no guest yet.</summary>
    public const int EINVAL = 22;

    /// <summary>The guest asked to be restarted.</summary>
    public const int ERESTART = 85;
}
