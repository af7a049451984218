// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Lguest.Engine;
using Lguest.Engine.Check;
using Lguest.Engine.Hypervisor;
using Lguest.Engine.Memory;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts;

/// <summary>
/// Whatever a guest does it does to itself: the host does not crash, hang, throw or touch what is not the guest's. Its memory
/// lies between holes that nobody may touch, so that a stray access ends the test run.
/// </summary>
/// <param name="engine">The engine under test.</param>
/// <param name="casesOfAKind">How many guests of each kind; <c>LGUEST_CASES=n</c> multiplies it.</param>
public abstract class HostileGuestTests(EngineKind engine, int casesOfAKind = 3000)
{
    private const int CasesWithNeighbour = 500;
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_hang = Deadline.Patience;

    public static TheoryData<HostileKind> Kinds => [.. Enum.GetValues<HostileKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NoGuestHarmsItsHost(HostileKind kind)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create(HostileGuest.Ranges);
        RunCases(kind, memory, casesOfAKind);
    }

    /// <summary>The same while another process writes to the guest's code, page tables, lists and lguest_data.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void NorWithANeighbour(HostileKind kind)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create(HostileGuest.Ranges);
        using NoisyNeighbour neighbour = new(memory, [GuestPlan.Code + Page.Size, GuestPlan.Directory, GuestPlan.KernelTable, GuestPlan.Data, GuestPlan.DmaArray, GuestPlan.Gdt, GuestPlan.Scratch]);
        RunCases(kind, memory, Math.Min(casesOfAKind, CasesWithNeighbour));
    }

    private void RunCases(HostileKind kind, MappedGuestMemory memory, int cases)
    {
        using Watchdog watchdog = new(s_patience, s_hang);
        Dictionary<string, int> ends = [];
        for (int i = 0; i < cases * Differential.Cases.Factor; i++)
        {
            int seed = ((int)kind * 1_000_000) + i;
            string end;
            try
            {
                end = RunCase(kind, seed, memory, watchdog);
            }
            catch (EngineDisagreementException e)
            {
                throw new InvalidOperationException($"case {seed} of {kind}: {e.Message}\n{e.Report}", e);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"case {seed} of {kind}: {e.Message}", e);
            }

            ends[end] = ends.GetValueOrDefault(end) + 1;
        }

        // Cases that all end the same way would test nothing.
        Assert.True(ends.Count > 3, string.Join(", ", ends.Select(pair => $"{pair.Value} x {pair.Key}")));
    }

    protected string RunCase(HostileKind kind, int seed, MappedGuestMemory memory, Watchdog watchdog)
    {
        // The periodic timer of the old generation looks at the clock again and again, which ends a loop of faults early: the
        // kinds that are about code speak it mostly.
        bool calls = kind is HostileKind.Hypercalls or HostileKind.Ring or HostileKind.Buffers;
        AbiGeneration abi = seed % (calls ? 2 : 16) == 0 ? AbiGeneration.Linux2623 : AbiGeneration.Seed200702;
        HostileGuest hostile = new(seed, memory, abi);
        hostile.Load(kind);
        ImpatientClock clock = new(looks: kind switch
        {
            HostileKind.Hypercalls => 45, // Each call is one.
            HostileKind.Tables => 8, // Odd segments are slow.
            _ => 20,
        });
        using EngineChannel channel = GuestEngine.Open(engine, memory, abi, clock);
        channel.Initialize((uint)(memory.Top >> Page.Shift), GuestPlan.Directory, GuestPlan.Virtual(GuestPlan.Code), GuestPlan.PageOffset);
        clock.Enough = () => channel.Guest!.SetBreak(on: true);
        byte[] answer = new byte[8];
        watchdog.Watch(seed, channel.Guest);
        try
        {
            for (int reads = 0; reads < 50; reads++)
            {
                long result = channel.Read(answer);
                if (result == -Errno.ENOENT)
                {
                    byte[] reason = new byte[300];
                    Assert.InRange(channel.Read(reason), 2, reason.Length);
                    string text = channel.Guest!.DeathReason!;
                    return text[..Math.Min(text.Length, 17)];
                }

                if (result is -Errno.EAGAIN or -Errno.ERESTART)
                    return result == -Errno.EAGAIN ? "still running" : "restart";
                Assert.Equal(8, result);
                hostile.Disturb(channel);
                if (channel.Guest!.DeathReason is not null)
                    return "killed while asked";
            }

            return "sending";
        }
        finally
        {
            watchdog.Watch(0, null);
        }
    }

    /// <summary>A clock in which every look is a second, and which has enough of a guest after a while.</summary>
    private sealed class ImpatientClock(int looks) : IHostClock
    {
        private long _now = 1;
        private int _looks;

        public Action? Enough { get; set; }

        public long Monotonic => Look();

        public long Wall => Look();

        public uint TscKhz => 1_000_000;

        private long Look()
        {
            if (++_looks > looks)
                Enough?.Invoke();
            return _now += 1_000_000_000;
        }
    }

    /// <summary>Breaks out of guests that never look at the clock; and ends a run that cannot be broken out of.</summary>
    protected sealed class Watchdog : IDisposable
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
                    _guest.SetBreak(on: true);
            }
        }
    }
}

public sealed class InterpreterHostileGuests() : HostileGuestTests(EngineKind.Interpreter);

/// <summary>The translator's containment (docs/engine.md) rests on these guests, among others.</summary>
public sealed class TranslatorHostileGuests() : HostileGuestTests(EngineKind.Translator);

/// <summary>Both engines do the same with the worst of guests, wherever a processor has no choice.</summary>
public sealed class CheckHostileGuests() : HostileGuestTests(EngineKind.Check, casesOfAKind: 300)
{
    /// <summary>A jump on a flag that IMUL left undefined; an instruction after MUL that kills; REP STOSB over code in several rounds.</summary>
    [Theory]
    [InlineData(HostileKind.KernelCode, 920)]
    [InlineData(HostileKind.PageTables, 2_000_638)]
    [InlineData(HostileKind.Tables, 5_000_769)]
    public void WhatOnceWasAFalseAlarmIsNone(HostileKind kind, int seed)
    {
        using MappedGuestMemory memory = MappedGuestMemory.Create(HostileGuest.Ranges);
        using Watchdog watchdog = new(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(60));
        Assert.NotEmpty(RunCase(kind, seed, memory, watchdog));
    }
}
