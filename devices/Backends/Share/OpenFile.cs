// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends.Share;

/// <summary>A file that is open to be read or written, or a folder that is open to be listed.</summary>
public sealed unsafe class OpenFile
{
    internal OpenFile(FileNode node, int descriptor, bool canWrite)
    {
        Node = node;
        Descriptor = descriptor;
        CanWrite = canWrite;
    }

    /// <summary>What is open.</summary>
    public FileNode Node { get; }

    /// <summary>Whether it can be written.</summary>
    public bool CanWrite { get; }

    internal int Descriptor { get; }

    /// <summary>Reads from a place in the file.</summary>
    /// <returns>Bytes, fewer than asked for at the end only; or a negated error number.</returns>
    public int Read(long offset, Span<byte> target)
    {
        int done = 0;
        fixed (byte* start = target)
        {
            while (done < target.Length)
            {
                long step = (Tmds.Linux.ssize_t)pread(Descriptor, start + done, target.Length - done, offset + done);
                if (step == 0)
                    break;
                if (step > 0)
                    done += (int)step;
                else if (errno is var error && error != EINTR)
                    return done > 0 ? done : -error;
            }
        }

        return done;
    }

    /// <summary>Writes at a place in the file, or at its end if it was opened so.</summary>
    /// <returns>Bytes, fewer than asked for when the rest cannot be written; or a negated error number.</returns>
    public int Write(long offset, ReadOnlySpan<byte> source)
    {
        int done = 0;
        fixed (byte* start = source)
        {
            while (done < source.Length)
            {
                long step = (Tmds.Linux.ssize_t)pwrite(Descriptor, start + done, source.Length - done, offset + done);
                if (step > 0)
                    done += (int)step;
                else if (step == 0)
                    break;
                else if (errno is var error && error != EINTR)
                    return done > 0 ? done : -error;
            }
        }

        return done;
    }

    /// <summary>Lists a folder: entries as the kernel gives them, from a place on.</summary>
    /// <param name="place">0, or the place after an entry, as the entry says.</param>
    /// <param name="target">Where to.</param>
    /// <returns>Bytes; 0 at the end; or a negated error number.</returns>
    public int List(long place, Span<byte> target)
    {
        return lseek(Descriptor, place, SEEK_SET) < 0 ? -errno : FolderEntries.List(Descriptor, target);
    }

    /// <summary>Makes it as long as that: the rest is dropped, or zeros are added.</summary>
    public HostErrno Truncate(long size) => ftruncate(Descriptor, size) == 0 ? 0 : (HostErrno)errno;

    /// <summary>Returns when what was written is on the medium.</summary>
    /// <param name="dataOnly">Attributes need not be, unless the data cannot be found without them.</param>
    /// <returns>0, or the error: then some of it may never get there.</returns>
    public HostErrno Sync(bool dataOnly)
    {
        while ((dataOnly ? fdatasync(Descriptor) : fsync(Descriptor)) != 0)
        {
            HostErrno error = (HostErrno)errno;
            if (error != HostErrno.EINTR)
                return error;
        }

        return 0;
    }
}
