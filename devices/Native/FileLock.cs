// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Devices.Native;

/// <summary>
/// Open file description locks (fcntl(2), F_OFD_SETLK): they belong to the opened file, not to the process, so that closing
/// some other descriptor of the same file does not drop them, and two openings by one process conflict as they should. They
/// go when the process dies, however it dies. Mono.Posix does not know them.
/// </summary>
internal static partial class FileLock
{
    private const int SetLock = 37;
    private const int EAGAIN = 11;
    private const int EACCES = 13;

    /// <summary>Tries to lock the whole file, without waiting.</summary>
    /// <param name="fd">The file: opened for writing when <paramref name="exclusive"/>.</param>
    /// <param name="exclusive">A writer's lock; else a reader's, of which there may be many.</param>
    /// <param name="error">0, or the error number when it was not a conflict: some file systems have no locks.</param>
    /// <returns>False when somebody else holds a conflicting lock.</returns>
    public static bool TryLock(int fd, bool exclusive, out int error)
    {
        Range range = new() { Type = (short)(exclusive ? 1 : 0) };
        error = 0;
        if (fcntl(fd, SetLock, ref range) == 0)
            return true;
        error = Marshal.GetLastPInvokeError();
        if (error is EAGAIN or EACCES)
        {
            error = 0;
            return false;
        }

        return true;
    }

    // fcntl is variadic; on x86-64 and arm64 Linux a pointer in third place travels the same way.
    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int fd, int command, ref Range range);

    /// <summary><c>struct flock</c> of 64-bit Linux. All zero but the type: a lock on everything, from start to end.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Range
    {
        public short Type;
        public short Whence;
        public long Start;
        public long Length;
        public int ProcessId;
    }
}
