// SPDX-License-Identifier: GPL-2.0-or-later
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>Descriptors of which one knows, without asking each, which can be read: epoll(7).</summary>
internal sealed unsafe class EpollSet : IDisposable
{
    private readonly epoll_event[] _events = new epoll_event[64];
    private int _ready;
    private int _next;

    private EpollSet(int descriptor) => Descriptor = descriptor;

    /// <summary>Readable when one of the set is.</summary>
    public int Descriptor { get; }

    /// <summary>A new set.</summary>
    /// <param name="error">The host's error number, or 0.</param>
    /// <returns>Null when the host has no descriptors left.</returns>
    public static EpollSet? Create(out int error)
    {
        int descriptor = epoll_create1(EPOLL_CLOEXEC);
        error = descriptor < 0 ? errno : 0;
        return descriptor < 0 ? null : new EpollSet(descriptor);
    }

    /// <summary>Adds a descriptor. Closing it removes it.</summary>
    public void Add(int fd)
    {
        epoll_event wanted = new() { events = EPOLLIN, data = new epoll_data_t { fd = fd } };
        _ = epoll_ctl(Descriptor, EPOLL_CTL_ADD, fd, &wanted);
    }

    /// <summary>
    /// The next descriptor that can be read, without a wait: all that could be at one moment come before the host is asked again.
    /// One of them may have been closed meanwhile.
    /// </summary>
    /// <returns>False when there is none.</returns>
    public bool TryNext(out int fd)
    {
        if (_next == _ready)
        {
            _next = 0;
            fixed (epoll_event* events = _events)
                _ready = Math.Max(0, epoll_wait(Descriptor, events, _events.Length, 0));
        }

        fd = _next < _ready ? _events[_next++].data.fd : -1;
        return fd >= 0;
    }

    /// <inheritdoc/>
    public void Dispose() => _ = close(Descriptor);
}
