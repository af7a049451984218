// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.GuestAbi;
using NSubstitute;

namespace Lguest.Tests.Support;

/// <summary>
/// A channel without an engine, on NSubstitute: the test says which buffers are bound and what reads answer, and sees the irqs.
/// </summary>
public sealed class FakeChannel
{
    private readonly GuestMemory? _memory;
    private readonly Dictionary<uint, (uint Dma, uint Irq)> _bindings = [];

    /// <summary>A channel to a guest with this memory.</summary>
    public FakeChannel(GuestMemory? memory = null)
    {
        _memory = memory;
        Channel = Substitute.For<IGuestChannel>();
        Channel.Write(Arg.Any<ReadOnlyMemory<byte>>()).Returns(call => Answer(MemoryMarshal.Cast<byte, uint>(call.Arg<ReadOnlyMemory<byte>>().Span)));
    }

    /// <summary>For whoever is tested.</summary>
    public IGuestChannel Channel { get; }

    /// <summary>Irqs raised, in order.</summary>
    public List<uint> Irqs { get; } = [];

    /// <summary>Times that BREAK 0 was written.</summary>
    public int Releases { get; private set; }

    /// <summary>Times that somebody asked for a buffer.</summary>
    public int BufferRequests { get; private set; }

    /// <summary>Binds one buffer at a key, as the guest would.</summary>
    public void Bind(uint key, uint dma, uint irq) => _bindings[key] = (dma, irq);

    /// <summary>Lets reads answer, one after the other.</summary>
    public void Reads(params Func<Memory<byte>, long>[] answers)
    {
        Queue<Func<Memory<byte>, long>> queue = new(answers);
        Channel.Read(Arg.Any<Memory<byte>>()).Returns(call => queue.Dequeue()(call.Arg<Memory<byte>>()));
    }

    private long Answer(ReadOnlySpan<uint> words)
    {
        switch ((ChannelRequest)words[0])
        {
            case ChannelRequest.GetDma:
                BufferRequests++;
                if (!_bindings.TryGetValue(words[1], out (uint Dma, uint Irq) bound))
                    return -Errno.ENOENT;
                if (_memory!.Contains(bound.Dma, LguestDma.Size))
                {
                    if (_memory.ReadUInt32(bound.Dma) != 0)
                        return -Errno.ENOENT;
                    _memory.WriteUInt32(bound.Dma, bound.Irq);
                }

                return bound.Dma;
            case ChannelRequest.Irq:
                Irqs.Add(words[1]);
                return 0;
            case ChannelRequest.Break when words[1] == 0:
                Releases++;
                return 0;
            case ChannelRequest.Initialize:
                return 16;
            default:
                return 0;
        }
    }
}
