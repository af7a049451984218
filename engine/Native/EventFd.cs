// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Engine.Native;

/// <summary>
/// Something to sleep on, with a timeout in nanoseconds, that any thread can wake: an eventfd and ppoll. The framework's own
/// waits count milliseconds, which is too coarse for a guest's clock.
/// </summary>
internal sealed unsafe class EventFd : IDisposable
{
    private readonly int _fd;

    public EventFd()
    {
        _fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (_fd < 0)
            throw new Win32Exception(errno, $"cannot make an eventfd: {ProcessLimits.Words(errno)}");
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
        pollfd poll = new() { fd = _fd, events = POLLIN };
        timespec limit = new() { tv_sec = nanoseconds / 1_000_000_000, tv_nsec = (long_t)(nanoseconds % 1_000_000_000) };
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
        pollfd* polls = stackalloc pollfd[2];
        polls[0] = new pollfd { fd = _fd, events = POLLIN };
        polls[1] = new pollfd { fd = writable, events = POLLOUT };
        if (ppoll(polls, 2, null, null) <= 0)
            return false;
        if (polls[0].revents != 0)
        {
            ulong count;
            _ = read(_fd, &count, sizeof(ulong));
        }

        return polls[1].revents != 0;
    }

    public void Dispose() => _ = close(_fd);
}
