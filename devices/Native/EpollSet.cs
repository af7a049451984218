// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Devices.Native;

/// <summary>epoll_create1(2). Mono.Posix has it with a flag that no kernel knows (an octal number taken for a decimal one).</summary>
internal static partial class EpollSet
{
    private const int CloseOnExec = 0x80000;

    /// <summary>A new set.</summary>
    /// <returns>A descriptor, or a negated error number.</returns>
    public static int Create()
    {
        int fd = epoll_create1(CloseOnExec);
        return fd < 0 ? -Marshal.GetLastPInvokeError() : fd;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);
}
