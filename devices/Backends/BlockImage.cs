// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices.Backends.Disks;

namespace Lguest.Devices.Backends;

/// <summary>
/// The host's side of a disk: a file or a host block device, opened, locked and measured once; alone, or with a file over it that has
/// what the guest writes. It is read and written through the host's page cache, so a host that crashes may lose what the guest wrote in
/// its last seconds; a launcher that ends (with its guest's power-off or crash, or by a signal that can be caught) calls
/// <see cref="Sync"/> first, and then everything is on the medium. The 2.6.23 block driver has no flush request with which the guest
/// could ask for more.
/// </summary>
public sealed class BlockImage : IDiskStore
{
    /// <summary>Bytes in a sector.</summary>
    public const int SectorSize = 512;

    private readonly IDiskStore _store;

    private BlockImage(string path, IDiskStore store, long length, bool readOnly)
    {
        Path = path;
        _store = store;
        ReadOnly = readOnly;
        Length = length;

        // The page of a DMA disk has 32 bits for the number of sectors: the guest sees the first 2 TiB of a larger disk.
        Sectors = (uint)Math.Min((ulong)length / SectorSize, uint.MaxValue);
    }

    /// <summary>The name of the file that is written, as the user wrote it; where none is, of the one that is read.</summary>
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
        FileStore store = DiskFiles.OpenImage(path, readOnly, out _);
        return Closing(store, () => new BlockImage(path, store, Measure(store, path), readOnly));
    }

    /// <summary>Opens a disk image to read it only, with an overlay that has what the guest writes.</summary>
    /// <param name="path">A file or block device; others may read it meanwhile.</param>
    /// <param name="overlay">A file, which is made if it is not there.</param>
    /// <exception cref="DeviceException">One of them cannot be used, or they do not belong together.</exception>
    public static BlockImage OpenOverlay(string path, string overlay)
    {
        FileStore below = DiskFiles.OpenImage(path, readOnly: true, out FileStatus status);
        return Closing(below, () =>
        {
            if (FileStatus.TryGet(overlay, out FileStatus other) && other.Identity == status.Identity)
                throw new DeviceException($"disk image '{path}' cannot be its own overlay; name another file");
            BaseIdentity identity = BaseIdentity.Of(status, MeasureBase(below, path));
            FileStore above = DiskFiles.OpenOverlay(overlay, out _);
            return Closing(above, () =>
            {
                OverlayStore store = Qcow2Overlay.Open(below, path, identity, above, overlay, Qcow2Overlay.BootOfHost(), out bool made);
                if (made)
                    DiskFiles.SyncFolderOf(overlay);
                return new BlockImage(overlay, store, identity.Length, readOnly: false);
            });
        });
    }

    /// <summary>Opens a disk image to read it only; what the guest writes vanishes when this is closed.</summary>
    /// <param name="path">A file or block device; others may read it meanwhile.</param>
    /// <exception cref="DeviceException">It cannot be used, or there is no room for what will be written.</exception>
    public static BlockImage OpenSnapshot(string path)
    {
        FileStore below = DiskFiles.OpenImage(path, readOnly: true, out _);
        return Closing(below, () =>
        {
            long length = MeasureBase(below, path);
            return new BlockImage(path, Qcow2Overlay.OpenForgetful(below, length, DiskFiles.OpenNameless()), length, readOnly: false);
        });
    }

    /// <summary>Reads into guest memory.</summary>
    /// <param name="vector">Where to.</param>
    /// <param name="offset">Bytes from the start.</param>
    /// <param name="error">What stopped it; 0 when nothing did, or the file ended.</param>
    /// <returns>Bytes read.</returns>
    public int Read(GuestVector vector, long offset, out HostErrno error) => _store.Read(vector, offset, out error);

    /// <summary>Writes guest memory. The caller has checked that it ends within <see cref="Length"/>.</summary>
    /// <returns>Bytes written.</returns>
    public int Write(GuestVector vector, long offset, out HostErrno error) => _store.Write(vector, offset, out error);

    /// <summary>Returns when everything written is on the medium; of a snapshot, whose writes vanish, at once.</summary>
    /// <returns>0, or the error: then some of it may never get there.</returns>
    public HostErrno Sync() => ReadOnly ? 0 : _store.Sync();

    /// <summary>Closes the file, and so unlocks it. Does not sync.</summary>
    public void Dispose() => _store.Dispose();

    /// <summary>For tests: a disk on a descriptor that gives the errors wanted.</summary>
    internal static BlockImage OnDescriptor(string name, int fd, long length, bool readOnly) => new(name, new FileStore(fd), length, readOnly);

    /// <summary>Makes something of a file, or closes it.</summary>
    private static BlockImage Closing(FileStore store, Func<BlockImage> make)
    {
        try
        {
            return make();
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    private static long Measure(FileStore store, string path)
    {
        if (store.Measure(out long length) is var error and not 0)
            throw new DeviceException($"cannot measure disk image '{path}': {HostMessage.Of(error)}");
        return length >= SectorSize ? length : throw new DeviceException($"disk image '{path}' has {length} bytes: not even one sector of {SectorSize}");
    }

    private static long MeasureBase(FileStore store, string path)
    {
        byte[] start = new byte[sizeof(uint)];
        if (store.ReadAt(start, 0, out _) == 0 && Qcow2Header.IsQcow2(start))
            throw new DeviceException($"disk image '{path}' is a qcow2 file, which cannot be a base; 'qemu-img convert -O raw' makes one of it");
        return Measure(store, path);
    }
}
