// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using Iced.Intel;
using Lguest.Engine;
using Lguest.Engine.Debugging;
using Lguest.Launcher.Debugging;
using Lguest.Launcher.Debugging.Symbols;
using Lguest.Launcher.Debugging.Tracing;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Bench;

/// <summary>
/// What looking into a guest costs: nothing asked for, asked for but idle, and in use. Rounds are interleaved, so that a
/// machine that gets slower meanwhile does not favour anyone; the medians are told.
/// </summary>
internal static class TracingOverhead
{
    private const int Rounds = 7;
    private const int Hypercalls = 200_000;
    private const int Loops = 3_000_000;

    /// <summary>Measures everything, and writes a table in Markdown.</summary>
    public static void Run(TextWriter table)
    {
        foreach (EngineKind engine in (ReadOnlySpan<EngineKind>)[EngineKind.Interpreter, EngineKind.Translator])
        {
            HypercallCost(table, engine);
            InstructionCost(table, engine);
        }

        BootCost(table);
    }

    /// <summary>Nanoseconds a hypercall (FLUSH_ASYNC, with an empty ring).</summary>
    public static void HypercallCost(TextWriter table, EngineKind engine)
    {
        string file = Path.GetTempFileName();
        (string, Func<double>)[] ways =
        [
            ("off", () => TimeHypercalls(engine, null)),
            ("observer there, nothing traced", () => TimeHypercalls(engine, new TraceRequest(TraceCategories.None, file, Json: false))),
            ("traced to a file, text", () => TimeHypercalls(engine, new TraceRequest(TraceCategories.Hypercalls, file, Json: false))),
            ("traced to a file, JSON", () => TimeHypercalls(engine, new TraceRequest(TraceCategories.Hypercalls, file, Json: true))),
        ];
        Tell(table, $"hypercall, {engine.ToString().ToLowerInvariant()}", "ns", ways);
        File.Delete(file);
    }

    /// <summary>Nanoseconds a round of a loop that adds, writes and branches: nothing here is on the way of an instruction.</summary>
    public static void InstructionCost(TextWriter table, EngineKind engine)
    {
        (string, Func<double>)[] ways =
        [
            ("off", () => TimeLoop(engine, static _ => { })),
            ("a breakpoint elsewhere", () => TimeLoop(engine, static guest => guest.Guest.SetBreakpoints(new HashSet<uint> { 0x50000 }))),
            ("a watchpoint on another page", () => TimeLoop(engine, static guest => guest.Guest.Core.SetWatchpoints([new Watchpoint(0x50000, 4, WatchKind.Write)]))),
        ];
        Tell(table, $"loop of 4 instructions, {engine.ToString().ToLowerInvariant()}", "ns", ways);
    }

    /// <summary>Milliseconds of a whole run of out/lguest: a real kernel if the environment names one, else the demo's tour.</summary>
    public static void BootCost(TextWriter table)
    {
        string? kernel = Environment.GetEnvironmentVariable("LGUEST_TEST_KERNEL");
        string? initrd = Environment.GetEnvironmentVariable("LGUEST_TEST_INITRD");
        string outDirectory = Environment.GetEnvironmentVariable("LGUEST_OUT") ?? "out";
        string[] guest = kernel != null && initrd != null
            ? ["64m", kernel, "--initrd=" + initrd, "quiet", "lpj=5000000", "autorun=true"]
            : ["16m", Path.Combine(outDirectory, "guest", "demo"), "run=tour,off"];
        string directory = Directory.CreateTempSubdirectory("lguest-bench-").FullName;
        string launcher = Path.Combine(outDirectory, "lguest");
        (string, Func<double>)[] ways =
        [
            ("off", () => TimeRun(launcher, guest)),
            ("--gdb and --control, nobody there", () => TimeRun(launcher, [$"--gdb=unix:{directory}/gdb", $"--control=unix:{directory}/ctl", .. guest])),
            ("--trace=all", () => TimeRun(launcher, [$"--trace=all,file={directory}/trace", .. guest])),
            ("--report", () => TimeRun(launcher, [$"--report={directory}/report.html", .. guest])),
        ];
        Tell(table, kernel != null && initrd != null ? "a real kernel's boot to power-off" : "the demo's tour", "ms", ways);
        Directory.Delete(directory, recursive: true);
    }

    private static double TimeHypercalls(EngineKind engine, TraceRequest? request)
    {
        using MicroGuest guest = new(engine, Hypercalls, static a =>
        {
            a.xor(eax, eax);
            a.@int(0x1F);
        });
        using Tracer? tracer = request == null ? null : new Tracer(request, new DebugTarget(new Lazy<SymbolTable>(SymbolTable.Empty)), static _ => { }, Stopwatch.GetTimestamp());
        tracer?.Attach(guest.Guest);
        long start = Stopwatch.GetTimestamp();
        guest.Run();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Hypercalls;
    }

    private static double TimeLoop(EngineKind engine, Action<MicroGuest> prepare)
    {
        using MicroGuest guest = new(engine, Loops, static a =>
        {
            a.add(ebx, edi);
            a.mov(__dword_ptr[MicroGuest.Data], ebx);
        });
        prepare(guest);
        long start = Stopwatch.GetTimestamp();
        guest.Run();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Loops;
    }

    private static double TimeRun(string launcher, string[] arguments)
    {
        long start = Stopwatch.GetTimestamp();
        using Process process = Process.Start(new ProcessStartInfo(launcher, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"lguest {string.Join(' ', arguments)}: {error.Result}{output.Result}");
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    private static void Tell(TextWriter table, string what, string unit, (string Name, Func<double> Measure)[] ways)
    {
        List<double>[] times = [.. ways.Select(static _ => new List<double>())];
        for (int round = 0; round <= Rounds; round++)
        {
            for (int i = 0; i < ways.Length; i++)
            {
                double time = ways[i].Measure();

                // The first round is for the compiler.
                if (round > 0)
                    times[i].Add(time);
            }
        }

        table.WriteLine($"| {what} | {unit} | against off |");
        table.WriteLine("|---|---|---|");
        double off = Median(times[0]);
        for (int i = 0; i < ways.Length; i++)
            table.WriteLine($"| {ways[i].Name} | {Median(times[i]):f1} | {Median(times[i]) / off:f2} |");
        table.WriteLine();
        table.Flush();
    }

    private static double Median(List<double> times)
    {
        List<double> sorted = [.. times.Order()];
        return sorted[sorted.Count / 2];
    }
}
