// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Bench;

/// <summary>How fast a shell is there: our demo's, and a real kernel's where there is one. Milliseconds.</summary>
public sealed class StartUp(Places places)
{
    private static readonly string[] _bootWords = ["lpj=5000000", "quiet"];
    private readonly Dictionary<string, List<double>> _times = [];
    private readonly Dictionary<string, List<double>> _processor = [];
    private readonly List<ResidentMemory> _memory = [];
    private readonly string? _kernel = Variable("LGUEST_TEST_KERNEL");
    private readonly string? _initrd = Variable("LGUEST_TEST_INITRD");
    private readonly string _mark = Variable("LGUEST_TEST_MARK") ?? "INITRD-UP";

    /// <summary>The demo.</summary>
    public const string Prompt = "prompt of the demo shell";

    /// <summary>Real Linux here.</summary>
    public const string LinuxHere = "Linux 2.6.23 to user space, lguest";

    /// <summary>Real Linux in QEMU.</summary>
    public const string LinuxTcg = "Linux 2.6.23 to user space, QEMU TCG";

    /// <summary>Why no real kernel is booted, or null.</summary>
    public string? WhyNoLinux => _kernel == null || _initrd == null ? "LGUEST_TEST_KERNEL and LGUEST_TEST_INITRD are not set" : null;

    /// <summary>Why QEMU boots none, or null.</summary>
    public string? WhyNoLinuxTcg => WhyNoLinux
        ?? (places.Qemu == null ? "no qemu-system-i386" : null)
        ?? (BzImage == null ? "no bzImage beside the kernel, and LGUEST_TEST_BZIMAGE is not set" : null);

    /// <summary>Medians by name.</summary>
    public IReadOnlyDictionary<string, double> Times => _times.ToDictionary(pair => pair.Key, pair => Statistics.Median(pair.Value));

    /// <summary>Medians of processor time by name; not for what has ended by then.</summary>
    public IReadOnlyDictionary<string, double> ProcessorTimes => _processor.ToDictionary(pair => pair.Key, pair => Statistics.Median(pair.Value));

    /// <summary>The median process, by what is not the guest's; null when no kernel was booted.</summary>
    public ResidentMemory? Memory => _memory.Count == 0 ? null : _memory.OrderBy(memory => memory.OtherMiB).ElementAt(_memory.Count / 2);

    private string? BzImage => Variable("LGUEST_TEST_BZIMAGE")
        ?? (_kernel != null && Path.Combine(Path.GetDirectoryName(Path.GetFullPath(_kernel))!, "bzImage") is { } beside && File.Exists(beside) ? beside : null);

    /// <summary>Everything once.</summary>
    public void Round()
    {
        using (Child demo = new([places.Launcher, "64m", places.Guest("demo")]))
            Reached(Prompt, demo, "demo> ");
        if (WhyNoLinux == null)
        {
            using Child linux = new([places.Launcher, "64m", _kernel!, $"--initrd={_initrd}", .. _bootWords]);
            Reached(LinuxHere, linux, _mark);
            _memory.Add(ResidentMemory.Of(linux.Id));
        }

        if (WhyNoLinuxTcg == null)
        {
            using Child linux = new(Contender.Qemu(places, BzImage!, $"console=ttyS0 {string.Join(' ', _bootWords)}", "-initrd", _initrd!));
            Reached(LinuxTcg, linux, _mark);
        }
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private void Reached(string what, Child child, string mark)
    {
        Took(_times, what, child.WaitFor(mark));
        if (child.ProcessorTime is { } time)
            Took(_processor, what, time);
    }

    private static void Took(Dictionary<string, List<double>> all, string what, TimeSpan time)
    {
        if (!all.TryGetValue(what, out List<double>? times))
            all[what] = times = [];
        times.Add(time.TotalMilliseconds);
    }
}
