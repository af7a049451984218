// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;

namespace Lguest.Tests.Fuzz;

/// <summary>What <c>make fuzz</c> was told.</summary>
/// <param name="Time">For all targets together.</param>
/// <param name="Seed">Of the generators; printed, for the next run to be the same.</param>
/// <param name="Targets">Which, in order.</param>
/// <param name="Folder">Where finds go.</param>
/// <param name="Hang">How long a case may take.</param>
internal sealed record FuzzSettings(TimeSpan Time, int Seed, IReadOnlyList<FuzzTarget> Targets, string Folder, TimeSpan Hang)
{
    public const string Usage = "fuzz [time=2m] [seed=NUMBER] [only=TARGET,TARGET] [cases=FOLDER] [hang=SECONDS], or fuzz replay FILE...";

    /// <summary>Understands NAME=VALUE words; an empty value is none.</summary>
    /// <exception cref="LaunchException">One of them makes no sense.</exception>
    public static FuzzSettings Parse(IEnumerable<string> words)
    {
        FuzzSettings settings = new(TimeSpan.FromMinutes(2), Environment.TickCount & 0xFFFFFF, FuzzTargets.All, Path.Combine(Environment.CurrentDirectory, "tests", "Fuzz", "cases"), CaseWatch.Limit);
        foreach (string word in words)
        {
            string[] parts = word.Split('=', 2);
            if (parts is [_, ""])
                continue;
            settings = parts switch
            {
                ["time", string time] => settings with { Time = Duration.Parse("FUZZ_TIME", time) },
                ["seed", string seed] when int.TryParse(seed, NumberStyles.None, CultureInfo.InvariantCulture, out int number) => settings with { Seed = number },
                ["only", string only] => settings with { Targets = [.. only.Split(',').Select(Target)] },
                ["cases", string folder] => settings with { Folder = folder },
                ["hang", string hang] when int.TryParse(hang, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) => settings with { Hang = TimeSpan.FromSeconds(seconds) },
                ["faults", string faults] => settings.Plant(faults),
                _ => throw new LaunchException($"'{word}' makes no sense; usage: {Usage}"),
            };
        }

        return settings;
    }

    /// <summary>For the fuzzer's own test; children inherit it.</summary>
    private FuzzSettings Plant(string faults)
    {
        Environment.SetEnvironmentVariable(Fuzz.Targets.PlantedTarget.Variable, faults);
        return this;
    }

    private static FuzzTarget Target(string name) => FuzzTargets.Find(name)
        ?? throw new LaunchException($"there is no target '{name}'; there are {string.Join(", ", FuzzTargets.All.Select(target => target.Name))}");
}
