// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using Lguest.Engine;
using Lguest.Engine.Debugging;
using Lguest.GuestAbi;
using Lguest.Inspect;
using Lguest.Inspect.Common;
using Lguest.Inspect.Trace;
using Lguest.Launcher.Run;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>Traces: what is in them agrees with what the hypervisor counted.</summary>
public sealed class TraceTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string TraceFile => Path.Combine(_directory.Path, "trace");

    private string StatisticsFile => Path.Combine(_directory.Path, "stats");

    public static TheoryData<string> Engines() => [.. Needs.Engines];

    public static TheoryData<string, string, string> GuestsAndEngines()
    {
        TheoryData<string, string, string> data = [];
        foreach (string engine in Needs.Engines)
        {
            data.Add("demo", "run=tour,off", engine);
            data.Add("conformance/hypercalls", string.Empty, engine);

            // Not in lockstep, where it runs for half a minute.
            if (engine != "check")
                data.Add("conformance/interrupts", string.Empty, engine);
            data.Add("conformance/faults", string.Empty, engine);
        }

        return data;
    }

    public void Dispose() => _directory.Dispose();

    [TheoryNeeding(Need.Guests)]
    [InlineData("conformance/interrupts", EngineKind.Interpreter)]
    [InlineData("conformance/hypercalls", EngineKind.Interpreter)]
    [InlineData("conformance/hypercalls", EngineKind.Translator)]
    [InlineData("conformance/faults", EngineKind.Translator)]
    public void EveryEventIsThereOnceAndInOrder(string guest, EngineKind engine)
    {
        (GuestStatistics counted, RunOutcome outcome) = DebuggedGuest.Run(
            Needs.Guest(guest), new DebugOptions { Trace = TraceRequest.Parse($"all,format=json,file={TraceFile}") }, engine);
        Assert.Equal(RunEnd.PoweredOff, outcome.End);
        Check(counted, Read());
    }

    /// <summary>A real kernel's whole boot, up to the panic for want of a root: what LGUEST_TEST_KERNEL names.</summary>
    [FactNeeding(Need.Kernel)]
    public void ARealBootAgreesToo()
    {
        (GuestStatistics counted, RunOutcome outcome) = DebuggedGuest.Run(
            Environment.GetEnvironmentVariable("LGUEST_TEST_KERNEL")!,
            new DebugOptions { Trace = TraceRequest.Parse($"all,format=json,file={TraceFile}") },
            EngineKind.Interpreter, "quiet");
        Assert.Equal(RunEnd.Died, outcome.End);
        List<JsonElement> events = Read();
        Check(counted, events);
        Assert.True(counted.HypercallTotal > 1000, $"only {counted.HypercallTotal} hypercalls");
        foreach (Hypercall call in HypercallTable.All)
            Assert.True(call.MayStandInRing || counted.RingHypercalls[(int)call.Kind] == 0, $"{call.Name} in the ring");
        Assert.Contains(events, e => e.TryGetProperty("symbol", out JsonElement symbol) && symbol.GetString()!.StartsWith("lguest_init", StringComparison.Ordinal));
    }

    /// <summary>The launcher's own trace and its <c>--stats</c>, of one run: our own guests.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(GuestsAndEngines))]
    public void TheTraceAgreesWithTheStatistics(string guest, string words, string engine)
    {
        ProcessResult result = LauncherProcess.Run(
            [.. Looking(engine), "16m", Needs.Guest(guest), .. words.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
        Assert.True(result.Status == 0, result.Error);
        BootTrace trace = new(TraceFile);
        trace.AgreesWith(Statistics());
        trace.IsInOrder();
        Assert.InRange(trace.Count, 50, int.MaxValue);
    }

    /// <summary>The same of a whole real boot to user space and on to the power-off.</summary>
    [TheoryNeeding(Need.Launcher, Need.Kernel, Need.Initrd)]
    [MemberData(nameof(Engines))]
    public void TheTraceOfARealBootAgreesWithTheStatistics(string engine)
    {
        string kernel = Environment.GetEnvironmentVariable("LGUEST_TEST_KERNEL")!;
        using WaitingLauncher launcher = new([.. Looking(engine), "64m", kernel, "--initrd=" + Environment.GetEnvironmentVariable("LGUEST_TEST_INITRD"), "quiet"]);
        launcher.Type("poweroff -f\n");
        Assert.Equal(0, launcher.WaitForExit());
        JsonElement statistics = Statistics();
        BootTrace trace = new(TraceFile);
        trace.AgreesWith(statistics);
        trace.IsInOrder();

        // A boot it was: programs made system calls, and the clock ticked.
        Assert.InRange(statistics.GetProperty("traps").GetProperty("system call").GetInt64(), 200, long.MaxValue);
        Assert.InRange(statistics.GetProperty("traps").GetProperty("page fault").GetInt64(), 200, long.MaxValue);
        Assert.InRange(statistics.GetProperty("interrupts").GetProperty("irq 0").GetInt64(), 10, long.MaxValue);
        Assert.InRange(trace.Counts("async").Values.Sum(), 100, long.MaxValue);
    }

    [FactNeeding(Need.Guests)]
    public void InstructionsCanBeTraced()
    {
        DebuggedGuest.Run(Needs.Guest("conformance/hello"), new DebugOptions { Trace = TraceRequest.Parse($"exec,file={TraceFile}") }, EngineKind.Interpreter);
        string[] lines = File.ReadAllLines(TraceFile);
        Assert.True(lines.Length > 1000, $"only {lines.Length} lines");
        Assert.Contains(lines, static line => line.Contains("exec ring 1 code=\"int $0x1f\"", StringComparison.Ordinal));
        Assert.Contains(lines, static line => line.EndsWith("<guest_main>", StringComparison.Ordinal));
    }

    [FactNeeding(Need.Guests)]
    public void OnlyWhatWasAskedForIsTraced()
    {
        DebuggedGuest.Run(Needs.Guest("conformance/hello"), new DebugOptions { Trace = TraceRequest.Parse($"console,file={TraceFile}") }, EngineKind.Interpreter);
        string[] lines = File.ReadAllLines(TraceFile);
        Assert.Contains(lines, static line => line.Contains("text=\"Hello from ring 1", StringComparison.Ordinal));
        Assert.Contains(lines, static line => line.EndsWith("\\n\"", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, static line => line.Contains("u000a", StringComparison.Ordinal));

        // A power-off is no death.
        Assert.Contains(" end power-off at ", lines[^1], StringComparison.Ordinal);
        Assert.All(lines[..^1], static line => Assert.Contains(" console output ", line, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("hypercalls", TraceCategories.Hypercalls, null, false)]
    [InlineData("mmu,dma,file=/tmp/x,format=json", TraceCategories.Mmu | TraceCategories.Dma, "/tmp/x", true)]
    [InlineData("all", TraceCategories.All, null, false)]
    [InlineData("all,exec", TraceCategories.All | TraceCategories.Exec, null, false)]
    public void ListsAreUnderstood(string text, TraceCategories categories, string? file, bool json) =>
        Assert.Equal(new TraceRequest(categories, file, json), TraceRequest.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("hypercals")]
    [InlineData("file=/tmp/x")]
    [InlineData("all,format=xml")]
    [InlineData("all,file=")]
    public void NonsenseIsRefused(string text) => Assert.Contains("--trace", Assert.Throws<InspectException>(() => TraceRequest.Parse(text)).Message, StringComparison.Ordinal);

    private static void Check(GuestStatistics counted, List<JsonElement> events)
    {
        int Count(string category, string name) =>
            events.Count(e => e.GetProperty("category").GetString() == category && e.GetProperty("event").GetString() == name);

        foreach (Hypercall call in HypercallTable.All)
        {
            Assert.Equal(counted.Hypercalls[(int)call.Kind], Count("hypercalls", call.Name));
            Assert.Equal(counted.RingHypercalls[(int)call.Kind], Count("async", call.Name));
        }

        Assert.Equal(counted.InterruptTotal, Count("interrupts", "delivered"));
        Assert.Equal(counted.TrapTotal, events.Count(static e => e.GetProperty("category").GetString() == "traps"));
        Assert.Equal(counted.Sleeps, Count("interrupts", "slept"));

        // LGUEST_INIT comes first, and once (abi.md §2.4); time does not go backwards; the end comes last.
        JsonElement first = events.First(static e => e.GetProperty("category").GetString() is "hypercalls" or "async");
        Assert.Equal("LGUEST_INIT", first.GetProperty("event").GetString());
        Assert.Equal(events.Select(static e => e.GetProperty("t").GetDouble()).Order(), events.Select(static e => e.GetProperty("t").GetDouble()));
        Assert.Equal("end", events[^1].GetProperty("category").GetString());
    }

    private string[] Looking(string engine) =>
        ["--engine=" + engine, $"--trace=hypercalls,async,interrupts,traps,format=json,file={TraceFile}", $"--stats={StatisticsFile},format=json"];

    private JsonElement Statistics() => JsonDocument.Parse(File.ReadAllText(StatisticsFile)).RootElement;

    private List<JsonElement> Read() => [.. File.ReadLines(TraceFile).Select(static line => JsonDocument.Parse(line).RootElement)];
}
