// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Inspect.Statistics;

/// <summary>Statistics for people: sections with columns, zeros left out.</summary>
public static class StatisticsTable
{
    private const int NameWidth = 44;
    private const int NumberWidth = 13;

    /// <summary>The whole table.</summary>
    public static string Of(RunStatistics statistics)
    {
        StringBuilder text = new();
        string restarts = statistics.Guests > 1 ? $", started {statistics.Guests} times" : string.Empty;
        text.Append($"{statistics.Kernel}, engine {statistics.Engine}{restarts}\n");
        Times(text, statistics);
        Hypercalls(text, statistics);
        Counts(text, "interrupts delivered", statistics.Interrupts);
        Counts(text, "traps delivered", statistics.Traps);
        Counts(text, "exits from the guest's code", statistics.Exits);
        Counts(text, "engine", [.. statistics.Counters.Select(static c => new NamedCount(c.Name, c.Value))], sorted: false);
        Devices(text, statistics);
        return text.ToString();
    }

    private static void Times(StringBuilder text, RunStatistics statistics)
    {
        Head(text, "time", "seconds");
        string slept = statistics.Sleeps == 0 ? string.Empty : $"  in {Number(statistics.Sleeps)} sleeps";
        if (statistics.Times is not { } times)
        {
            Row(text, "idle", Seconds(statistics.Slept)).Append(slept).Append('\n');
            return;
        }

        foreach (RunPhase phase in Enum.GetValues<RunPhase>())
        {
            // Nobody misses a debugger that was not there.
            if (phase == RunPhase.Stopped && times[phase] == TimeSpan.Zero)
                continue;
            string share = (100 * times[phase] / times.Wall).ToString("f1", CultureInfo.InvariantCulture);
            Row(text, RunTimes.NameOf(phase), Seconds(times[phase])).Append($"{share,8} %").Append(phase == RunPhase.Idle ? slept : string.Empty).Append('\n');
        }

        Row(text, "wall", Seconds(times.Wall)).Append('\n');
        Row(text, "processor", Seconds(times.User + times.System)).Append($"  user {Seconds(times.User)}, system {Seconds(times.System)}\n");
    }

    private static void Hypercalls(StringBuilder text, RunStatistics statistics)
    {
        Dictionary<string, (long Direct, long Ring)> calls = [];
        foreach (NamedCount count in statistics.Hypercalls)
            calls[count.Name] = (count.Value, 0);
        foreach (NamedCount count in statistics.RingHypercalls)
            calls[count.Name] = (calls.GetValueOrDefault(count.Name).Direct, count.Value);
        if (calls.Count == 0)
            return;
        Head(text, "hypercalls", "direct", "ring");
        foreach ((string name, (long direct, long ring)) in calls.OrderByDescending(static c => c.Value.Direct + c.Value.Ring))
            Row(text, name, Number(direct), Number(ring)).Append('\n');
        Row(text, "all", Number(calls.Values.Sum(static c => c.Direct)), Number(calls.Values.Sum(static c => c.Ring))).Append('\n');
    }

    private static void Counts(StringBuilder text, string title, List<NamedCount> counts, bool sorted = true)
    {
        List<NamedCount> shown = counts.FindAll(static c => c.Value != 0);
        if (shown.Count == 0)
            return;
        Head(text, title);
        foreach (NamedCount count in sorted ? [.. shown.OrderByDescending(static c => c.Value)] : shown)
            Row(text, count.Name, Number(count.Value)).Append('\n');
    }

    private static void Devices(StringBuilder text, RunStatistics statistics)
    {
        if (statistics.Devices.Count == 0)
            return;

        // Only guests on PCI access their devices; for others the column would be all zero.
        bool accessed = statistics.Devices.Exists(static device => device.Accesses != 0);
        string[] columns = accessed ? ["requests", "bytes out", "inputs", "bytes in", "errors", "accesses"] : ["requests", "bytes out", "inputs", "bytes in", "errors"];
        Head(text, "devices", columns);
        foreach (DeviceTotal device in statistics.Devices)
        {
            // A file's path may be long: then the numbers come below it.
            if (device.Name.Length > NameWidth - 3)
                text.Append($"  {device.Name}\n");
            string name = device.Name.Length > NameWidth - 3 ? string.Empty : device.Name;
            Row(text, name, Number(device.Requests), Number(device.BytesOut), Number(device.Deliveries), Number(device.BytesIn), Number(device.Errors)).Append(accessed ? Number(device.Accesses).PadLeft(NumberWidth) : string.Empty).Append('\n');
        }
    }

    private static void Head(StringBuilder text, string title, params ReadOnlySpan<string> columns)
    {
        text.Append(columns.IsEmpty ? title : title.PadRight(NameWidth));
        foreach (string column in columns)
            text.Append(column.PadLeft(NumberWidth));
        text.Append('\n');
    }

    private static StringBuilder Row(StringBuilder text, string name, params ReadOnlySpan<string> columns)
    {
        text.Append("  ").Append(name.PadRight(NameWidth - 2));
        foreach (string column in columns)
            text.Append(column.PadLeft(NumberWidth));
        return text;
    }

    private static string Number(long value) => value.ToString("n0", CultureInfo.InvariantCulture);

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("f3", CultureInfo.InvariantCulture);
}
