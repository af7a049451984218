// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using Lguest.GuestAbi;

namespace Lguest.Tests.Inspect;

/// <summary>A JSON trace of hypercalls, async, interrupts and traps, and what must be true of any.</summary>
internal sealed class BootTrace
{
    private readonly List<JsonElement> _events;

    /// <summary>Reads one.</summary>
    public BootTrace(string path) => _events = [.. File.ReadLines(path).Select(static line => JsonDocument.Parse(line).RootElement)];

    /// <summary>How many events there are.</summary>
    public int Count => _events.Count;

    /// <summary>How often each hypercall, interrupt or trap occurs, as <c>--stats</c> calls them.</summary>
    public Dictionary<string, long> Counts(string category) => _events
        .Where(e => Category(e) == category && (category != "interrupts" || Name(e) == "delivered"))
        .GroupBy(e => category == "interrupts" ? $"irq {Number(e, "irq")}" : Name(e))
        .ToDictionary(static group => group.Key, static group => (long)group.Count());

    /// <summary>How often the guest slept.</summary>
    public long Sleeps => _events.Count(static e => Category(e) == "interrupts" && Name(e) == "slept");

    /// <summary>The same counts, name by name, in the statistics of the same run.</summary>
    public void AgreesWith(JsonElement statistics)
    {
        foreach (string category in (ReadOnlySpan<string>)["hypercalls", "async", "interrupts", "traps"])
        {
            Dictionary<string, long> counted = statistics.GetProperty(category).EnumerateObject().ToDictionary(static p => p.Name, static p => p.Value.GetInt64());
            Assert.Equal(counted.OrderBy(static c => c.Key, StringComparer.Ordinal), Counts(category).OrderBy(static c => c.Key, StringComparer.Ordinal));
        }

        Assert.Equal(statistics.GetProperty("sleeps").GetInt64(), Sleeps);
    }

    /// <summary>
    /// What the interface's rules say about order: LGUEST_INIT first, and once; a clock interrupt only when one was asked for,
    /// and once for each time; delivered only what was raised, and through a gate; a halted guest does nothing until an
    /// interrupt; CRASH is the end.
    /// </summary>
    public void IsInOrder()
    {
        uint raised = 0;
        bool clock = false;
        bool halted = false;
        bool initialized = false;
        bool crashed = false;
        double time = 0;
        HashSet<uint> gates = [];
        foreach (JsonElement e in _events)
        {
            string story = e.ToString();
            Assert.True(e.GetProperty("t").GetDouble() >= time, "time goes backwards: " + story);
            time = e.GetProperty("t").GetDouble();
            switch (Category(e), Name(e))
            {
                case ("hypercalls" or "async", string name):
                    Assert.False(crashed, "after the end: " + story);
                    Assert.False(halted, "in its sleep: " + story);
                    Assert.Equal(initialized ? "later" : "first", name == "LGUEST_INIT" ? "first" : "later");
                    initialized = true;
                    crashed = name == "CRASH";
                    halted = name == "HALT";
                    if (name == "SET_CLOCKEVENT")
                        clock = Hex(e, "ns") != 0;
                    const uint present = 0x8000;
                    if (name == "LOAD_IDT_ENTRY" && (Hex(e, "high") & present) != 0)
                        gates.Add(Hex(e, "vector"));
                    break;
                case ("interrupts", "raised"):
                    if (Number(e, "irq") == 0)
                    {
                        Assert.True(clock, "a clock interrupt that nobody asked for: " + story);
                        clock = false;
                    }

                    raised |= 1u << Number(e, "irq");
                    break;
                case ("interrupts", "delivered"):
                    int irq = Number(e, "irq");
                    Assert.True((raised & 1u << irq) != 0, "delivered, but not raised: " + story);
                    Assert.True(gates.Contains(Vectors.FirstIrq + (uint)irq), "without a gate: " + story);
                    raised &= ~(1u << irq);
                    halted = false;
                    break;
                case ("interrupts", "slept"):
                    Assert.True(halted, "asleep without HALT: " + story);
                    break;
                case ("traps", string name):
                    Assert.False(halted, "in its sleep: " + story);
                    Assert.True(gates.Contains((uint)Number(e, "vector")), "without a gate: " + story);
                    Assert.Equal(Vectors.NameOf((uint)Number(e, "vector")), name);
                    break;
            }
        }

        Assert.True(crashed, "no CRASH at the end");
        Assert.Equal("end", Category(_events[^1]));
    }

    private static string Category(JsonElement e) => e.GetProperty("category").GetString()!;

    private static string Name(JsonElement e) => e.GetProperty("event").GetString()!;

    private static int Number(JsonElement e, string field) => e.GetProperty(field).GetInt32();

    private static uint Hex(JsonElement e, string field) => Convert.ToUInt32(e.GetProperty(field).GetString(), 16);
}
