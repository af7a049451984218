// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lguest.GuestAbi;
using Tmds.Linux;

namespace Lguest.Devices;

/// <summary>
/// A <c>lguest_dma</c> turned into what <c>preadv</c> and <c>pwritev</c> want: up to 16 runs of guest memory, each checked.
/// The kernel moves the bytes between a disk and the guest directly; nothing is copied on the way. One vector is reused for
/// every request, so that a request allocates nothing.
/// </summary>
public sealed unsafe class GuestVector
{
    private readonly iovec[] _sections = new iovec[LguestDma.MaxSections];
    private int _first;

    /// <summary>Bytes left to transfer: at most 16 × 65535.</summary>
    public int Length { get; private set; }

    /// <summary>
    /// The array for the system call, always 16 entries: those done and those not used have length 0, which the call skips.
    /// </summary>
    public iovec[] Sections => _sections;

    // [D:140+24] Read once
    // A scatter list is the guest's memory: the guest could change it while we look, if it had a second processor; and in a page
    // that is shared with other guests, somebody else can. Whoever checks an address and then reads it *again* has checked
    // nothing. So the list is copied in one go, and the copy is what is checked and used. This rule holds wherever the host reads
    // what others can write, and you will find its mark, "Read once", all over the source ([M:130]).
    /// <summary>Takes the sections of a <c>lguest_dma</c>.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="dmaAddress">Guest physical address of the structure.</param>
    /// <param name="toGuest">True when the guest's memory is going to be written: engines are told.</param>
    /// <exception cref="GuestAddressException">The structure or one of its sections is not the guest's; nothing is taken.</exception>
    public void Load(GuestMemory memory, uint dmaAddress, bool toGuest)
    {
        Clear();

        // Read once: the list may lie where other processes write. What is checked is what is used.
        LguestDma dma = memory.ReadValue<LguestDma>(dmaAddress);
        int total = 0;
        for (int i = 0; i < LguestDma.MaxSections && dma.Len[i] != 0; i++)
        {
            // Checked before the first observer is told, so that a bad section at the end leaves no trace.
            if (!memory.Contains(dma.Addr[i], dma.Len[i]))
                throw new GuestAddressException(dma.Addr[i], dma.Len[i]);
        }

        for (int i = 0; i < LguestDma.MaxSections && dma.Len[i] != 0; i++)
        {
            ReadOnlySpan<byte> span = toGuest ? memory.Write(dma.Addr[i], dma.Len[i]) : memory.Read(dma.Addr[i], dma.Len[i]);
            _sections[i].iov_base = Unsafe.AsPointer(ref MemoryMarshal.GetReference(span));
            _sections[i].iov_len = dma.Len[i];
            total += dma.Len[i];
        }

        Length = total;
    }

    /// <summary>Takes memory of the host instead, which must not move while this is used.</summary>
    internal void LoadHost(byte[] pinned, int length)
    {
        Clear();
        _sections[0].iov_base = Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));
        _sections[0].iov_len = length;
        Length = length;
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        Array.Clear(_sections);
        _first = 0;
        Length = 0;
    }

    /// <summary>Cuts off what is beyond <paramref name="bytes"/>.</summary>
    public void Limit(long bytes)
    {
        int rest = (int)Math.Clamp(bytes, 0, Length);
        Length = rest;
        foreach (ref iovec section in _sections.AsSpan())
        {
            section.iov_len = Math.Min((int)section.iov_len, rest);
            rest -= (int)section.iov_len;
        }
    }

    /// <summary>The first <paramref name="bytes"/> have been transferred: what is left comes next.</summary>
    public void Consume(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Length);
        Length -= (int)bytes;
        while (bytes > 0)
        {
            ref iovec section = ref _sections[_first];
            int length = (int)section.iov_len;
            int step = (int)Math.Min(length, bytes);
            section.iov_base = (byte*)section.iov_base + step;
            section.iov_len = length - step;
            bytes -= step;
            if (step == length)
                _first++;
        }
    }

    /// <summary>Copies the first bytes of the vector into host memory.</summary>
    /// <returns>Bytes copied: the smaller of both lengths.</returns>
    public int CopyTo(Span<byte> target)
    {
        int copied = 0;
        foreach (ref readonly iovec section in _sections.AsSpan())
        {
            int step = Math.Min((int)section.iov_len, target.Length - copied);
            new ReadOnlySpan<byte>(section.iov_base, step).CopyTo(target[copied..]);
            copied += step;
        }

        return copied;
    }

    /// <summary>Copies from host memory into the vector: for the few bytes that somebody typed.</summary>
    /// <returns>Bytes copied: the smaller of both lengths.</returns>
    public int CopyFrom(ReadOnlySpan<byte> source)
    {
        int copied = 0;
        foreach (ref readonly iovec section in _sections.AsSpan())
        {
            int step = Math.Min((int)section.iov_len, source.Length - copied);
            source.Slice(copied, step).CopyTo(new Span<byte>(section.iov_base, (int)section.iov_len));
            copied += step;
        }

        return copied;
    }
}
