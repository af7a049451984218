// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Check;

/// <summary>
/// What RDTSC read in one block, in order: the engine that goes second reads what the one that went first read, however much later.
/// </summary>
/// <param name="source">The guest's time.</param>
internal sealed class ClockTape(IGuestTime source)
{
    private readonly List<ulong> _values = [];
    private int _next;

    /// <summary>The guest's time for the engine that goes first: what it reads is noted, and read again when it begins again.</summary>
    public IGuestTime Recorded => new Head(this, records: true);

    /// <summary>The guest's time for the engine that goes second.</summary>
    public IGuestTime Replayed => new Head(this, records: false);

    /// <summary>Another block begins.</summary>
    public void Clear() => _values.Clear();

    /// <summary>The block begins again, or the other engine begins it.</summary>
    public void Rewind() => _next = 0;

    private IGuestTime Source => source;

    private ulong Read(bool records)
    {
        if (_next == _values.Count)
        {
            ulong now = source.Tsc;
            if (!records)
                return now;
            _values.Add(now);
        }

        return _values[_next++];
    }

    private sealed class Head(ClockTape tape, bool records) : IGuestTime
    {
        public long Monotonic => tape.Source.Monotonic;

        public long Wall => tape.Source.Wall;

        public ulong Tsc => tape.Read(records);

        public uint TscKhz => tape.Source.TscKhz;

        public long HostWait(long nanoseconds) => tape.Source.HostWait(nanoseconds);
    }
}
