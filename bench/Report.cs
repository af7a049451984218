// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Text;

namespace Lguest.Bench;

/// <summary>Writes it all down, as a page of Markdown.</summary>
public static class Report
{
    private const string None = "–";

    // From this heading on the page is written by hand, and kept.
    private const string ByHand = "\n## Where the time goes\n";

    /// <summary>The whole page.</summary>
    public static string Page(Places places, BenchOptions options, IReadOnlyList<Contender> contenders, Measurements measured, StartUp startUp, QuickStart quick, string? networks, ObservingCost? observing)
    {
        StringBuilder page = new();
        page.Append($"""
            <!-- SPDX-License-Identifier: GPL-2.0-or-later -->
            <!-- Written by `make bench`, down to "Where the time goes"; what follows that heading is written by hand and kept. -->
            # Performance

            Every figure on this page comes from one run of `make bench` on the machine below. The workloads (`guest/bench/`) are compiled
            once, for i686 with `-O2`, and the same objects are linked as an lguest guest, as a kernel for a PC (QEMU TCG) and as a 32-bit
            program of the host (native). They time themselves by `rdtsc`, in samples of about a millisecond; a round's figure is its best
            sample, a figure here the median of {options.Rounds} rounds in which the contenders took turns.

            To reproduce it: `make bench`, which writes out/performance.md (`make bench BENCH=--write`: this page). It needs gcc, for the column
            `tcg` Debian's package `qemu-system-x86`, and for the boot of a real kernel `LGUEST_TEST_KERNEL` and `LGUEST_TEST_INITRD`.
            `make bench BENCH=--help` lists the options. The launcher is the native program that `make` publishes.


            """.ReplaceLineEndings("\n"));
        page.Append("## The machine\n\n");
        foreach ((string name, string value) in Host.Describe(places))
            page.Append($"* {name}: {value}\n");
        foreach (Contender contender in contenders.Where(contender => contender.Missing != null))
            page.Append($"* {contender.Name} was skipped: {contender.Missing}\n");
        page.Append("\n## What was promised\n\n| | at most | measured | | by |\n|---|--:|--:|---|---|\n");
        foreach (Promise promise in Promise.All(measured, startUp, quick))
        {
            string verdict = promise.Value == null ? "not measured" : promise.Value <= promise.Limit ? "reached" : "**not reached**";
            page.Append($"| {promise.Text} | {Figure(promise.Limit)} {promise.Unit} | {Figure(promise.Value)} {promise.Unit} | {verdict} | `{promise.Command}` |\n");
        }

        page.Append("\n## Workloads\n\n");
        Table(page, measured);
        page.Append("""

            In the native column, kernel workloads are the host's own `getppid`, page touching and `fork`: similar work but different code, so
            do not compare. TCG has no hypercall: its figure is a write to port 0x80. Its console is a serial port, a byte at a
            time.

            ## Start-up


            """.ReplaceLineEndings("\n"));
        page.Append("| from the process's start to | ms | of them on a processor |\n|---|--:|--:|\n");
        foreach ((string name, double time) in startUp.Times)
            page.Append($"| {name} | {Figure(time)} | {(startUp.ProcessorTimes.TryGetValue(name, out double processor) ? Figure(processor) : None)} |\n");
        if (startUp.WhyNoLinux is { } why)
            page.Append($"\nNo real kernel was booted: {why}.\n");
        else if (startUp.WhyNoLinuxTcg is { } whyNot)
            page.Append($"\nQEMU booted no real kernel: {whyNot}.\n");
        if (startUp.Memory is { } memory)
            page.Append($"\nAt that moment the real kernel's launcher has {Figure(memory.OtherMiB)} MiB in memory besides {Figure(memory.GuestMiB)} MiB of the guest's own pages.\n");
        if (networks != null)
        {
            page.Append("""

                ## Networks


                """.ReplaceLineEndings("\n")).Append(networks).Append("""

                Guest and host over a tap, guests over a shared file. Echoes are timed by the host: our demo guest, which sleeps until a packet
                comes, and a guest of the same manner on a PC of QEMU's with an NE2000 card, whose packets go through an I/O port. Pings are
                timed by the demo guest, TCP by the receiver. A megabyte is 10^6 bytes. Medians of three rounds.

                """.ReplaceLineEndings("\n"));
        }

        if (observing != null)
        {
            page.Append("""

                ## Looking into a guest

                What the options of docs/debugging.md cost. In the first rows the options are enabled but idle; a trace writes a
                line for each system call and hypercall. Under the translator, unless another engine is named.


                """.ReplaceLineEndings("\n"));
            observing.Append(page);
        }

        return page.ToString();
    }

    /// <summary>The page in place of an older one, of which what people wrote stays.</summary>
    public static string Renew(string? old, string page)
    {
        int place = old?.IndexOf(ByHand, StringComparison.Ordinal) ?? -1;
        return place < 0 ? page : page + old![place..];
    }

    /// <summary>The table of workloads alone.</summary>
    public static string Table(Measurements measured)
    {
        StringBuilder table = new();
        Table(table, measured);
        return table.ToString();
    }

    private static void Table(StringBuilder table, Measurements measured)
    {
        table.Append("| workload | one operation | native | translator | interpreter | tcg | translator / native | tcg / translator | interpreter / native |\n");
        table.Append("|---|---|--:|--:|--:|--:|--:|--:|--:|\n");
        foreach (Workload workload in Workload.All)
        {
            string Time(string contender) => Duration(measured.Time(contender, workload.Name));
            string Ratio(string contender, string than) => Figure(measured.Ratio(contender, than, workload.Name));
            if (Contenders(measured, workload) == 0)
                continue;
            table.Append($"| {workload.Title} | {workload.Operation} | {Time(Contender.Native)} | {Time(Contender.Translator)} | {Time(Contender.Interpreter)} | {Time(Contender.Tcg)}");
            table.Append($" | {Ratio(Contender.Translator, Contender.Native)} | {Ratio(Contender.Tcg, Contender.Translator)} | {Ratio(Contender.Interpreter, Contender.Native)} |\n");
        }

        foreach (WorkloadKind kind in new[] { WorkloadKind.Compute, WorkloadKind.Kernel })
        {
            IReadOnlyList<Workload> workloads = [.. Workload.All.Where(w => w.Kind == kind && Contenders(measured, w) > 0)];
            string Mean(string contender, string than) => Figure(measured.Ratio(contender, than, workloads));
            if (workloads.Count > 0)
                table.Append($"| *{kind.ToString().ToLowerInvariant()}, geometric mean* | | | | | | {Mean(Contender.Translator, Contender.Native)} | {Mean(Contender.Tcg, Contender.Translator)} | {Mean(Contender.Interpreter, Contender.Native)} |\n");
        }
    }

    private static int Contenders(Measurements measured, Workload workload) =>
        new[] { Contender.Native, Contender.Translator, Contender.Interpreter, Contender.Tcg }.Count(name => measured.Time(name, workload.Name) != null);

    internal static string Duration(double? nanoseconds) => nanoseconds switch
    {
        null => None,
        < 1e4 => $"{Figure(nanoseconds)} ns",
        < 1e7 => $"{Figure(nanoseconds / 1e3)} µs",
        _ => $"{Figure(nanoseconds / 1e6)} ms",
    };

    // Three digits are more than a busy machine deserves.
    internal static string Figure(double? value) => value switch
    {
        null => None,
        < 10 => value.Value.ToString("0.00", CultureInfo.InvariantCulture),
        < 100 => value.Value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.Value.ToString("#,0", CultureInfo.InvariantCulture),
    };
}
