// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Native;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends;

/// <summary>Opens and locks what disks are made of: images, overlays, and files without a name.</summary>
internal static unsafe class DiskFiles
{
    /// <summary>Opens an image, which must be there.</summary>
    /// <param name="path">A file or block device.</param>
    /// <param name="readOnly">Share it with other readers.</param>
    /// <param name="status">What it is.</param>
    /// <exception cref="DeviceException">It cannot be used; the message says why, and names the file.</exception>
    public static FileStore OpenImage(string path, bool readOnly, out FileStatus status)
    {
        // Looked at before it is opened: opening a FIFO or some device may block or do things.
        if (!FileStatus.TryGet(path, out status))
            throw new DeviceException($"cannot open disk image '{path}': {HostMessage.Of((HostErrno)errno)}");
        if (status.IsFolder)
            throw new DeviceException($"disk image '{path}' is a directory; a file or a block device is needed");
        if (!status.IsRegular && !status.IsBlockDevice)
            throw new DeviceException($"disk image '{path}' is neither a file nor a block device");

        int fd = Open(path, readOnly ? O_RDONLY : O_RDWR);
        if (fd < 0)
        {
            HostErrno error = (HostErrno)errno;
            string hint = !readOnly && error is HostErrno.EACCES or HostErrno.EROFS ? $" (to read it only: --block={path},ro)" : string.Empty;
            throw new DeviceException($"cannot open disk image '{path}'{(readOnly ? string.Empty : " for writing")}: {HostMessage.Of(error)}{hint}");
        }

        return Locked(fd, $"disk image '{path}'", exclusive: !readOnly, ref status, readOnly
            ? $"disk image '{path}' is being written by another guest (or given twice)"
            : $"disk image '{path}' is in use by another guest (or given twice); two would destroy it");
    }

    /// <summary>Opens an overlay's file, or makes it, empty.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="status">What it is.</param>
    /// <exception cref="DeviceException">It cannot be used.</exception>
    public static FileStore OpenOverlay(string path, out FileStatus status)
    {
        if (FileStatus.TryGet(path, out status) && !status.IsRegular)
            throw new DeviceException($"overlay '{path}' is not a regular file; name one, or one that does not exist yet");
        int fd = Open(path, O_RDWR | O_CREAT);
        if (fd < 0)
            throw new DeviceException($"cannot open overlay '{path}': {HostMessage.At(path, (HostErrno)errno)}");
        return Locked(fd, $"overlay '{path}'", exclusive: true, ref status, $"overlay '{path}' is in use by another guest (or given twice); two would destroy it");
    }

    /// <summary>
    /// Makes a file for what is not to stay: in $TMPDIR, else /var/tmp. It has no name any more when this returns, so that it goes with
    /// the process, however that ends.
    /// </summary>
    /// <exception cref="DeviceException">There is no place for it.</exception>
    public static FileStore OpenNameless()
    {
        // Not in memory, neither a memfd nor /tmp, which may be a tmpfs: that counts as memory of the launcher's control group, and a
        // guest that writes a few gigabytes would have it killed. A file is in memory only as far as there is memory to spare.
        string? wanted = Environment.GetEnvironmentVariable("TMPDIR");
        string folder = string.IsNullOrEmpty(wanted) ? "/var/tmp" : wanted;
        string path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"lguest-{Guid.NewGuid():N}"));
        int fd = Open(path, O_RDWR | O_CREAT | O_EXCL);
        if (fd < 0)
            throw new DeviceException($"no file for a snapshot can be made in '{folder}': {HostMessage.At(path, (HostErrno)errno)} (TMPDIR says where)");
        fixed (byte* name = PathBytes.Of(path))
            _ = unlink(name);
        FileStatus status = default;
        return Locked(fd, $"the snapshot's file in '{folder}'", exclusive: true, ref status, "another program has locked the snapshot's file");
    }

    /// <summary>Brings a new file's name to the medium. Where that cannot be, the file's content has been brought there all the same.</summary>
    public static void SyncFolderOf(string path)
    {
        string? folder = Path.GetDirectoryName(path);
        int fd = Open(string.IsNullOrEmpty(folder) ? "." : folder, O_RDONLY | O_DIRECTORY);
        if (fd < 0)
            return;
        _ = fsync(fd);
        _ = close(fd);
    }

    private static int Open(string path, int flags)
    {
        // What a umask leaves of it. Only owners may read what a guest without a name of its own wrote.
        const ushort everybody = 0x1B6;
        const ushort owner = 0x180;
        fixed (byte* name = PathBytes.Of(path))
            return open(name, flags | O_CLOEXEC, (flags & O_EXCL) != 0 ? owner : everybody);
    }

    private static FileStore Locked(int fd, string what, bool exclusive, ref FileStatus status, string conflict)
    {
        FileStore store = new(fd);
        try
        {
            // Whoever starts us with standard output closed would have its console written into the disk.
            const int LastStandardDescriptor = 2;
            if (fd <= LastStandardDescriptor)
                throw new DeviceException($"{what} would take the place of a closed standard descriptor {fd}; start lguest with descriptors 0, 1 and 2 open");
            if (!FileLock.TryLock(fd, exclusive, out int error))
                throw new DeviceException(conflict);
            if (error != 0)
                throw new DeviceException($"cannot lock {what}: {HostMessage.Of((HostErrno)error)}");

            // Once more: what is locked does not change, and what was looked at before may have.
            _ = FileStatus.TryGet(fd, out status);
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }
}
