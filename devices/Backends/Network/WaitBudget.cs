// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Devices.Backends.Network;

/// <summary>
/// How long a guest's packets may wait for peers, all peers and all packets of a while together: a broadcast goes to hundreds of
/// slots, and whoever owns them may say nothing. What was spent comes back slowly, so that a guest that goes on sending to the
/// silent loses a twentieth of its time at most.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class WaitBudget(TimeProvider time)
{
    private const int Recovery = 20;
    private static readonly TimeSpan Most = TimeSpan.FromMilliseconds(4);

    /// <summary>A launcher that was stopped for an hour in the middle of a wait is forgiven.</summary>
    private static readonly TimeSpan MostDebt = 5 * Most;

    private TimeSpan _left = Most;
    private long _last = time.GetTimestamp();

    /// <summary>All that was waited so far, but for what the host added to it.</summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>Milliseconds that may be waited now, for one thing; 0: none.</summary>
    /// <param name="wanted">No more than this.</param>
    public int Grant(int wanted)
    {
        long now = time.GetTimestamp();
        _left += time.GetElapsedTime(_last, now) / Recovery;
        if (_left > Most)
            _left = Most;
        _last = now;
        return (int)Math.Clamp(_left.TotalMilliseconds, 0, wanted);
    }

    /// <summary>
    /// Books what a wait took, however long the host made it; it began right after <see cref="Grant"/>. A peer that was worth it
    /// costs less: two guests that keep each other busy do nothing wrong.
    /// </summary>
    /// <param name="granted">What was granted for it.</param>
    /// <param name="inVain">The peer did not do what was waited for.</param>
    public void Spend(int granted, bool inVain)
    {
        const int worthIt = 8;
        long now = time.GetTimestamp();
        TimeSpan took = time.GetElapsedTime(_last, now);
        _left -= took / (inVain ? 1 : worthIt);
        if (_left < -MostDebt)
            _left = -MostDebt;
        _last = now;
        Waited += TimeSpan.FromMilliseconds(Math.Min(granted, took.TotalMilliseconds));
    }
}
