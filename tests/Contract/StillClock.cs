// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Tests.Contract;

/// <summary>Time that moves only when a test moves it, or by a step at each look.</summary>
internal sealed class StillClock : IGuestTime
{
    private long _monotonic = 1_000_000_000;

    public long Monotonic => Interlocked.Add(ref _monotonic, Step);

    public long Wall { get; set; } = 1_172_000_000_123_456_789;

    public ulong Tsc => (ulong)Monotonic;

    public uint TscKhz { get; set; } = 1_234_567;

    /// <summary>Nanoseconds that pass whenever somebody looks.</summary>
    public long Step { get; set; }

    public long HostWait(long nanoseconds) => nanoseconds;

    public void Advance(long nanoseconds) => Interlocked.Add(ref _monotonic, nanoseconds);
}
