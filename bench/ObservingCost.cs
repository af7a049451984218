// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Text;
using Iced.Intel;
using Lguest.Engine;
using Lguest.GuestAbi.Debugging;
using static Iced.Intel.AssemblerRegisters;

namespace Lguest.Bench;

/// <summary>
/// What looking into a guest costs: nothing asked for, asked for but idle, and in use. The same launcher and the same guests,
/// with options that take turns; and a loop of a few instructions, in this process, with a debugger's stops elsewhere.
/// </summary>
public sealed class ObservingCost(Places places)
{
    /// <summary>With nothing asked for: what the others are compared with.</summary>
    public const string Off = "nothing asked for";

    private const int Loops = 2_000_000;

    private static readonly (string Name, Func<string, string[]> Options)[] s_ways =
    [
        (Off, static _ => []),
        ("--gdb and --control, nobody there", static to => [$"--gdb=unix:{to}/gdb", $"--control=unix:{to}/ctl"]),
        ("--trace of something else (net)", static to => [$"--trace=net,file={to}/trace"]),
        ("--stats", static to => [$"--stats={to}/stats"]),
        ("--report", static to => [$"--report={to}/report.html"]),
        ("--trace=all to a file, text", static to => [$"--trace=all,file={to}/trace"]),
        ("--trace=all to a file, JSON", static to => [$"--trace=all,format=json,file={to}/trace"]),
    ];

    private static readonly (string Name, Action<MicroGuest> Prepare)[] s_stops =
    [
        (Off, static _ => { }),
        ("a breakpoint elsewhere", static guest => guest.Guest.SetBreakpoints(new HashSet<uint> { 0x50000 })),
        ("a watchpoint on another page", static guest => guest.Guest.Core.SetWatchpoints([new Watchpoint(0x50000, 4, WatchKind.Write)])),
    ];

    private static readonly string[] s_engines = [Contender.Translator, Contender.Interpreter];
    private static readonly string[] s_workloads = ["integer", "syscall", "hypercall"];
    private readonly Measurements _measured = new();
    private readonly Dictionary<(string Way, string What), List<double>> _times = [];

    /// <summary>What is run from start to end: a real kernel's boot, if the environment names one, else the demo's tour.</summary>
    public string WholeRun => RealKernel == null ? "the demo's tour" : "Linux 2.6.23 from start to power-off";

    private static string[]? RealKernel =>
        Environment.GetEnvironmentVariable("LGUEST_TEST_KERNEL") is { Length: > 0 } kernel && Environment.GetEnvironmentVariable("LGUEST_TEST_INITRD") is { Length: > 0 } initrd
            ? [kernel, "--initrd=" + initrd, "quiet", "lpj=5000000", "autorun=true"]
            : null;

    /// <summary>Everything once.</summary>
    public void Round()
    {
        string directory = Directory.CreateTempSubdirectory("lguest-bench-").FullName;
        foreach ((string name, Func<string, string[]> options) in s_ways)
        {
            foreach (string engine in s_engines)
            {
                // Half an hour of tracing is not wanted: the interpreter's samples are few.
                int samples = engine == Contender.Interpreter ? 4 : 30;
                using Child child = new([places.Launcher, "--engine=" + engine, .. options(directory), "64m", places.Bench("guest"), $"samples={samples}", "only=" + string.Join(',', s_workloads)]);
                child.WaitForEnd();
                _measured.Add(Key(name, engine), child.Output);
            }

            using Child run = new([places.Launcher, .. options(directory), "64m", .. RealKernel ?? [places.Guest("demo"), "run=tour,off"]]);
            TimeSpan before = ChildrenTime.Now;
            Took(name, "run", run.WaitForEnd().TotalMilliseconds);
            Took(name, "processor", (ChildrenTime.Now - before).TotalMilliseconds);
        }

        Directory.Delete(directory, recursive: true);
        foreach ((string name, Action<MicroGuest> prepare) in s_stops)
        {
            Took(name, Contender.Translator, TimeLoop(EngineKind.Translator, prepare));
            Took(name, Contender.Interpreter, TimeLoop(EngineKind.Interpreter, prepare));
        }
    }

    /// <summary>Both tables, as Markdown.</summary>
    public void Append(StringBuilder page)
    {
        page.Append($"| option | system call | hypercall | compute (integer loop) | the interpreter's hypercall | {WholeRun} | of that on a processor |\n|---|--:|--:|--:|--:|--:|--:|\n");
        foreach ((string name, _) in s_ways)
        {
            string Time(string engine, string workload) => Report.Duration(_measured.Time(Key(name, engine), workload));
            page.Append($"| {name} | {Time(Contender.Translator, "syscall")} | {Time(Contender.Translator, "hypercall")} | {Time(Contender.Translator, "integer")} | {Time(Contender.Interpreter, "hypercall")} | {Report.Figure(Median(name, "run"))} ms | {Report.Figure(Median(name, "processor"))} ms |\n");
        }

        page.Append("\n| a loop of 4 instructions, one round | translator | interpreter |\n|---|--:|--:|\n");
        foreach ((string name, _) in s_stops)
            page.Append($"| {name} | {Report.Duration(Median(name, Contender.Translator))} | {Report.Duration(Median(name, Contender.Interpreter))} |\n");
    }

    private static string Key(string way, string engine) => $"{engine}, {way}";

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

    private void Took(string way, string what, double time)
    {
        if (!_times.TryGetValue((way, what), out List<double>? times))
            _times[(way, what)] = times = [];
        times.Add(time);
    }

    private double? Median(string way, string what) => _times.TryGetValue((way, what), out List<double>? times) ? Statistics.Median(times) : null;
}
