// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lguest.GuestAbi.Debugging;

namespace Lguest.Inspect.Statistics;

/// <summary>Statistics for programs: one object, with the names of the trace.</summary>
public static class StatisticsJson
{
    /// <summary>The object, and the end of its line.</summary>
    public static string Of(RunStatistics statistics)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter json = new(bytes, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("kernel", statistics.Kernel);
            json.WriteString("engine", statistics.Engine);
            json.WriteNumber("guests", statistics.Guests);
            Times(json, statistics);
            Counts(json, "hypercalls", statistics.Hypercalls);
            Counts(json, "async", statistics.RingHypercalls);
            Counts(json, "interrupts", statistics.Interrupts);
            Counts(json, "traps", statistics.Traps);
            Counts(json, "exits", statistics.Exits);
            Counts(json, "counters", [.. statistics.Counters.Select(static c => new NamedCount(c.Name, c.Value))]);
            Devices(json, statistics);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray()) + "\n";
    }

    private static void Times(Utf8JsonWriter json, RunStatistics statistics)
    {
        json.WriteNumber("sleeps", statistics.Sleeps);
        json.WriteStartObject("seconds");
        if (statistics.Times is { } times)
        {
            foreach (RunPhase phase in Enum.GetValues<RunPhase>())
                json.WriteNumber(RunTimes.NameOf(phase), times[phase].TotalSeconds);
            json.WriteNumber("wall", times.Wall.TotalSeconds);
            json.WriteNumber("user", times.User.TotalSeconds);
            json.WriteNumber("system", times.System.TotalSeconds);
        }
        else
        {
            json.WriteNumber("idle", statistics.Slept.TotalSeconds);
        }

        json.WriteEndObject();
    }

    private static void Counts(Utf8JsonWriter json, string name, List<NamedCount> counts)
    {
        json.WriteStartObject(name);
        foreach (NamedCount count in counts)
            json.WriteNumber(count.Name, count.Value);
        json.WriteEndObject();
    }

    private static void Devices(Utf8JsonWriter json, RunStatistics statistics)
    {
        json.WriteStartArray("devices");
        foreach (DeviceTotal device in statistics.Devices)
        {
            json.WriteStartObject();
            json.WriteString("device", device.Name);
            json.WriteNumber("requests", device.Requests);
            json.WriteNumber("bytes_out", device.BytesOut);
            json.WriteNumber("inputs", device.Deliveries);
            json.WriteNumber("bytes_in", device.BytesIn);
            json.WriteNumber("errors", device.Errors);
            json.WriteNumber("accesses", device.Accesses);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
