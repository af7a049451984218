// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Lguest.Engine.Native;

/// <summary>
/// Something to sleep on, with a timeout in nanoseconds, that any thread can wake: an eventfd and ppoll. The framework's own
/// waits count milliseconds, which is too coarse for a guest's clock.
/// </summary>
internal sealed unsafe partial class EventFd : IDisposable
{
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private const short PollIn = 1;
    private const short PollOut = 4;
    private readonly int _fd;

    public EventFd()
    {
        _fd = eventfd(0, NonBlocking | CloseOnExec);
        if (_fd < 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"cannot make an eventfd: {ProcessLimits.Words(Marshal.GetLastPInvokeError())}");
    }

    /// <summary>Wakes the sleeper, now or when it next goes to sleep.</summary>
    public void Set()
    {
        ulong one = 1;
        _ = write(_fd, &one, sizeof(ulong));
    }

    /// <summary>Sleeps until <see cref="Set"/>, a signal, or for some time.</summary>
    /// <param name="nanoseconds">Longest sleep; negative: no limit.</param>
    public void Wait(long nanoseconds)
    {
        PollFd poll = new() { Fd = _fd, Events = PollIn };
        TimeSpec limit = new() { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
        if (ppoll(&poll, 1, nanoseconds < 0 ? null : &limit, null) > 0)
        {
            ulong count;
            _ = read(_fd, &count, sizeof(ulong));
        }
    }

    /// <summary>Sleeps until <see cref="Set"/>, a signal, or until a descriptor can be written.</summary>
    /// <param name="writable">The descriptor.</param>
    /// <returns>Whether it can, or has failed.</returns>
    public bool WaitOrWritable(int writable)
    {
        PollFd* polls = stackalloc PollFd[2];
        polls[0] = new PollFd { Fd = _fd, Events = PollIn };
        polls[1] = new PollFd { Fd = writable, Events = PollOut };
        if (ppoll(polls, 2, null, null) <= 0)
            return false;
        if (polls[0].Returned != 0)
        {
            ulong count;
            _ = read(_fd, &count, sizeof(ulong));
        }

        return polls[1].Returned != 0;
    }

    public void Dispose() => _ = close(_fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ppoll(PollFd* fds, nuint count, TimeSpec* timeout, void* signals);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int fd, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollFd
    {
        public int Fd;
        public short Events;
        public short Returned;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
