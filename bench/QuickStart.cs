// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;

namespace Lguest.Bench;

/// <summary>
/// What takes milliseconds, many times over: the program itself, a guest's first word and its whole life; and what a hundred
/// guests take that are started together.
/// </summary>
public sealed class QuickStart(Places places)
{
    /// <summary>Guests that are started together.</summary>
    public const int Crowd = 100;

    private const int Times = 15;
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(2);
    private readonly List<double> _version = [];
    private readonly List<double> _word = [];
    private readonly List<double> _life = [];
    private readonly List<double> _crowd = [];
    private readonly List<double> _idle = [];
    private readonly List<double> _each = [];
    private readonly List<double> _beyond = [];

    /// <summary>lguest --version, in milliseconds; null when nothing was measured, as all that follow.</summary>
    public double? Version => Median(_version);

    /// <summary>From the start of a process to its demo guest's first character, in milliseconds.</summary>
    public double? FirstWord => Median(_word);

    /// <summary>The whole life of a demo guest that powers off at once, in milliseconds.</summary>
    public double? WholeLife => Median(_life);

    /// <summary>From the first start to the last of a hundred prompts, in milliseconds.</summary>
    public double? CrowdsPrompts => Median(_crowd);

    /// <summary>What part of one processor a hundred guests at their prompts use, in percent.</summary>
    public double? CrowdsIdle => Median(_idle);

    /// <summary>The proportional set size of one of a hundred, in megabytes.</summary>
    public double? CrowdsEach => Median(_each);

    /// <summary>What a demo guest's launcher has in memory beyond the guest's pages, in MiB.</summary>
    public double? Beyond => Median(_beyond);

    /// <summary>Everything once.</summary>
    public void Round()
    {
        for (int i = 0; i < Times; i++)
        {
            using (QuickChild version = new(places.Launcher, "--version"))
                _version.Add(version.WaitForEnd().TotalMilliseconds);
            using QuickChild guest = new(places.Launcher, "64m", places.Guest("demo"), "run=off");
            _word.Add(guest.WaitFor("\n"u8).TotalMilliseconds);
            _life.Add(guest.WaitForEnd().TotalMilliseconds);
        }

        using (QuickChild demo = Demo())
        {
            demo.WaitFor("demo> "u8);
            Thread.Sleep(s_settling);
            _beyond.Add(ResidentMemory.Of(demo.Id).OtherMiB);
        }

        List<QuickChild> crowd = [];
        try
        {
            Stopwatch clock = Stopwatch.StartNew();
            for (int i = 0; i < Crowd; i++)
                crowd.Add(Demo());
            crowd.ForEach(demo => demo.WaitFor("demo> "u8));
            _crowd.Add(clock.Elapsed.TotalMilliseconds);
            Thread.Sleep(s_settling);
            double before = crowd.Sum(demo => demo.ProcessorTime.TotalSeconds);
            clock.Restart();
            Thread.Sleep(s_idle);
            _idle.Add((crowd.Sum(demo => demo.ProcessorTime.TotalSeconds) - before) / clock.Elapsed.TotalSeconds * 100);
            _each.Add(crowd.Average(demo => Proportional(demo.Id)));
        }
        finally
        {
            crowd.ForEach(demo => demo.Dispose());
        }
    }

    private QuickChild Demo() => new(places.Launcher, "64m", places.Guest("demo"));

    private static double Proportional(int process) =>
        File.ReadLines($"/proc/{process}/smaps_rollup").Where(line => line.StartsWith("Pss:")).Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1])) * 1024 / 1e6;

    private static double? Median(List<double> values) => values.Count == 0 ? null : Statistics.Median(values);
}
