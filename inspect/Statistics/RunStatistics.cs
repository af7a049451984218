// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.Inspect.Target;

namespace Lguest.Inspect.Statistics;

/// <summary>A count with a name.</summary>
/// <param name="Name">Of what.</param>
/// <param name="Value">How many.</param>
public readonly record struct NamedCount(string Name, long Value);

/// <summary>A device's traffic, summed up.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Requests">Disk requests, packets sent, pieces of console output.</param>
/// <param name="BytesOut">From the guest.</param>
/// <param name="Deliveries">Packets received, pieces of console input.</param>
/// <param name="BytesIn">To the guest.</param>
/// <param name="Errors">Disk requests that failed, packets that nobody took.</param>
/// <param name="Accesses">Accesses to its registers, and by ports to its configuration.</param>
public readonly record struct DeviceTotal(string Name, long Requests, long BytesOut, long Deliveries, long BytesIn, long Errors, long Accesses = 0);

/// <summary>
/// What a guest has done, by names: for the table at the end, for <c>lguest ctl stats</c>, for gdb's <c>monitor engine</c> and
/// for the report. Those of guests that follow one another by restarting add up.
/// </summary>
public sealed class RunStatistics
{
    /// <summary>The kernel's file.</summary>
    public string Kernel { get; private set; } = string.Empty;

    /// <summary>The engine that ran it, by its name on the command line.</summary>
    public string Engine { get; private set; } = string.Empty;

    /// <summary>How many guests: one, and another for each restart.</summary>
    public int Guests { get; private set; }

    /// <summary>Where the time went; null where nobody asked in time.</summary>
    public RunTimes? Times { get; set; }

    /// <summary>Times that the guest went to sleep.</summary>
    public long Sleeps { get; private set; }

    /// <summary>How long it slept.</summary>
    public TimeSpan Slept { get; private set; }

    /// <summary>Hypercalls by <c>int $0x1F</c>.</summary>
    public List<NamedCount> Hypercalls { get; } = [];

    /// <summary>Hypercalls from the ring.</summary>
    public List<NamedCount> RingHypercalls { get; } = [];

    /// <summary>Interrupts delivered.</summary>
    public List<NamedCount> Interrupts { get; } = [];

    /// <summary>Traps, faults and system calls delivered.</summary>
    public List<NamedCount> Traps { get; } = [];

    /// <summary>Ways out of the guest's code to the hypervisor.</summary>
    public List<NamedCount> Exits { get; } = [];

    /// <summary>What the engine counts for itself.</summary>
    public List<EngineCounter> Counters { get; } = [];

    /// <summary>What went through the devices.</summary>
    public List<DeviceTotal> Devices { get; } = [];

    /// <summary>What one guest has done so far.</summary>
    /// <param name="running">The guest.</param>
    /// <param name="traffic">What went through its devices, by index; empty where nobody counted.</param>
    /// <param name="atRest">Asked by the guest's owner; else the engine's own counters are left alone.</param>
    public static RunStatistics Of(DebugTarget.Running running, IReadOnlyList<DeviceTraffic> traffic, bool atRest = true)
    {
        IGuestStatistics counted = running.Guest.Statistics;
        RunStatistics statistics = new()
        {
            Kernel = running.Places.Kernel,
            Engine = running.Engine,
            Guests = 1,
            Sleeps = counted.Sleeps,
            Slept = TimeSpan.FromMicroseconds(counted.SleptNanoseconds / 1000.0),
        };
        foreach (Hypercall call in HypercallTable.All)
        {
            Add(statistics.Hypercalls, call.Name, counted.Hypercalls[(int)call.Kind]);
            Add(statistics.RingHypercalls, call.Name, counted.RingHypercalls[(int)call.Kind]);
        }

        for (uint irq = 0; irq < Vectors.IrqCount; irq++)
            Add(statistics.Interrupts, Vectors.NameOf(Vectors.FirstIrq + irq), counted.Interrupts[(int)irq]);
        for (uint vector = 0; vector < (uint)counted.Traps.Length; vector++)
            Add(statistics.Traps, Vectors.NameOf(vector), counted.Traps[(int)vector]);
        foreach ((string reason, long count) in counted.Exits)
            Add(statistics.Exits, reason, count);
        if (atRest)
            statistics.Counters.AddRange(running.Guest.Counters);
        for (int i = 0; i < traffic.Count; i++)
        {
            DeviceTraffic device = traffic[i];
            statistics.Devices.Add(new(running.Bus.Devices[i].Model.Description, device.Requests, device.BytesOut, device.Deliveries, device.BytesIn, device.Errors, device.Accesses));
        }

        return statistics;
    }

    /// <summary>Adds what the next guest did.</summary>
    public void Add(RunStatistics next)
    {
        Kernel = next.Kernel;
        Engine = next.Engine;
        Guests += next.Guests;
        Sleeps += next.Sleeps;
        Slept += next.Slept;
        Add(Hypercalls, next.Hypercalls);
        Add(RingHypercalls, next.RingHypercalls);
        Add(Interrupts, next.Interrupts);
        Add(Traps, next.Traps);
        Add(Exits, next.Exits);
        foreach (EngineCounter counter in next.Counters)
        {
            int known = Counters.FindIndex(c => c.Name == counter.Name);
            if (known < 0)
                Counters.Add(counter);
            else
                Counters[known] = counter.IsLevel ? counter : counter with { Value = Counters[known].Value + counter.Value };
        }

        // Two disks may be one file, so names tell nothing; but a restarted guest has the same devices.
        for (int i = 0; i < next.Devices.Count; i++)
        {
            DeviceTotal more = next.Devices[i];
            if (i == Devices.Count)
                Devices.Add(more);
            else
                Devices[i] = new(more.Name, Devices[i].Requests + more.Requests, Devices[i].BytesOut + more.BytesOut, Devices[i].Deliveries + more.Deliveries, Devices[i].BytesIn + more.BytesIn, Devices[i].Errors + more.Errors, Devices[i].Accesses + more.Accesses);
        }
    }

    private static void Add(List<NamedCount> counts, List<NamedCount> more)
    {
        foreach (NamedCount count in more)
            Add(counts, count.Name, count.Value);
    }

    private static void Add(List<NamedCount> counts, string name, long value)
    {
        if (value == 0)
            return;
        int known = counts.FindIndex(c => c.Name == name);
        if (known < 0)
            counts.Add(new NamedCount(name, value));
        else
            counts[known] = new NamedCount(name, counts[known].Value + value);
    }
}
