// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Native;
using Lguest.Launcher.Common;
using static Tmds.Linux.LibC;

namespace Lguest.Launcher.Kernel;

/// <summary>A file that goes into guest memory: opened, known to be a file, and read in the pieces that are wanted.</summary>
public sealed unsafe class KernelFile : IDisposable
{
    private readonly int _fd;

    private KernelFile(string what, string path, int fd, long length)
    {
        What = what;
        Path = path;
        _fd = fd;
        Length = length;
    }

    /// <summary>What the messages call it: kernel or initrd.</summary>
    public string What { get; }

    /// <summary>The file's name, as the user wrote it.</summary>
    public string Path { get; }

    /// <summary>Bytes.</summary>
    public long Length { get; }

    /// <summary>The beginning of every message about this file.</summary>
    public string Name => $"{What} '{Path}'";

    /// <summary>Opens it.</summary>
    /// <param name="what">kernel or initrd.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="LaunchException">It does not exist, is no file, is empty, or may not be read.</exception>
    public static KernelFile Open(string what, string path)
    {
        if (!FileStatus.TryGet(path, out FileStatus status))
        {
            HostErrno error = (HostErrno)errno;
            throw new LaunchException(error == HostErrno.ENOENT
                ? $"{what} '{path}' does not exist; is the name right?"
                : $"{what} '{path}' cannot be opened: {HostMessage.Of(error)}");
        }

        if (status.IsFolder)
            throw new LaunchException($"{what} '{path}' is a directory; name the file in it");

        // A pipe cannot be read twice, and opening some devices does things.
        if (!status.IsRegular)
            throw new LaunchException($"{what} '{path}' is not a regular file; copy it into one first");
        if (status.Size == 0)
            throw new LaunchException($"{what} '{path}' is empty; was the copy or the build interrupted?");
        int fd;
        fixed (byte* name = PathBytes.Of(path))
            fd = open(name, O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0)
            throw new LaunchException($"{what} '{path}' cannot be opened: {HostMessage.Of((HostErrno)errno)}");
        return new KernelFile(what, path, fd, status.Size);
    }

    /// <summary>Fills a span from the file.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="offset">From where, in bytes; the caller knows that it is all there.</param>
    /// <exception cref="LaunchException">The host cannot read it, or the file shrank.</exception>
    public void Read(Span<byte> target, long offset)
    {
        while (!target.IsEmpty)
        {
            long count;
            fixed (byte* bytes = target)
                count = pread(_fd, bytes, target.Length, offset);
            if (count < 0 && errno == EINTR)
                continue;
            if (count < 0)
                throw new LaunchException($"{Name} cannot be read: {HostMessage.Of((HostErrno)errno)}");
            if (count == 0)
                throw new LaunchException($"{Name} became shorter while it was read; start again when it is complete");
            target = target[(int)count..];
            offset += count;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _ = close(_fd);
}
