// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends;

/// <summary>
/// Whole transfers between a host descriptor and guest memory. A system call may do a part of what it was asked, or be
/// interrupted by a signal; whoever calls this does not want to know.
/// </summary>
internal static unsafe class VectoredTransfer
{
    /// <summary>Reads at an offset until the vector is full, the file ends or an error stops it.</summary>
    /// <param name="fd">The file.</param>
    /// <param name="vector">Where to; what is left in it was not read.</param>
    /// <param name="offset">Bytes from the start of the file.</param>
    /// <param name="error">What stopped it: 0 when the vector is full or the file ended.</param>
    /// <returns>Bytes read.</returns>
    public static int ReadAt(int fd, GuestVector vector, long offset, out HostErrno error)
    {
        int done = 0;
        error = 0;
        while (vector.Length > 0)
        {
            long count;
            fixed (iovec* sections = vector.Sections)
                count = VectoredCalls.preadv(fd, sections, vector.Sections.Length, offset + done);
            if (count < 0)
            {
                error = (HostErrno)errno;
                if (error == HostErrno.EINTR)
                    continue;
                break;
            }

            error = 0;
            if (count == 0)
                break;
            vector.Consume(count);
            done += (int)count;
        }

        return done;
    }

    /// <summary>Writes at an offset until the vector is empty or an error stops it.</summary>
    /// <returns>Bytes written.</returns>
    public static int WriteAt(int fd, GuestVector vector, long offset, out HostErrno error)
    {
        int done = 0;
        error = 0;
        while (vector.Length > 0)
        {
            long count;
            fixed (iovec* sections = vector.Sections)
                count = VectoredCalls.pwritev(fd, sections, vector.Sections.Length, offset + done);
            if (count < 0)
            {
                error = (HostErrno)errno;
                if (error == HostErrno.EINTR)
                    continue;
                break;
            }

            error = 0;
            if (count == 0)
            {
                // A device that takes nothing and gives no reason would keep us here for ever.
                error = HostErrno.EIO;
                break;
            }

            vector.Consume(count);
            done += (int)count;
        }

        return done;
    }

    /// <summary>Writes to a stream (a terminal, a pipe, a file), waiting while it is full.</summary>
    /// <returns>Bytes written.</returns>
    public static int Write(int fd, GuestVector vector, out HostErrno error)
    {
        int done = 0;
        error = 0;
        while (vector.Length > 0)
        {
            long count;
            fixed (iovec* sections = vector.Sections)
                count = VectoredCalls.writev(fd, sections, vector.Sections.Length);
            if (count < 0)
            {
                error = (HostErrno)errno;
                if (error == HostErrno.EINTR)
                    continue;
                if (error == HostErrno.EAGAIN)
                {
                    // Somebody else set our standard output to non-blocking (it is shared with whoever started us).
                    pollfd wait = new() { fd = fd, events = POLLOUT };
                    _ = poll(&wait, 1, -1);
                    continue;
                }

                break;
            }

            error = 0;
            vector.Consume(count);
            done += (int)count;
        }

        return done;
    }
}
