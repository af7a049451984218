// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>inotify(7), for one question: has anybody changed this file other than through a mapping?</summary>
internal static unsafe partial class FileWatch
{
    private const uint Modified = 2;

    /// <summary>Watches a file.</summary>
    /// <returns>A descriptor that is readable after a change, or a negated error number.</returns>
    public static int Open(string path)
    {
        int fd = inotify_init1(O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            return -errno;
        if (inotify_add_watch(fd, path, Modified) >= 0)
            return fd;
        int error = errno;
        _ = close(fd);
        return -error;
    }

    /// <summary>Forgets the changes so far.</summary>
    public static void Drain(int fd)
    {
        const int room = 4096;
        byte* events = stackalloc byte[room];
        while (read(fd, events, room) > 0)
            continue;
    }

    // Tmds.LibC has no inotify.
    [LibraryImport("libc", SetLastError = true)]
    private static partial int inotify_init1(int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int inotify_add_watch(int fd, string path, uint mask);
}
