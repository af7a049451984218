// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Debugging.Reports;

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

/// <summary>A count with a name.</summary>
/// <param name="Name">Of what.</param>
/// <param name="Value">How many.</param>
public readonly record struct NamedCount(string Name, long Value);

/// <summary>A part of the guest's physical memory.</summary>
/// <param name="Name">What lives there.</param>
/// <param name="Start">First guest physical address.</param>
/// <param name="End">First one behind it.</param>
/// <param name="Kind">A style of the picture: kernel, tables, initrd, boot, free, device.</param>
public readonly record struct MemoryPart(string Name, ulong Start, ulong End, string Kind);

/// <summary>A device's traffic, summed up.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Count">Requests.</param>
/// <param name="BytesOut">From the guest.</param>
/// <param name="BytesIn">To the guest.</param>
public readonly record struct DeviceTotal(string Name, long Count, long BytesOut, long BytesIn);

/// <summary>A run of a guest, as the report tells it.</summary>
public sealed class RunRecord
{
    /// <summary>The kernel's file.</summary>
    public string Kernel { get; set; } = string.Empty;

    /// <summary>The interface it spoke.</summary>
    public string Generation { get; set; } = string.Empty;

    /// <summary>What ran it.</summary>
    public string Engine { get; set; } = string.Empty;

    /// <summary>How it ended.</summary>
    public string End { get; set; } = string.Empty;

    /// <summary>Guest instructions executed.</summary>
    public ulong Instructions { get; set; }

    /// <summary>Seconds from the launcher's start to the guest's end.</summary>
    public double Seconds { get; set; }

    /// <summary>Seconds asleep.</summary>
    public double SleptSeconds { get; set; }

    /// <summary>The timeline.</summary>
    public List<RunInterval> Intervals { get; } = [];

    /// <summary>What the guest said, and when.</summary>
    public List<(double Seconds, string Text)> ConsoleLines { get; } = [];

    /// <summary>Hypercalls by name, direct.</summary>
    public List<NamedCount> Hypercalls { get; } = [];

    /// <summary>Hypercalls by name, from the ring.</summary>
    public List<NamedCount> RingHypercalls { get; } = [];

    /// <summary>Ways out of the guest's code.</summary>
    public List<NamedCount> Exits { get; } = [];

    /// <summary>Interrupts and traps delivered.</summary>
    public List<NamedCount> Deliveries { get; } = [];

    /// <summary>The memory map.</summary>
    public List<MemoryPart> Memory { get; } = [];

    /// <summary>The devices.</summary>
    public List<DeviceTotal> Devices { get; } = [];

    /// <summary>Where samples found the guest: names from the outermost caller inwards, separated by semicolons.</summary>
    public Dictionary<string, int> Samples { get; } = [];
}
