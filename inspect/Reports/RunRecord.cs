// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.Inspect.Statistics;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Reports;

/// <summary>What happened in a stretch of a run.</summary>
public sealed class RunInterval
{
    /// <summary>Seconds from the launcher's start to its end.</summary>
    public double End { get; set; }

    /// <summary>Its length in seconds.</summary>
    public double Length { get; set; }

    /// <summary>Hypercalls.</summary>
    public long Hypercalls { get; set; }

    /// <summary>Interrupts delivered.</summary>
    public long Interrupts { get; set; }

    /// <summary>Traps and faults, without system calls.</summary>
    public long Faults { get; set; }

    /// <summary>Nanoseconds asleep.</summary>
    public long Slept { get; set; }

    /// <summary>Bytes through each device, both ways.</summary>
    public long[] DeviceBytes { get; set; } = [];

    /// <summary>Puts the next one's events to this one.</summary>
    public void Merge(RunInterval next)
    {
        End = next.End;
        Length += next.Length;
        Hypercalls += next.Hypercalls;
        Interrupts += next.Interrupts;
        Faults += next.Faults;
        Slept += next.Slept;
        DeviceBytes = [.. DeviceBytes.Zip(next.DeviceBytes, static (a, b) => a + b)];
    }
}

/// <summary>A run of a guest, as the report tells it.</summary>
public sealed class RunRecord
{
    /// <summary>The kernel's file.</summary>
    public string Kernel { get; set; } = string.Empty;

    /// <summary>When it began, by the clock on the wall.</summary>
    public DateTimeOffset? Started { get; set; }

    /// <summary>The launcher's command line.</summary>
    public string CommandLine { get; set; } = string.Empty;

    /// <summary>The interface it spoke.</summary>
    public string Generation { get; set; } = string.Empty;

    /// <summary>How it ended.</summary>
    public string End { get; set; } = string.Empty;

    /// <summary>Seconds from the launcher's start to the guest's end.</summary>
    public double Seconds { get; set; }

    /// <summary>What was counted.</summary>
    public RunStatistics Statistics { get; } = new();

    /// <summary>The timeline.</summary>
    public List<RunInterval> Intervals { get; } = [];

    /// <summary>What the guest said, and when.</summary>
    public List<(double Seconds, string Text)> ConsoleLines { get; } = [];

    /// <summary>The pages that were written while the last guest ran, as runs in order.</summary>
    public IReadOnlyList<MemoryRange> Written { get; set; } = [];

    /// <summary>The memory map.</summary>
    public List<MemoryPart> Memory { get; } = [];

    /// <summary>Where samples found the guest: names from the outermost caller inwards, separated by semicolons.</summary>
    public Dictionary<string, int> Samples { get; } = [];

    /// <summary>Samples that found it asleep or paused.</summary>
    public int Still { get; set; }
}
