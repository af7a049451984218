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
    private const int GetLock = 36;
    private const int SetLock = 37;
    private const short WriterLock = 1;
    private const short NoLock = 2;
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

    /// <summary>Tries to lock one byte for writing, without waiting. The byte need not exist.</summary>
    /// <returns>0 when it is ours, EAGAIN when it is another's, or another error number.</returns>
    public static int TryLockByte(int fd, long offset)
    {
        Range range = new() { Type = WriterLock, Start = offset, Length = 1 };
        if (fcntl(fd, SetLock, ref range) == 0)
            return 0;
        int error = Marshal.GetLastPInvokeError();
        return error == EACCES ? EAGAIN : error;
    }

    /// <summary>Gives a byte back.</summary>
    public static void UnlockByte(int fd, long offset)
    {
        Range range = new() { Type = NoLock, Start = offset, Length = 1 };
        _ = fcntl(fd, SetLock, ref range);
    }

    /// <summary>Gives back everything that was locked through this opening of the file.</summary>
    public static void UnlockAll(int fd)
    {
        Range range = new() { Type = NoLock };
        _ = fcntl(fd, SetLock, ref range);
    }

    /// <summary>Whether somebody else has a byte locked.</summary>
    /// <param name="fd">The file.</param>
    /// <param name="offset">The byte.</param>
    /// <param name="processId">Who, for a lock of the old kind, which belongs to a process; else 0.</param>
    public static bool IsByteLocked(int fd, long offset, out int processId)
    {
        Range range = new() { Type = WriterLock, Start = offset, Length = 1 };
        bool locked = fcntl(fd, GetLock, ref range) == 0 && range.Type != NoLock;
        processId = locked ? Math.Max(0, range.ProcessId) : 0;
        return locked;
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
