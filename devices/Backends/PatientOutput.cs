// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Native;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends;

/// <summary>
/// A terminal, pipe or file that is written without ever being held by a reader who does not read: before a write that could
/// wait, somebody is asked who waits in a better way, and who may call the write off.
/// </summary>
/// <remarks>
/// The descriptor is shared with whoever started us, so it is not set to non-blocking. A pipe or socket that can be written at all
/// has room for a small piece. A terminal may have less; so it is opened once more, for a description of its own that does not block.
/// </remarks>
internal sealed unsafe class PatientOutput : IDisposable
{
    /// <summary>Bytes that a pipe takes, at least, when it can be written (PIPE_BUF).</summary>
    private const int Piece = 4096;

    private readonly int _shared;
    private readonly int _own = -1;
    private readonly bool _mayBlock;

    /// <summary>An output on a descriptor, which stays the caller's.</summary>
    public PatientOutput(int fd)
    {
        _shared = fd;
        _ = FileStatus.TryGet(fd, out FileStatus status);
        bool isTerminal = status.IsCharacterDevice && isatty(fd) == 1;
        _mayBlock = isTerminal || status.IsPipe || status.IsSocket;
        if (!isTerminal)
            return;

        // Where that is not possible (no /proc, somebody else's terminal), small pieces must do there too.
        fixed (byte* name = PathBytes.Of(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{fd}")))
            _own = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    }

    /// <summary>The last byte that was written to a terminal, pipe or socket; 0 before the first.</summary>
    public byte LastByte { get; private set; }

    /// <summary>Whether something can be written now without waiting.</summary>
    public bool IsReady => CanWrite(_shared, 0);

    /// <summary>Writes.</summary>
    /// <param name="vector">What; what is left in it was not written.</param>
    /// <param name="wait">Returns when the descriptor can be written, or false: the rest is not to be written.</param>
    /// <param name="error">What stopped it; 0 when nothing did, or the wait was called off.</param>
    /// <returns>Bytes written.</returns>
    public int Write(GuestVector vector, Func<int, bool> wait, out HostErrno error)
    {
        error = 0;
        if (!_mayBlock)
            return VectoredTransfer.Write(_shared, vector, out error);
        int fd = _own >= 0 ? _own : _shared;
        byte* piece = stackalloc byte[Piece];
        int done = 0;
        while (vector.Length > 0)
        {
            if (_own < 0 && !CanWrite(fd, 0) && !wait(fd))
                break;
            int length = vector.CopyTo(new Span<byte>(piece, Piece));
            long count = write(fd, piece, length);
            if (count >= 0)
            {
                if (count > 0)
                    LastByte = piece[count - 1];
                vector.Consume(count);
                done += (int)count;
                continue;
            }

            HostErrno failure = (HostErrno)errno;
            if (failure == HostErrno.EINTR)
                continue;
            if (failure == HostErrno.EAGAIN)
            {
                if (wait(fd))
                    continue;
                break;
            }

            error = failure;
            break;
        }

        return done;
    }

    /// <summary>Waits the simple way.</summary>
    public static bool Wait(int fd)
    {
        // An error or an end is for the write to find.
        while (!CanWrite(fd, -1))
        {
        }

        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_own >= 0)
            _ = close(_own);
    }

    private static bool CanWrite(int fd, int timeout)
    {
        pollfd state = new() { fd = fd, events = POLLOUT };
        return poll(&state, 1, timeout) > 0;
    }
}
