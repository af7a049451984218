// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using Lguest.Devices.Models;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Virtio;

/// <summary>
/// A disk (abi.md §10): a request is a header that says what and where, then data one way or the other, and a byte for the answer, the
/// last that the device writes.
/// </summary>
/// <param name="disk">What the disk does.</param>
/// <param name="memory">The guest's memory.</param>
/// <param name="format">What requests look like.</param>
/// <param name="complaints">Who hears of drivers that break a rule.</param>
public sealed class VirtioBlock(DiskModel disk, GuestMemory memory, VirtioFormat format, Complaints? complaints = null)
    : VirtioDevice(memory, format, queues: 1, complaints)
{
    /// <summary>Bytes of a disk's name.</summary>
    private const int IdentityLength = 20;

    /// <inheritdoc/>
    public override DeviceModel Model => disk;

    /// <inheritdoc/>
    public override VirtioId Id => VirtioId.Block;

    /// <inheritdoc/>
    public override int ConfigurationLength => 36;

    /// <inheritdoc/>
    protected override ulong OwnFeatures =>
        VirtioFeatures.BlockSegmentMax | VirtioFeatures.BlockFlush | (disk.IsReadOnly ? VirtioFeatures.BlockReadOnly : 0);

    /// <inheritdoc/>
    public override void ReadConfiguration(Span<byte> target)
    {
        const int segmentMax = 12;
        BinaryPrimitives.WriteUInt64LittleEndian(target, disk.Sectors);

        // A header and an answer are pieces, too.
        BinaryPrimitives.WriteUInt32LittleEndian(target[segmentMax..], Virtqueue.LongestChain - 2);
    }

    /// <inheritdoc/>
    protected override uint Answer(int queue, VirtqueueChain request)
    {
        // Without a byte for the answer there can be none.
        if (request.LastIn is not { } place)
            return 0;
        uint room = (uint)request.In.Length;
        request.In.Limit(room - 1);
        uint written = 0;
        VirtioBlockStatus status = Execute(request, ref written);
        Memory.WriteValue(place, (byte)status);

        // The answer lies after all the room, and counts as all of it only if that is what was written.
        return status == VirtioBlockStatus.Ok ? written + 1 : 1;
    }

    private VirtioBlockStatus Execute(VirtqueueChain request, ref uint written)
    {
        Span<byte> header = stackalloc byte[Format.BlockHeader];

        // Read once: the header may lie anywhere, in any number of pieces.
        if (request.Out.CopyTo(header) < header.Length)
            return VirtioBlockStatus.Error;
        request.Out.Consume(header.Length);
        const int sectorOffset = 8;
        ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(header[sectorOffset..]);
        switch ((VirtioBlockType)BinaryPrimitives.ReadUInt32LittleEndian(header))
        {
            case VirtioBlockType.Read:
                return Of(disk.Read(sector, (uint)request.In.Length, request.In, out written));
            case VirtioBlockType.Write:
                return Of(disk.Write(sector, (uint)request.Out.Length, request.Out));
            case VirtioBlockType.Flush:
                return Of(disk.Flush());
            case VirtioBlockType.Identity:
                Span<byte> identity = stackalloc byte[IdentityLength];
                disk.CopyIdentity(identity);
                written = (uint)request.In.CopyFrom(identity);
                return Of(written == IdentityLength);
            default:
                return VirtioBlockStatus.Unsupported;
        }
    }

    private static VirtioBlockStatus Of(bool isDone) => isDone ? VirtioBlockStatus.Ok : VirtioBlockStatus.Error;
}
