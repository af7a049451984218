// SPDX-License-Identifier: GPL-2.0-or-later
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>
/// Open file description locks (fcntl(2), F_OFD_SETLK): they belong to the opened file, not to the process, so that closing
/// some other descriptor of the same file does not drop them, and two openings by one process conflict as they should. They
/// go when the process dies, however it dies.
/// </summary>
internal static unsafe class FileLock
{
    /// <summary>Tries to lock the whole file, without waiting.</summary>
    /// <param name="fd">The file: opened for writing when <paramref name="exclusive"/>.</param>
    /// <param name="exclusive">A writer's lock; else a reader's, of which there may be many.</param>
    /// <param name="error">0, or the error number when it was not a conflict: some file systems have no locks.</param>
    /// <returns>False when somebody else holds a conflicting lock.</returns>
    public static bool TryLock(int fd, bool exclusive, out int error)
    {
        error = 0;
        if (Set(fd, exclusive ? F_WRLCK : F_RDLCK, 0, 0))
            return true;
        error = errno;
        if (error != EAGAIN && error != EACCES)
            return true;
        error = 0;
        return false;
    }

    /// <summary>Tries to lock one byte for writing, without waiting. The byte need not exist.</summary>
    /// <returns>0 when it is ours, EAGAIN when it is another's, or another error number.</returns>
    public static int TryLockByte(int fd, long offset)
    {
        if (Set(fd, F_WRLCK, offset, 1))
            return 0;
        return errno == EACCES ? EAGAIN : errno;
    }

    /// <summary>Gives a byte back.</summary>
    public static void UnlockByte(int fd, long offset) => _ = Set(fd, F_UNLCK, offset, 1);

    /// <summary>Gives back everything that was locked through this opening of the file.</summary>
    public static void UnlockAll(int fd) => _ = Set(fd, F_UNLCK, 0, 0);

    /// <summary>Whether somebody else has a byte locked.</summary>
    /// <param name="fd">The file.</param>
    /// <param name="offset">The byte.</param>
    /// <param name="processId">Who, for a lock of the old kind, which belongs to a process; else 0.</param>
    public static bool IsByteLocked(int fd, long offset, out int processId)
    {
        flock range = new() { l_type = (short)F_WRLCK, l_start = offset, l_len = 1 };
        bool locked = fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
        processId = locked ? Math.Max(0, (int)range.l_pid) : 0;
        return locked;
    }

    /// <summary>A length of 0 reaches to the end of the file, wherever that may be.</summary>
    private static bool Set(int fd, int type, long start, long length)
    {
        flock range = new() { l_type = (short)type, l_start = start, l_len = length };
        return fcntl(fd, F_OFD_SETLK, &range) == 0;
    }
}
