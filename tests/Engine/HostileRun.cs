// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Engine;
using Lguest.Engine.Check;
using Lguest.Engine.Debugging;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts;

/// <summary>Runs hostile guests, one after the other, in the same memory: each for a moment.</summary>
/// <param name="engine">What runs them.</param>
/// <param name="memory">Their memory, of <see cref="HostileGuest.Ranges"/>.</param>
/// <param name="patience">How long one may run that never looks at the clock; null: a moment.</param>
internal sealed class HostileRun(EngineKind engine, MappedGuestMemory memory, TimeSpan? patience = null) : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_hang = Deadline.Patience;
    private readonly Watchdog _watchdog = new(patience ?? s_patience, s_hang + (patience ?? s_patience));

    /// <summary>Instructions of all these guests that both engines agreed on; 0 where one engine runs alone.</summary>
    public long Compared { get; private set; }

    public void Dispose() => _watchdog.Dispose();

    /// <summary>Runs the guest of a seed.</summary>
    /// <returns>How it ended.</returns>
    public string Run(HostileKind kind, int seed)
    {
        // The periodic timer of the old generation looks at the clock again and again, which ends a loop of faults early: the
        // kinds that are about code speak it mostly.
        bool calls = kind is HostileKind.Hypercalls or HostileKind.Ring or HostileKind.Buffers;
        return Run(kind, seed, seed % (calls ? 2 : 16) == 0 ? Generation.Linux2623 : Generation.Seed200702);
    }

    /// <summary>Runs the guest of a seed.</summary>
    /// <param name="kind">What is wrong with it.</param>
    /// <param name="seed">Which of its kind.</param>
    /// <param name="abi">What it speaks.</param>
    /// <param name="change">Changes something when it has been put into memory.</param>
    /// <param name="look">Looks at what it has done.</param>
    /// <returns>How it ended.</returns>
    public string Run(HostileKind kind, int seed, Generation abi, Action? change = null, Action<GuestStatistics>? look = null)
    {
        HostileGuest hostile = new(seed, memory, abi);
        hostile.Load(kind);
        change?.Invoke();
        ImpatientClock clock = new(looks: kind switch
        {
            HostileKind.Hypercalls => 45, // Each call is one.
            HostileKind.Tables => 8, // Odd segments are slow.
            _ => 20,
        });
        GuestStart start = new((uint)(memory.Top >> Page.Shift), GuestPlan.Directory, GuestPlan.Virtual(GuestPlan.Code), GuestPlan.PageOffset);
        using Guest guest = GuestEngine.Start(engine, memory, abi, start, out _, clock);
        clock.Enough = guest.RequestBreak;
        _watchdog.Watch(seed, guest);
        try
        {
            for (int reads = 0; reads < 50; reads++)
            {
                RunExit exit = guest.Run();
                switch (exit.Kind)
                {
                    case RunExitKind.Died:
                        Assert.InRange(exit.Reason!.Length, 1, 300);
                        return exit.Reason[..Math.Min(exit.Reason.Length, 17)];
                    case RunExitKind.Break:
                        return "still running";
                    case RunExitKind.Restart:
                        return "restart";
                }

                hostile.Disturb(guest);
                if (guest.DeathReason is not null)
                    return "killed while asked";
            }

            return "sending";
        }
        finally
        {
            _watchdog.Watch(0, null);
            look?.Invoke(guest.Statistics);
            if (guest.Core is CheckCore check)
                Compared += check.Instructions;
        }
    }

    /// <summary>A clock in which every look is a second, and which has enough of a guest after a while.</summary>
    private sealed class ImpatientClock(int looks) : IGuestTime
    {
        private long _now = 1;
        private ulong _tsc;
        private int _looks;

        public Action? Enough { get; set; }

        public long Monotonic => Look();

        public long Wall => Look();

        /// <summary>To read the counter is no look: the processor does it by itself.</summary>
        public ulong Tsc => _tsc += 1_000;

        public uint TscKhz => 1_000_000;

        public long HostWait(long nanoseconds) => nanoseconds;

        private long Look()
        {
            if (++_looks > looks)
                Enough?.Invoke();
            return _now += 1_000_000_000;
        }
    }

    /// <summary>Breaks out of guests that never look at the clock; and ends a run that cannot be broken out of.</summary>
    private sealed class Watchdog : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly Timer _timer;
        private readonly TimeSpan _patience;
        private readonly TimeSpan _hang;
        private Guest? _guest;
        private int _seed;
        private long _since;

        public Watchdog(TimeSpan patience, TimeSpan hang)
        {
            _patience = patience;
            _hang = hang;
            _timer = new Timer(_ => Look(), null, patience, patience / 2);
        }

        public void Watch(int seed, Guest? guest)
        {
            lock (_lock)
            {
                _guest = guest;
                _seed = seed;
                _since = Stopwatch.GetTimestamp();
            }
        }

        public void Dispose() => _timer.Dispose();

        private void Look()
        {
            lock (_lock)
            {
                if (_guest is null)
                    return;
                TimeSpan time = Stopwatch.GetElapsedTime(_since);
                if (time > _hang)
                    Environment.FailFast($"hostile guest {_seed} hangs its host");
                if (time > _patience)
                    _guest.RequestBreak();
            }
        }
    }
}
