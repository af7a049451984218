// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Disks;
using Lguest.Devices.Native;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends;

/// <summary>A disk's bytes in a file or block device, by its descriptor. They go through the host's page cache.</summary>
/// <param name="fd">The descriptor; it is closed with this.</param>
internal sealed unsafe class FileStore(int fd) : IHostFile
{
    private int _fd = fd;

    /// <inheritdoc/>
    public int Read(GuestVector vector, long offset, out HostErrno error) => VectoredTransfer.ReadAt(_fd, vector, offset, out error);

    /// <inheritdoc/>
    public int Write(GuestVector vector, long offset, out HostErrno error) => VectoredTransfer.WriteAt(_fd, vector, offset, out error);

    /// <inheritdoc/>
    public HostErrno ReadAt(Span<byte> target, long offset, out int read)
    {
        read = 0;
        while (read < target.Length)
        {
            long count;
            fixed (byte* start = target)
                count = pread(_fd, start + read, target.Length - read, offset + read);
            if (count < 0 && errno == EINTR)
                continue;
            if (count < 0)
                return (HostErrno)errno;
            if (count == 0)
                break;
            read += (int)count;
        }

        return 0;
    }

    /// <inheritdoc/>
    public HostErrno WriteAt(ReadOnlySpan<byte> source, long offset)
    {
        int done = 0;
        while (done < source.Length)
        {
            long count;
            fixed (byte* start = source)
                count = pwrite(_fd, start + done, source.Length - done, offset + done);
            if (count < 0 && errno == EINTR)
                continue;
            if (count <= 0)
                return count < 0 ? (HostErrno)errno : HostErrno.EIO;
            done += (int)count;
        }

        return 0;
    }

    /// <inheritdoc/>
    public HostErrno Truncate(long length)
    {
        while (ftruncate(_fd, length) != 0)
        {
            if (errno != EINTR)
                return (HostErrno)errno;
        }

        return 0;
    }

    /// <inheritdoc/>
    public HostErrno Measure(out long length)
    {
        // The end of a block device is found the same way as that of a file.
        length = lseek(_fd, 0, SEEK_END);
        return length < 0 ? (HostErrno)errno : 0;
    }

    /// <inheritdoc/>
    public HostErrno Sync()
    {
        if (_fd < 0)
            return 0;
        while (fdatasync(_fd) != 0)
        {
            HostErrno error = (HostErrno)errno;
            if (error != HostErrno.EINTR)
                return error;
        }

        return 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_fd < 0)
            return;

        // Closing does not unlock while a process that another thread is starting has the descriptor, too: until it executes its program.
        FileLock.UnlockAll(_fd);
        _ = close(_fd);
        _fd = -1;
    }
}
