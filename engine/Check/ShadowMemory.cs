// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using static Tmds.Linux.LibC;

namespace Lguest.Engine.Check;

/// <summary>
/// Guest memory as it should be: a copy that takes only what both engines wrote, and the host. Whatever else is different was
/// written by the translator alone, where it should not have.
/// </summary>
internal sealed unsafe class ShadowMemory : IDisposable
{
    private readonly GuestMemory _memory;
    private readonly byte* _copy;
    private readonly nuint _bytes;
    private readonly HashSet<uint> _shared = [];

    public ShadowMemory(GuestMemory memory)
    {
        _memory = memory;
        _bytes = (nuint)memory.Top;
        _copy = MemoryMap.Map(
            null, _bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        foreach (MemoryRange range in memory.Ranges)
        {
            for (ulong page = range.Start; page < range.End; page += Page.Size)
            {
                // A network's page: others write there whenever they like.
                if (memory.Backing((uint)page) != (memory.FileDescriptor, page))
                    _shared.Add((uint)page);
            }
        }

        TakeAll();
    }

    /// <summary>Takes over all of memory.</summary>
    public void TakeAll()
    {
        foreach (MemoryRange range in _memory.Ranges)
        {
            for (ulong page = range.Start; page < range.End; page += Page.Size)
            {
                // Page by page, so that memory that nobody has touched stays untouched in the copy.
                if (!Differs((uint)page, (int)Page.Size))
                    continue;
                Take((uint)page, (int)Page.Size);
            }
        }
    }

    /// <summary>Takes over some bytes, as far as they are the guest's.</summary>
    public void Take(uint physical, int size)
    {
        ulong end = Math.Min((ulong)physical + (ulong)size, _memory.Top);
        if (physical < end)
            Buffer.MemoryCopy(_memory.Base + physical, _copy + physical, end - physical, end - physical);
    }

    /// <summary>Whether bytes of one range are not as they should be.</summary>
    public bool Differs(uint physical, int size) =>
        !new ReadOnlySpan<byte>(_memory.Base + physical, size).SequenceEqual(new ReadOnlySpan<byte>(_copy + physical, size));

    /// <summary>A page as it should be.</summary>
    public ReadOnlySpan<byte> Expected(uint physical) => new(_copy + physical, (int)Page.Size);

    /// <summary>What should be at an address.</summary>
    public byte this[uint physical] => _copy[physical];

    /// <summary>
    /// The first byte of a range of one page that is not as it should be. Page table entries that were only marked as used or
    /// written are taken over.
    /// </summary>
    public uint? FirstDifference(uint physical, int size)
    {
        if (!Differs(physical, size) || _shared.Contains(physical & ~Page.OffsetMask))
            return null;
        for (uint at = physical; at < physical + (uint)size; at++)
        {
            byte difference = (byte)(_memory.Base[at] ^ _copy[at]);
            if (difference == 0)
                continue;
            if ((at & 3) != 0 || (difference & ~WriteJournal.Marks) != 0)
                return at;
            _copy[at] = _memory.Base[at];
        }

        return null;
    }

    /// <summary>The same for all of memory.</summary>
    public uint? FirstDifference()
    {
        foreach (MemoryRange range in _memory.Ranges)
        {
            for (ulong page = range.Start; page < range.End; page += Page.Size)
            {
                if (FirstDifference((uint)page, (int)Page.Size) is { } at)
                    return at;
            }
        }

        return null;
    }

    public void Dispose() => MemoryMap.Unmap(_copy, _bytes);
}
