// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Tests.Support;

/// <summary>Time that passes when a test says so.</summary>
public sealed class ManualClock : TimeProvider
{
    private long _now;

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override long GetTimestamp() => _now;

    /// <summary>Lets time pass.</summary>
    public void Advance(TimeSpan time) => _now += time.Ticks;
}
