// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>All of memory that is not as it was before a block, wherever it was written; but for what other processes can write.</summary>
internal sealed unsafe class ShadowDifference : IMemoryChange
{
    private readonly GuestMemory _memory;
    private readonly Dictionary<uint, (byte[] Before, byte[] After)> _pages = [];

    public ShadowDifference(GuestMemory memory, ShadowMemory shadow)
    {
        _memory = memory;
        foreach (MemoryRange range in memory.Ranges)
        {
            for (ulong page = range.Start; page < range.End; page += Page.Size)
            {
                uint at = (uint)page;
                if (!memory.IsForeign(at) && shadow.Differs(at, (int)Page.Size))
                    _pages.Add(at, (shadow.Expected(at).ToArray(), Now(at).ToArray()));
            }
        }
    }

    /// <inheritdoc/>
    public void TakeBack()
    {
        foreach ((uint at, (byte[] before, _)) in _pages)
            before.CopyTo(Now(at));
    }

    /// <inheritdoc/>
    public void DoAgain()
    {
        foreach ((uint at, (_, byte[] after)) in _pages)
            after.CopyTo(Now(at));
    }

    /// <inheritdoc/>
    public void Announce(IHostWriteObserver observer)
    {
        foreach (uint at in _pages.Keys)
            observer.HostWrites(at, Page.Size);
    }

    /// <inheritdoc/>
    public byte? After(uint physical) =>
        _pages.TryGetValue(physical & ~Page.OffsetMask, out (byte[] Before, byte[] After) page) ? page.After[physical & Page.OffsetMask] : null;

    private Span<byte> Now(uint at) => new(_memory.Base + at, (int)Page.Size);
}
