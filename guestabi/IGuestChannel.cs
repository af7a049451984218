// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace Lguest.GuestAbi;

/// <summary>First word of a write to the channel (abi.md §5).</summary>
public enum ChannelRequest : uint
{
    /// <summary>+ pfn limit, page directory, entry, page offset.</summary>
    Initialize = 0,

    /// <summary>+ key.</summary>
    GetDma = 1,

    /// <summary>+ irq.</summary>
    Irq = 2,

    /// <summary>+ 1 (on) or 0 (off).</summary>
    Break = 3,
}

/// <summary>
/// The other side of <c>/dev/lguest</c>: one guest, driven by writes of 32-bit little-endian words and by reads that run it
/// (abi.md §5). Results are what the system calls would return: a count or value, or a negated error number of
/// <see cref="Errno"/>. Only the thread that initialized the guest may use it, but for BREAK, which any thread may write.
/// </summary>
public interface IGuestChannel : IDisposable
{
    /// <summary>Writes a request.</summary>
    /// <param name="words">The request and its arguments, 4 bytes each.</param>
    /// <returns>
    /// INITIALIZE: 16, the bytes of its arguments. GETDMA: the guest physical address of a free lguest_dma, or −ENOENT. IRQ and
    /// BREAK: 0. BREAK 1 returns when another thread has written BREAK 0.
    /// </returns>
    long Write(ReadOnlyMemory<byte> words);

    /// <summary>Runs the guest until there is something to do.</summary>
    /// <param name="buffer">Where the answer goes; 8 bytes at least.</param>
    /// <returns>
    /// 8: the guest sent DMA; u32 address of the lguest_dma, u32 key. −EAGAIN: BREAK was asked for. −ENOENT: the guest is dead;
    /// the next read gives the reason, NUL included, cut to the buffer. −ERESTART: the guest pulled the reset line.
    /// </returns>
    long Read(Memory<byte> buffer);
}

/// <summary>The requests by name.</summary>
public static class GuestChannelExtensions
{
    /// <summary>Hands the guest over. Once only.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="pfnLimit">First page frame that is not the guest's.</param>
    /// <param name="pageDirectory">Guest physical address of the page directory.</param>
    /// <param name="entry">Virtual address of the first instruction.</param>
    /// <param name="pageOffset">Virtual minus physical address in the kernel's linear mapping.</param>
    /// <returns>16, −EBUSY when done already, −EINVAL when the page offset leaves no room.</returns>
    public static long Initialize(this IGuestChannel channel, uint pfnLimit, uint pageDirectory, uint entry, uint pageOffset) =>
        channel.Write(Words(ChannelRequest.Initialize, pfnLimit, pageDirectory, entry, pageOffset));

    /// <summary>Looks for a free buffer that the guest bound at a key; its irq is left in the buffer's used_len.</summary>
    /// <returns>Its guest physical address, or −ENOENT.</returns>
    public static long GetDma(this IGuestChannel channel, uint key) => channel.Write(Words(ChannelRequest.GetDma, key));

    /// <summary>Raises an irq.</summary>
    /// <returns>0, −EINVAL for an irq above 31, −ENOENT when the guest is dead.</returns>
    public static long RaiseIrq(this IGuestChannel channel, uint irq) => channel.Write(Words(ChannelRequest.Irq, irq));

    /// <summary>Makes the read return −EAGAIN; returns when <see cref="ReleaseBreak"/> was called.</summary>
    public static long Break(this IGuestChannel channel) => channel.Write(Words(ChannelRequest.Break, 1));

    /// <summary>Lets the guest run again.</summary>
    public static long ReleaseBreak(this IGuestChannel channel) => channel.Write(Words(ChannelRequest.Break, 0));

    /// <summary>A request as the bytes of its words.</summary>
    public static byte[] Words(ChannelRequest request, params ReadOnlySpan<uint> arguments)
    {
        byte[] bytes = new byte[sizeof(uint) * (1 + arguments.Length)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)request);
        for (int i = 0; i < arguments.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(sizeof(uint) * (i + 1)), arguments[i]);
        return bytes;
    }
}
