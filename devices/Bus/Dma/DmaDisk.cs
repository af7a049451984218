// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Devices.Models;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

// [D:175] How a disk is asked
/// <summary>
/// A disk on this bus. The guest describes one request in the device's page and sends DMA to the key that is the page's address:
/// with the data for a write, empty for a read, whose data goes to the reply buffer that the guest bound at the same key. Whatever
/// the end, the answer is the same: result in the page, used_len in the reply buffer, and the irq (abi.md §6.4).
/// </summary>
/// <param name="disk">What the disk does.</param>
/// <param name="complaints">Who hears of requests that make no sense.</param>
public sealed class DmaDisk(DiskModel disk, Complaints? complaints = null) : IDmaDevice
{
    /// <summary>Pages of device memory: one, for the request and its result.</summary>
    public const int Pages = 1;

    private static readonly uint ResultOffset = (uint)Marshal.OffsetOf<BlockPage>(nameof(BlockPage.Result));
    private static readonly uint NumSectorsOffset = (uint)Marshal.OffsetOf<BlockPage>(nameof(BlockPage.NumSectors));

    private readonly Complaints _complaints = complaints ?? Complaints.Silent;
    private readonly GuestVector _reply = new();
    private GuestMemory? _memory;
    private uint _page;

    /// <inheritdoc/>
    public DeviceModel Model => disk;

    /// <inheritdoc/>
    public DeviceType Type => DeviceType.Block;

    /// <summary>A disk's timing is random enough for the guest's entropy pool.</summary>
    public DeviceFeatures Features => DeviceFeatures.Randomness;

    /// <inheritdoc/>
    public int PageCount => Pages;

    /// <inheritdoc/>
    public void Attach(GuestMemory memory, uint firstPage)
    {
        _memory = memory;
        _page = firstPage;
        memory.WriteUInt32(firstPage + NumSectorsOffset, disk.Sectors);
    }

    /// <inheritdoc/>
    public bool Watches(uint key) => _memory != null && key == _page;

    /// <inheritdoc/>
    public uint HandleOutput(IDmaGuest guest, uint key, GuestVector sent)
    {
        GuestMemory memory = _memory ?? throw new InvalidOperationException("the device is not on a bus");
        // Read once: the page is the guest's to change, and all that follows goes by this copy.
        BlockPage request = memory.ReadValue<BlockPage>(_page);

        // Without a reply buffer there is no irq either. The guest finds its error if it looks.
        if (guest.TakeBuffer(_page) is not { } reply)
        {
            Refuse(request, "block reply", "the guest made a request without a reply buffer");
            memory.WriteUInt32(_page + ResultOffset, (uint)BlockResult.Error);
            return 0;
        }

        uint irq;
        try
        {
            irq = memory.ReadUInt32(reply); // Read once
        }
        catch (GuestAddressException wrong)
        {
            Refuse(request, "block reply address", $"reply buffer: {wrong.Message}");
            memory.WriteUInt32(_page + ResultOffset, (uint)BlockResult.Error);
            return 0;
        }

        uint used = 0;
        bool isDone = false;
        try
        {
            switch (request.Type)
            {
                case BlockRequestType.Read:
                    _reply.Load(memory, reply, toGuest: true);
                    isDone = disk.Read(request.Sector, request.Bytes, _reply, out used);
                    break;
                case BlockRequestType.Write:
                    isDone = disk.Write(request.Sector, request.Bytes, sent);
                    break;
                default:
                    disk.Refuse(Describe(request), $"request of unknown type {(int)request.Type}");
                    break;
            }
        }
        catch (GuestAddressException wrong)
        {
            disk.Refuse(Describe(request), wrong.Message);
        }

        // [D:180+6] The order of an answer
        // The guest looks at the result as soon as it has its interrupt, and at the length when it has seen the result. So the
        // length is written first and the interrupt is raised last.
        memory.WriteUInt32(reply, used);
        memory.WriteUInt32(_page + ResultOffset, (uint)(isDone ? BlockResult.Ok : BlockResult.Error));

        // A guest that died meanwhile does not answer here; its next run says so.
        _ = guest.RaiseIrq(irq);
        return 0;
    }

    private void Refuse(in BlockPage request, string kind, string why)
    {
        _complaints.Once(kind, $"{disk.Path}: {why}");
        disk.Observer?.Requested(disk, Describe(request));
    }

    private static DiskRequest Describe(in BlockPage request)
    {
        DiskOperation operation = request.Type switch
        {
            BlockRequestType.Read => DiskOperation.Read,
            BlockRequestType.Write => DiskOperation.Write,
            _ => DiskOperation.Unknown,
        };
        return new(operation, request.Sector, request.Bytes, IsDone: false);
    }
}
