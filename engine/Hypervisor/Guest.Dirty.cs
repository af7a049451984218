// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Hypervisor;

/// <summary>Which pages of its memory a guest has written.</summary>
public sealed unsafe partial class Guest : IDirtyTracker
{
    // The hypervisor has written lguest_data since pages were last taken: whenever the guest comes out it may, and says nothing.
    private bool _hasRun;

    /// <inheritdoc/>
    public IDirtyTracker Writes => this;

    /// <inheritdoc/>
    public bool TracksWrites => _memory.Dirty is not null;

    /// <inheritdoc/>
    public void TrackWrites()
    {
        if (TracksWrites)
            return;
        _memory.TrackWrites();
        _core.PagesAreClean();
        _hasRun = false;
    }

    // [M:185] Which pages were written?
    // A page that is clean is read-only for the guest, whatever its tables say; the first write to it comes by the way on which a
    // page comes into a window ([T:220]) or into the interpreter's table, where it is noted, and the page can be written from then
    // on. So each page costs once, and a guest that nobody asks about pays nothing. What the host writes it announces.
    /// <inheritdoc/>
    public IReadOnlyList<MemoryRange> TakeAndClear(MemoryRange range)
    {
        IReadOnlyList<MemoryRange> taken = Log().TakeAndClear(range);
        _core.PagesAreClean();
        return taken;
    }

    /// <inheritdoc/>
    public IReadOnlyList<MemoryRange> EverWritten(MemoryRange range) => Log().EverWritten(range);

    private DirtyLog Log()
    {
        DirtyLog log = _memory.Dirty ?? throw new InvalidOperationException("the guest's writes are not tracked");
        if (_hasRun && _data is not null)
            log.HostWrites(_data.Address, _abi.Data.Size);
        _hasRun = false;
        return log;
    }
}
