// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Native;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Backends;

/// <summary>
/// The host's side of a disk: a file or a host block device, opened, locked and measured once. It is read and written through
/// the host's page cache, so a host that crashes may lose what the guest wrote in its last seconds; a launcher that ends (with
/// its guest's power-off or crash, or by a signal that can be caught) calls <see cref="Sync"/> first, and then everything is on
/// the medium. The 2.6.23 block driver has no flush request with which the guest could ask for more.
/// </summary>
public sealed unsafe class BlockImage : IDisposable
{
    /// <summary>Bytes in a sector.</summary>
    public const int SectorSize = 512;

    private int _fd;

    private BlockImage(string path, int fd, long length, bool readOnly)
    {
        Path = path;
        _fd = fd;
        ReadOnly = readOnly;
        Length = length;

        // The page of a DMA disk has 32 bits for the number of sectors: the guest sees the first 2 TiB of a larger disk.
        Sectors = (uint)Math.Min((ulong)length / SectorSize, uint.MaxValue);
    }

    /// <summary>The file's name, as the user wrote it.</summary>
    public string Path { get; }

    /// <summary>Whether the guest may only read.</summary>
    public bool ReadOnly { get; }

    /// <summary>Bytes of the file when it was opened.</summary>
    public long Length { get; }

    /// <summary>Whole sectors of 512 bytes. A file's odd bytes at the end are not part of the disk, and are left alone.</summary>
    public uint Sectors { get; }

    /// <summary>Opens and locks a disk image.</summary>
    /// <param name="path">A file or block device.</param>
    /// <param name="readOnly">Share it with other readers, and let the guest write nothing.</param>
    /// <exception cref="DeviceException">It cannot be used; the message says why, and names the file.</exception>
    public static BlockImage Open(string path, bool readOnly)
    {
        // Looked at before it is opened: opening a FIFO or some device may block or do things.
        if (!FileStatus.TryGet(path, out FileStatus status))
            throw new DeviceException($"cannot open disk image '{path}': {HostMessage.Of((HostErrno)errno)}");
        if (status.IsFolder)
            throw new DeviceException($"disk image '{path}' is a directory; a file or a block device is needed");
        if (!status.IsRegular && !status.IsBlockDevice)
            throw new DeviceException($"disk image '{path}' is neither a file nor a block device");

        int fd;
        fixed (byte* name = PathBytes.Of(path))
            fd = open(name, (readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC, 0);
        if (fd < 0)
        {
            HostErrno error = (HostErrno)errno;
            string hint = !readOnly && error is HostErrno.EACCES or HostErrno.EROFS ? $" (to read it only: --block={path},ro)" : string.Empty;
            throw new DeviceException($"cannot open disk image '{path}'{(readOnly ? string.Empty : " for writing")}: {HostMessage.Of(error)}{hint}");
        }

        try
        {
            // Whoever starts us with standard output closed would have its console written into the disk.
            const int LastStandardDescriptor = 2;
            if (fd <= LastStandardDescriptor)
                throw new DeviceException($"disk image '{path}' would take the place of a closed standard descriptor {fd}; start lguest with descriptors 0, 1 and 2 open");

            if (!FileLock.TryLock(fd, exclusive: !readOnly, out int lockError))
            {
                throw new DeviceException(readOnly
                    ? $"disk image '{path}' is being written by another guest (or given twice)"
                    : $"disk image '{path}' is in use by another guest (or given twice); two would destroy it");
            }

            if (lockError != 0)
                throw new DeviceException($"cannot lock disk image '{path}': {HostMessage.Of((HostErrno)lockError)}");

            // The end of a block device is found the same way as that of a file.
            long length = lseek(fd, 0, SEEK_END);
            if (length < 0)
                throw new DeviceException($"cannot measure disk image '{path}': {HostMessage.Of((HostErrno)errno)}");
            if (length < SectorSize)
                throw new DeviceException($"disk image '{path}' has {length} bytes: not even one sector of {SectorSize}");
            return new BlockImage(path, fd, length, readOnly);
        }
        catch
        {
            _ = close(fd);
            throw;
        }
    }

    /// <summary>Reads into guest memory.</summary>
    /// <param name="vector">Where to.</param>
    /// <param name="offset">Bytes from the start.</param>
    /// <param name="error">What stopped it; 0 when nothing did, or the file ended.</param>
    /// <returns>Bytes read.</returns>
    public int Read(GuestVector vector, long offset, out HostErrno error) => VectoredTransfer.ReadAt(_fd, vector, offset, out error);

    /// <summary>Writes guest memory. The caller has checked that it ends within <see cref="Length"/>.</summary>
    /// <returns>Bytes written.</returns>
    public int Write(GuestVector vector, long offset, out HostErrno error) => VectoredTransfer.WriteAt(_fd, vector, offset, out error);

    /// <summary>Returns when everything written is on the medium.</summary>
    /// <returns>0, or the error: then some of it may never get there.</returns>
    public HostErrno Sync()
    {
        if (ReadOnly || _fd < 0)
            return 0;
        while (fdatasync(_fd) != 0)
        {
            HostErrno error = (HostErrno)errno;
            if (error != HostErrno.EINTR)
                return error;
        }

        return 0;
    }

    /// <summary>Closes the file, and so unlocks it. Does not sync.</summary>
    public void Dispose()
    {
        if (_fd >= 0)
            _ = close(_fd);
        _fd = -1;
    }

    /// <summary>For tests: a disk on a descriptor that gives the errors wanted.</summary>
    internal static BlockImage OnDescriptor(string name, int fd, long length, bool readOnly) => new(name, fd, length, readOnly);
}
