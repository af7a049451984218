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
    public static IReadOnlyList<Promise> All(Measurements measured, StartUp startUp)
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
        promises.Add(new("process start to a guest's first word", 150, Time(StartUp.FirstWord), "ms", Bench("--engines none")));
        promises.Add(new("real Linux 2.6.23, start to user space", 250, Time(StartUp.LinuxHere), "ms", Bench("--engines none")));
        promises.Add(new("the same, against TCG", 0.4, Time(StartUp.LinuxHere) / Time(StartUp.LinuxTcg), "×", Bench("--engines none")));
        promises.Add(new("the same, memory beyond the guest's", 96, startUp.Memory?.OtherMiB, "MiB", Bench("--engines none")));
        return promises;
    }

    private static string Bench(string options) => $"make bench BENCH=\"{options}\"";
}
