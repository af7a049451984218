// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.Devices.Backends;
using Lguest.GuestAbi;

namespace Lguest.Devices.Bus.Dma;

// [D:170] A disk
/// <summary>
/// A disk. The guest describes one request in the device's page and sends DMA to the key that is the page's address: with the
/// data for a write, empty for a read, whose data goes to the reply buffer that the guest bound at the same key. Whatever the
/// end, the answer is the same: result in the page, used_len in the reply buffer, and the irq (abi.md §6.4).
/// </summary>
/// <param name="image">The host's side of the disk; it outlives the device.</param>
/// <param name="complaints">Who hears of requests that make no sense.</param>
public sealed class BlockDevice(BlockImage image, Complaints? complaints = null) : IGuestDevice
{
    private static readonly uint ResultOffset = (uint)Marshal.OffsetOf<BlockPage>(nameof(BlockPage.Result));
    private static readonly uint NumSectorsOffset = (uint)Marshal.OffsetOf<BlockPage>(nameof(BlockPage.NumSectors));

    private readonly Complaints _complaints = complaints ?? Complaints.Silent;
    private readonly GuestVector _reply = new();
    private GuestMemory? _memory;
    private uint _page;

    /// <inheritdoc/>
    public DeviceType Type => DeviceType.Block;

    /// <summary>A disk's timing is random enough for the guest's entropy pool.</summary>
    public DeviceFeatures Features => DeviceFeatures.Randomness;

    /// <inheritdoc/>
    public int PageCount => 1;

    /// <inheritdoc/>
    public string Description =>
        $"block {image.Path}, {image.Sectors} sectors{(image.ReadOnly ? ", read-only" : string.Empty)}";

    /// <inheritdoc/>
    public void Attach(GuestMemory memory, uint firstPage)
    {
        _memory = memory;
        _page = firstPage;
        memory.WriteUInt32(firstPage + NumSectorsOffset, image.Sectors);
    }

    /// <inheritdoc/>
    public bool Watches(uint key) => _memory != null && key == _page;

    /// <inheritdoc/>
    public uint HandleOutput(IGuestChannel channel, uint key, GuestVector sent)
    {
        GuestMemory memory = _memory ?? throw new InvalidOperationException("the device is not on a bus");
        // Read once: the page is the guest's to change, and all that follows goes by this copy.
        BlockPage request = memory.ReadValue<BlockPage>(_page);

        // Without a reply buffer there is no irq either. The guest finds its error if it looks.
        long replyAddress = channel.GetDma(_page);
        if (replyAddress < 0)
        {
            _complaints.Once("block reply", $"{image.Path}: the guest made a request without a reply buffer");
            memory.WriteUInt32(_page + ResultOffset, (uint)BlockResult.Error);
            return 0;
        }

        uint reply = (uint)replyAddress;
        uint irq;
        try
        {
            irq = memory.ReadUInt32(reply); // Read once
        }
        catch (GuestAddressException wrong)
        {
            _complaints.Once("block reply address", $"{image.Path}: reply buffer: {wrong.Message}");
            memory.WriteUInt32(_page + ResultOffset, (uint)BlockResult.Error);
            return 0;
        }

        BlockResult result = BlockResult.Error;
        uint used = 0;
        try
        {
            result = request.Type switch
            {
                BlockRequestType.Read => Read(memory, request, reply, out used),
                BlockRequestType.Write => Write(request, sent),
                _ => Refuse($"request of unknown type {(int)request.Type}"),
            };
        }
        catch (GuestAddressException wrong)
        {
            Refuse(wrong.Message);
        }

        // [D:180+6] The order of an answer
        // The guest looks at the result as soon as it has its interrupt, and at the length when it has seen the result. So the
        // length is written first and the interrupt is raised last.
        memory.WriteUInt32(reply, used);
        memory.WriteUInt32(_page + ResultOffset, (uint)result);

        // A guest that died meanwhile does not answer here; the next read says so.
        _ = channel.RaiseIrq(irq);
        return 0;
    }

    private BlockResult Read(GuestMemory memory, in BlockPage request, uint reply, out uint used)
    {
        used = 0;
        if (request.Bytes % BlockPage.SectorSize != 0)
            return Refuse($"read of {request.Bytes} bytes, which are not whole sectors");

        // A read fills the reply buffer as far as the disk reaches, as in 2007, and is an error if that is not what was asked
        // for: some bytes that nobody will look at do no harm.
        long offset = (long)request.Sector * BlockPage.SectorSize;
        _reply.Load(memory, reply, toGuest: true);
        _reply.Limit(((long)image.Sectors * BlockPage.SectorSize) - offset);
        used = (uint)image.Read(_reply, offset, out HostErrno error);
        if (used == request.Bytes)
            return BlockResult.Ok;
        return Refuse($"read of {request.Bytes} bytes at sector {request.Sector} of {image.Sectors} gave {used}{Describe(error)}");
    }

    private BlockResult Write(in BlockPage request, GuestVector sent)
    {
        if (!IsSaneWrite(request, sent.Length))
            return BlockResult.Error;
        if (image.ReadOnly)
            return Refuse("write to a read-only disk");
        uint written = (uint)image.Write(sent, (long)request.Sector * BlockPage.SectorSize, out HostErrno error);
        if (written == request.Bytes)
            return BlockResult.Ok;
        return Refuse($"write of {request.Bytes} bytes at sector {request.Sector} took {written}{Describe(error)}");
    }

    // [D:190+16] Half a write is worse than none
    /// <summary>
    /// A write must be whole sectors, all of them on the disk, and as long as the buffers that came with it. Nothing of any
    /// other write is carried out: half a write is worse than none, and one beyond the end would make the file longer.
    /// </summary>
    private bool IsSaneWrite(in BlockPage request, int length)
    {
        if ((uint)length != request.Bytes || length % BlockPage.SectorSize != 0)
        {
            Refuse($"write of {request.Bytes} bytes with buffers of {length}");
            return false;
        }

        if (request.Sector + (ulong)(length / BlockPage.SectorSize) > image.Sectors)
        {
            Refuse($"write of {length} bytes at sector {request.Sector} of {image.Sectors}");
            return false;
        }

        return true;
    }

    private BlockResult Refuse(string why)
    {
        _complaints.Once("block " + image.Path, $"{image.Path}: {why}");
        return BlockResult.Error;
    }

    private static string Describe(HostErrno error) =>
        error == 0 ? string.Empty : $": {HostMessage.Of(error)}";
}
