// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lguest.GuestAbi;
using Tmds.Linux;

namespace Lguest.Devices;

/// <summary>
/// A scatter list as <c>preadv</c> and <c>pwritev</c> want it: runs of guest memory, each checked. Whatever a bus calls the guest's
/// own list, this is what devices and the host see of it. The kernel moves the bytes between a disk and the guest directly; nothing
/// is copied on the way. One vector is reused for every request, so that a request allocates nothing.
/// </summary>
public sealed unsafe class GuestVector
{
    /// <summary>Runs of memory at most: what the kernel takes in one call, and one for <see cref="After"/>.</summary>
    public const int MaxSections = IovMax - Origin;

    /// <summary>What the kernel takes in one call (UIO_MAXIOV).</summary>
    private const int IovMax = 1024;

    /// <summary>The first entry is for a header of the host's, the sections come after it.</summary>
    private const int Origin = 1;

    private iovec[] _sections = new iovec[Origin + LguestDma.MaxSections];
    private int _first = Origin;
    private int _end = Origin;

    /// <summary>Bytes left to transfer.</summary>
    public int Length { get; private set; }

    /// <summary>What is left, for a system call.</summary>
    public ReadOnlySpan<iovec> Sections => _sections.AsSpan(_first, _end - _first);

    /// <summary>Adds a run of guest memory.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="address">Guest physical address.</param>
    /// <param name="length">Bytes; 0 adds nothing.</param>
    /// <param name="toGuest">True when the guest's memory is going to be written: engines are told.</param>
    /// <exception cref="GuestAddressException">It is not all the guest's; nothing is added.</exception>
    /// <exception cref="InvalidOperationException">There would be more than <see cref="MaxSections"/>, or 2 GiB.</exception>
    public void Add(GuestMemory memory, uint address, uint length, bool toGuest)
    {
        if (length == 0)
            return;
        if (_end == Origin + MaxSections || length > int.MaxValue - (uint)Length)
            throw new InvalidOperationException($"a list of {_end - Origin} sections and {Length} bytes is full");
        ReadOnlySpan<byte> span = toGuest ? memory.Write(address, length) : memory.Read(address, length);
        Add(Unsafe.AsPointer(ref MemoryMarshal.GetReference(span)), (int)length);
    }

    /// <summary>Takes memory of the host instead, which must not move while this is used.</summary>
    internal void LoadHost(byte[] pinned, int length)
    {
        Clear();
        Add(Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned)), length);
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        _first = _end = Origin;
        Length = 0;
    }

    /// <summary>What is left, after a few bytes of the host's own: for protocols with a header in front of each packet.</summary>
    /// <param name="header">Memory that stays where it is until the call returns.</param>
    /// <param name="length">Bytes of it.</param>
    internal ReadOnlySpan<iovec> After(void* header, int length)
    {
        ref iovec place = ref _sections[_first - 1];
        place.iov_base = header;
        place.iov_len = length;
        return _sections.AsSpan(_first - 1, _end - _first + 1);
    }

    /// <summary>Cuts off what is beyond <paramref name="bytes"/>.</summary>
    public void Limit(long bytes)
    {
        int rest = (int)Math.Clamp(bytes, 0, Length);
        Length = rest;
        int end = _first;
        for (; rest > 0; end++)
        {
            ref iovec section = ref _sections[end];
            section.iov_len = Math.Min((int)section.iov_len, rest);
            rest -= (int)section.iov_len;
        }

        _end = end;
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

    /// <summary>Moves the first bytes to another vector: what is left here comes after them.</summary>
    /// <param name="part">Forgets what it had.</param>
    /// <param name="bytes">At most <see cref="Length"/>.</param>
    internal void MoveTo(GuestVector part, int bytes)
    {
        part.Clear();
        int rest = bytes;
        for (int i = _first; rest > 0; i++)
        {
            int step = Math.Min((int)_sections[i].iov_len, rest);
            part.Add(_sections[i].iov_base, step);
            rest -= step;
        }

        Consume(bytes);
    }

    /// <summary>Fills what is left with zeros, and uses it up.</summary>
    internal void FillWithZeros()
    {
        foreach (ref readonly iovec section in Sections)
            new Span<byte>(section.iov_base, (int)section.iov_len).Clear();
        Consume(Length);
    }

    /// <summary>Copies the first bytes of the vector into host memory.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="skip">Bytes to leave out before them.</param>
    /// <returns>Bytes copied: the smaller of both lengths.</returns>
    public int CopyTo(Span<byte> target, int skip = 0)
    {
        int copied = 0;
        foreach (ref readonly iovec section in Sections)
        {
            int start = Math.Min((int)section.iov_len, skip);
            skip -= start;
            int step = Math.Min((int)section.iov_len - start, target.Length - copied);
            new ReadOnlySpan<byte>((byte*)section.iov_base + start, step).CopyTo(target[copied..]);
            copied += step;
        }

        return copied;
    }

    /// <summary>Copies from host memory into the vector: for the few bytes that somebody typed.</summary>
    /// <returns>Bytes copied: the smaller of both lengths.</returns>
    public int CopyFrom(ReadOnlySpan<byte> source)
    {
        int copied = 0;
        foreach (ref readonly iovec section in Sections)
        {
            int step = Math.Min((int)section.iov_len, source.Length - copied);
            source.Slice(copied, step).CopyTo(new Span<byte>(section.iov_base, (int)section.iov_len));
            copied += step;
        }

        return copied;
    }

    private void Add(void* start, int length)
    {
        if (_end == _sections.Length)
            Array.Resize(ref _sections, Math.Min(2 * _sections.Length, Origin + MaxSections));
        ref iovec section = ref _sections[_end++];
        section.iov_base = start;
        section.iov_len = length;
        Length += length;
    }
}
