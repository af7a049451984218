// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text;
using Lguest.Devices.Models;
using Lguest.Devices.Models.NineP;
using Lguest.GuestAbi;
using Lguest.GuestAbi.NineP;
using Lguest.GuestAbi.Virtio;

namespace Lguest.Devices.Virtio;

/// <summary>
/// A folder of the host (abi.md §10): one queue of messages, each with room for its answer. A message is copied before it is looked at, and
/// its answer is made in memory of ours.
/// </summary>
/// <param name="share">What the folder does.</param>
/// <param name="memory">The guest's memory.</param>
/// <param name="format">What requests look like.</param>
/// <param name="complaints">Who hears of drivers that break a rule.</param>
public sealed class VirtioNineP(NinePModel share, GuestMemory memory, VirtioFormat format, Complaints? complaints = null)
    : VirtioDevice(memory, format, queues: 1, complaints)
{
    private readonly byte[] _request = new byte[NinePModel.LongestMessage];
    private readonly byte[] _answer = new byte[NinePModel.LongestMessage];
    private readonly byte[] _tag = Encoding.UTF8.GetBytes(share.Tag);

    /// <inheritdoc/>
    public override DeviceModel Model => share;

    /// <inheritdoc/>
    public override VirtioId Id => VirtioId.NineP;

    /// <summary>The tag: its length, and its bytes.</summary>
    public override int ConfigurationLength => sizeof(ushort) + _tag.Length;

    /// <inheritdoc/>
    protected override ulong OwnFeatures => VirtioFeatures.NinePTag;

    /// <inheritdoc/>
    public override void ReadConfiguration(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(target, (ushort)_tag.Length);
        _tag.CopyTo(target[sizeof(ushort)..]);
    }

    /// <inheritdoc/>
    protected override uint Answer(int queue, VirtqueueChain request)
    {
        if (request.In.Length < NinePFormat.ErrorAnswer)
            throw new VirtqueueException($"a message has room for an answer of {request.In.Length} bytes");

        // A longer one is refused by what is there of it: its length is not what it says.
        int length = request.Out.CopyTo(_request);
        int answered = share.Answer(_request.AsSpan(0, length), _answer.AsSpan(0, Math.Min(request.In.Length, _answer.Length)));
        return (uint)request.In.CopyFrom(_answer.AsSpan(0, answered));
    }
}
