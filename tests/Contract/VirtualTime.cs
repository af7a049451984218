// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Tests.Contract;

/// <summary>Time that only the guest moves: a microsecond when it reads the counter, and as long as it wants to sleep when it sleeps.</summary>
internal sealed class VirtualTime : IGuestTime
{
    /// <summary>Nanoseconds that reading the counter costs.</summary>
    public const uint PerRead = 1_000;

    private const long StartOfWall = 1_190_000_000_000_000_000;
    private long _now = 900_000_000;

    public long Monotonic => _now;

    public long Wall => StartOfWall + _now;

    public ulong Tsc => (ulong)(_now += PerRead);

    public uint TscKhz => 1_000_000;

    public long HostWait(long nanoseconds)
    {
        if (nanoseconds < 0)
            return nanoseconds;
        _now += nanoseconds;
        return 0;
    }
}
