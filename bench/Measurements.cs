// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Bench;

/// <summary>
/// What the rounds brought: nanoseconds per operation by contender and workload. A round's figure is its best sample, because
/// whatever else happens on a machine only ever adds; a workload's figure is the median of the rounds.
/// </summary>
public sealed class Measurements
{
    private readonly Dictionary<(string Contender, string Workload), List<double>> _times = [];
    private readonly Dictionary<string, (string Contender, uint Value)> _checksums = [];

    // Kilohertz of the host's rdtsc; native tells, for all who show the same counter without a name for its pace.
    private double _hostKhz;

    /// <summary>Takes in what a harness printed (guest/bench/harness.c).</summary>
    public void Add(string contender, string output)
    {
        double khz = 0;
        bool ended = false;
        foreach (string line in output.Split('\n'))
        {
            string[] words = line.Trim().Split(' ');
            switch (words[0])
            {
                case "begin":
                    khz = double.Parse(words[1]);
                    if (contender == Contender.Native)
                        _hostKhz = khz;
                    break;
                case "bench":
                    if (khz == 0 && (khz = _hostKhz) == 0)
                        throw new BenchException($"nobody knows the pace of rdtsc under {contender}: it takes {Contender.Native}");
                    Check(contender, words[1], uint.Parse(words[2]));
                    if (!_times.TryGetValue((contender, words[1]), out List<double>? times))
                        _times[(contender, words[1])] = times = [];
                    times.Add(double.Parse(words[4]) / double.Parse(words[3]) * 1e6 / khz);
                    break;
                case "end":
                    ended = true;
                    break;
            }
        }

        if (!ended)
            throw new BenchException($"{contender} did not come to the end: {output}");
    }

    /// <summary>Nanoseconds per operation, or null where there is no such thing.</summary>
    public double? Time(string contender, string workload) =>
        _times.TryGetValue((contender, workload), out List<double>? times) ? Statistics.Median(times) : null;

    /// <summary>How much longer one takes than the other.</summary>
    public double? Ratio(string contender, string than, string workload) => Time(contender, workload) / Time(than, workload);

    /// <summary>The geometric mean of such ratios, or null when one is missing.</summary>
    public double? Ratio(string contender, string than, IEnumerable<Workload> workloads)
    {
        List<double?> ratios = [.. workloads.Select(workload => Ratio(contender, than, workload.Name))];
        return ratios.Count == 0 || ratios.Contains(null) ? null : Statistics.GeometricMean(ratios.Select(ratio => ratio!.Value));
    }

    // A wrong result is not a fast one. What kernels do is different code natively.
    private void Check(string contender, string workload, uint checksum)
    {
        if (contender == Contender.Native && Workload.All.First(w => w.Name == workload).Kind != WorkloadKind.Compute)
            return;
        if (!_checksums.TryAdd(workload, (contender, checksum)) && _checksums[workload].Value != checksum)
            throw new BenchException($"{workload}: {contender} computes {checksum}, but {_checksums[workload].Contender} {_checksums[workload].Value}");
    }
}
