// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using Lguest.Devices.Backends;

namespace Lguest.Devices.Models;

// [D:170] A disk
/// <summary>A disk: sectors of 512 bytes, read and written by whole ones.</summary>
/// <param name="image">The host's side of the disk; it outlives the model.</param>
/// <param name="complaints">Who hears of requests that make no sense.</param>
public sealed class DiskModel(BlockImage image, Complaints? complaints = null) : DeviceModel
{
    /// <summary>Bytes in a sector, whatever the bus.</summary>
    public const int SectorSize = BlockImage.SectorSize;

    private readonly Complaints _complaints = complaints ?? Complaints.Silent;

    /// <inheritdoc/>
    public override string Description =>
        $"block {image.Path}, {image.Sectors} sectors{(image.ReadOnly ? ", read-only" : string.Empty)}";

    /// <summary>Its name on the host.</summary>
    public string Path => image.Path;

    /// <summary>Its size.</summary>
    public uint Sectors => image.Sectors;

    /// <summary>Whether the guest may only read.</summary>
    public bool IsReadOnly => image.ReadOnly;

    /// <summary>
    /// Reads. The target is filled as far as the disk reaches, as in 2007, and it is an error if that is not what was asked for:
    /// some bytes that nobody will look at do no harm.
    /// </summary>
    /// <param name="sector">The first sector.</param>
    /// <param name="bytes">Bytes that the guest asks for.</param>
    /// <param name="target">Where to; it is used up.</param>
    /// <param name="read">Bytes that were read.</param>
    /// <returns>Whether the guest got what it asked for.</returns>
    public bool Read(ulong sector, uint bytes, GuestVector target, out uint read)
    {
        read = 0;
        DiskRequest request = new(DiskOperation.Read, sector, bytes, IsDone: false);
        if (bytes % SectorSize != 0)
            return Refuse(request, $"read of {bytes} bytes, which are not whole sectors");
        HostErrno error = 0;
        if (sector < image.Sectors)
        {
            target.Limit((long)(image.Sectors - sector) * SectorSize);
            read = (uint)image.Read(target, (long)sector * SectorSize, out error);
        }

        return read == bytes
            ? Done(request)
            : Refuse(request, $"read of {bytes} bytes at sector {sector} of {image.Sectors} gave {read}{Describe(error)}");
    }

    /// <summary>Writes.</summary>
    /// <param name="sector">The first sector.</param>
    /// <param name="bytes">Bytes that the guest announces.</param>
    /// <param name="source">Where from; it is used up.</param>
    /// <returns>Whether all of it was written.</returns>
    public bool Write(ulong sector, uint bytes, GuestVector source)
    {
        DiskRequest request = new(DiskOperation.Write, sector, bytes, IsDone: false);
        if (WhyInsane(sector, bytes, source.Length) is { } wrong)
            return Refuse(request, wrong);
        if (image.ReadOnly)
            return Refuse(request, "write to a read-only disk");
        uint written = (uint)image.Write(source, (long)sector * SectorSize, out HostErrno error);
        return written == bytes
            ? Done(request)
            : Refuse(request, $"write of {bytes} bytes at sector {sector} took {written}{Describe(error)}");
    }

    /// <summary>Brings everything that was written to the medium.</summary>
    /// <returns>Whether it is there.</returns>
    public bool Flush()
    {
        DiskRequest request = new(DiskOperation.Flush, 0, 0, IsDone: false);
        HostErrno error = image.Sync();
        return error == 0 ? Done(request) : Refuse(request, $"flush{Describe(error)}");
    }

    /// <summary>The disk's name for the guest: the same for the same file name, and says nothing else of the host.</summary>
    public void CopyIdentity(Span<byte> target)
    {
        target.Clear();
        const ulong offsetBasis = 0xCBF2_9CE4_8422_2325;
        const ulong prime = 0x0000_0100_0000_01B3;
        ulong hash = offsetBasis; // FNV-1a: the runtime's hashes are OpenSSL's, which a sealed launcher cannot load.
        foreach (byte letter in Encoding.UTF8.GetBytes(image.Path))
            hash = (hash ^ letter) * prime;
        string name = string.Create(CultureInfo.InvariantCulture, $"{hash:x20}");
        Encoding.ASCII.GetBytes(name.AsSpan(0, Math.Min(name.Length, target.Length)), target);
    }

    /// <summary>Refuses a request, or says that it went wrong.</summary>
    /// <param name="request">What was asked.</param>
    /// <param name="why">For whoever develops the guest.</param>
    /// <returns>False.</returns>
    public bool Refuse(in DiskRequest request, string why)
    {
        _complaints.Once("block " + image.Path, $"{image.Path}: {why}");
        Observer?.Requested(this, request);
        return false;
    }

    private bool Done(in DiskRequest request)
    {
        Observer?.Requested(this, request with { IsDone = true });
        return true;
    }

    // [D:190+16] Half a write is worse than none
    /// <summary>
    /// A write must be whole sectors, all of them on the disk, and as long as the buffers that came with it. Nothing of any
    /// other write is carried out: half a write is worse than none, and one beyond the end would make the file longer.
    /// </summary>
    private string? WhyInsane(ulong sector, uint bytes, int length)
    {
        if ((uint)length != bytes || length % SectorSize != 0)
            return $"write of {bytes} bytes with buffers of {length}";

        // Not by a sum, which a sector of 64 bits would make overflow.
        uint sectors = (uint)length / SectorSize;
        return sectors > image.Sectors || sector > image.Sectors - sectors
            ? $"write of {length} bytes at sector {sector} of {image.Sectors}"
            : null;
    }

    private static string Describe(HostErrno error) =>
        error == 0 ? string.Empty : $": {HostMessage.Of(error)}";
}
