// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Bench;

/// <summary>Something we said we would reach.</summary>
/// <param name="Text">What.</param>
/// <param name="Limit">How much at most.</param>
/// <param name="Value">How much it is; null when it was not measured.</param>
/// <param name="Unit">Of both.</param>
/// <param name="Command">What measures it alone.</param>
public sealed record Promise(string Text, double Limit, double? Value, string Unit, string Command)
{
    /// <summary>The project's promises against these figures.</summary>
    public static IReadOnlyList<Promise> All(Measurements measured, StartUp startUp, QuickStart quick)
    {
        IReadOnlyList<Workload> compute = [.. Workload.All.Where(w => w.Kind == WorkloadKind.Compute)];
        IReadOnlyList<Workload> kernel = [.. Workload.All.Where(w => w.Kind == WorkloadKind.Kernel)];
        double? worst = compute.Max(w => measured.Ratio(Contender.Translator, Contender.Native, w.Name));
        string names = string.Join(',', compute.Select(w => w.Name));
        string kernels = string.Join(',', kernel.Select(w => w.Name));
        IReadOnlyDictionary<string, double> times = startUp.Times;
        double? Time(string name) => times.TryGetValue(name, out double time) ? time : null;
        List<Promise> promises =
        [
            new("compute, geometric mean, against native", 1.25, measured.Ratio(Contender.Translator, Contender.Native, compute), "×", Bench($"--only {names}")),
            new("compute, the slowest, against native", 2, worst, "×", Bench($"--only {names}")),
            new("compute and kernel, geometric mean, against TCG", 1 / 4.0, measured.Ratio(Contender.Translator, Contender.Tcg, [.. compute, .. kernel]), "×", Bench($"--only {names},{kernels}")),
        ];
        foreach (Workload workload in kernel)
            promises.Add(new($"{workload.Title}, against TCG", 1, measured.Ratio(Contender.Translator, Contender.Tcg, workload.Name), "×", Bench($"--only {workload.Name}")));
        promises.Add(new("hypercall", 500, measured.Time(Contender.Translator, "hypercall"), "ns", Bench("--only hypercall")));
        promises.Add(new("`lguest --version`", 3, quick.Version, "ms", Bench("start")));
        promises.Add(new("process start to a guest's first word", 6, quick.FirstWord, "ms", Bench("start")));
        promises.Add(new("whole life of a guest that powers off at once", 8, quick.WholeLife, "ms", Bench("start")));
        promises.Add(new($"{QuickStart.Crowd} guests started together, the last one's prompt", 600, quick.CrowdsPrompts, "ms", Bench("start")));
        promises.Add(new("the same at their prompts, of one processor", 0.1, quick.CrowdsIdle, "%", Bench("start")));
        promises.Add(new("the same, each (proportional set size)", 4.5, quick.CrowdsEach, "MB", Bench("start")));
        promises.Add(new("memory beyond the guest's, demo guest at its prompt", 16, quick.Beyond, "MiB", Bench("start")));
        promises.Add(new("memory beyond the guest's, booted Linux 2.6.23", 28, startUp.Memory?.OtherMiB, "MiB", Bench("start")));
        promises.Add(new("real Linux 2.6.23, start to user space", 250, Time(StartUp.LinuxHere), "ms", Bench("start")));
        promises.Add(new("the same, against TCG", 0.25, Time(StartUp.LinuxHere) / Time(StartUp.LinuxTcg), "×", Bench("start")));
        return promises;
    }

    private static string Bench(string options) => $"make bench BENCH=\"{options}\"";
}
