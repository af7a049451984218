// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices;

/// <summary>
/// A file that the launcher writes: opened at the start, while the user can still be told that this cannot be done, and emptied
/// by the first write, so that nothing is lost when the guest is not started after all. Whoever makes the file and writes
/// nothing removes it. No path is used again but for that, so all else works in a process that may open nothing any more.
/// </summary>
public sealed unsafe class OutputFile : IDisposable
{
    private readonly FileClaims _claims;
    private readonly FileStatus _status;
    private readonly nint _madeName;
    private int _fd;
    private bool _written;

    private OutputFile(string path, int fd, bool made, in FileStatus status, FileClaims claims)
    {
        Path = path;
        _fd = fd;
        _madeName = made ? HeldNames.Hold(path) : 0;
        _status = status;
        _claims = claims;
    }

    /// <summary>The file's name, as the user wrote it.</summary>
    public string Path { get; }

    /// <summary>The name to be removed at the end if nothing is written; null when the file was there before.</summary>
    public string? Leftover => _madeName != 0 ? Path : null;

    /// <summary>Opens a file, made if need be.</summary>
    /// <param name="option">The option that names it, with its dashes.</param>
    /// <param name="what">What is written, for messages: "the report".</param>
    /// <param name="path">The file.</param>
    /// <param name="claims">Which files are something else.</param>
    /// <param name="secret">Nobody but the user may read it, if it is made.</param>
    /// <exception cref="DeviceException">It cannot be written, or is something else.</exception>
    public static OutputFile Open(string option, string what, string path, FileClaims claims, bool secret = false)
    {
        // Looked at before it is opened: opening some devices does things.
        bool exists = FileStatus.TryGet(path, out FileStatus status);
        if (exists)
        {
            if (status.IsBlockDevice)
                throw new DeviceException($"cannot write {what} to '{path}': it is a block device, and what is on it would be lost; name a file");
            claims.Take(option, path, in status);
        }

        int flags = O_WRONLY | O_NOCTTY | O_CLOEXEC | O_CREAT;
        mode_t mode = secret ? S_IRUSR | S_IWUSR : S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH;
        bool made = false;
        int fd = -1;
        fixed (byte* name = PathBytes.Of(path))
        {
            if (!exists)
            {
                fd = open(name, flags | O_EXCL, mode);
                made = fd >= 0;
            }

            // A link that leads to no file yet is one to make through it.
            if (fd < 0)
                fd = open(name, flags, mode);
        }

        if (fd < 0)
            throw new DeviceException($"cannot write {what} to '{path}': {HostMessage.At(path, (HostErrno)errno)}");
        _ = FileStatus.TryGet(fd, out status);
        OutputFile file = new(path, fd, made, in status, claims);
        try
        {
            // What was opened counts, whatever the name led to before.
            claims.Take(option, path, in status);
            return file;
        }
        catch
        {
            file.Close();
            throw;
        }
    }

    /// <summary>The descriptor, for a stream that somebody else writes after <see cref="Begin"/>.</summary>
    public int Descriptor => _fd;

    /// <summary>Empties the file, if nothing has been written to it yet.</summary>
    /// <returns>0, or the error.</returns>
    public HostErrno Begin()
    {
        if (_written)
            return 0;
        _written = true;
        return SetLength(0);
    }

    /// <summary>Writes at the end of what was written before; the first time, the file is emptied.</summary>
    /// <returns>0, or the error.</returns>
    public HostErrno Write(ReadOnlySpan<byte> bytes) => Transfer(bytes, -1);

    /// <summary>Writes at a place in the file; the first time, it is emptied. Between two places is a hole.</summary>
    /// <returns>0, or the error.</returns>
    public HostErrno WriteAt(ReadOnlySpan<byte> bytes, long offset) => Transfer(bytes, offset);

    /// <summary>Makes it as long as wanted: with a hole at the end, or without what a full disk left of the last write.</summary>
    /// <returns>0, or the error.</returns>
    public HostErrno SetLength(long length) => !IsRegular || ftruncate(_fd, length) == 0 ? 0 : (HostErrno)errno;

    /// <summary>Closes it, and removes what was made and not used.</summary>
    public void Dispose()
    {
        if (_fd < 0)
            return;
        if (_madeName != 0 && !_written && FileStatus.TryGet(AT_FDCWD, Path, out FileStatus now) && (now.Identity, now.Size) == (_status.Identity, 0))
            HeldNames.Remove(_madeName);
        _claims.GiveBack(in _status);
        Close();
    }

    private bool IsRegular => _status.IsRegular;

    private void Close()
    {
        _ = close(_fd);
        _fd = -1;
    }

    private HostErrno Transfer(ReadOnlySpan<byte> bytes, long offset)
    {
        if (_fd < 0)
            return HostErrno.EBADF;
        if (Begin() is var refused && refused != 0)
            return refused;

        fixed (byte* start = bytes)
        {
            for (int done = 0; done < bytes.Length;)
            {
                int rest = bytes.Length - done;
                long count = offset < 0 ? write(_fd, start + done, rest) : pwrite(_fd, start + done, rest, offset + done);
                if (count > 0)
                {
                    done += (int)count;
                    continue;
                }

                HostErrno error = count < 0 ? (HostErrno)errno : HostErrno.EIO;
                if (error == HostErrno.EAGAIN)
                    WaitForRoom();
                else if (error != HostErrno.EINTR)
                    return error;
            }
        }

        return 0;
    }

    /// <summary>Somebody else may have made a pipe or terminal that does not wait by itself.</summary>
    private void WaitForRoom()
    {
        pollfd state = new() { fd = _fd, events = POLLOUT };
        _ = poll(&state, 1, -1);
    }
}
