// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.VisualStudio.TestPlatform.ObjectModel;

namespace Lguest.TestLogger;

/// <summary>What is worth saying at the end of a run.</summary>
public sealed class RunSummary
{
    private const string Namespace = "Lguest.Tests.";
    private const int SlowTests = 8;

    private readonly List<(string Name, TimeSpan Time)> _times = [];
    private readonly SortedDictionary<string, List<string>> _skipped = new(StringComparer.Ordinal);
    private readonly List<string> _failed = [];

    /// <summary>A test's name without what all of them begin with.</summary>
    public static string Shorten(string name) => name.StartsWith(Namespace, StringComparison.Ordinal) ? name[Namespace.Length..] : name;

    /// <summary>Takes one result.</summary>
    /// <param name="name">The test's name.</param>
    /// <param name="outcome">How it ended.</param>
    /// <param name="time">How long it ran.</param>
    /// <param name="reason">Why it was skipped, if it was.</param>
    public void Add(string name, TestOutcome outcome, TimeSpan time, string reason)
    {
        _times.Add((Shorten(name), time));
        if (outcome == TestOutcome.Failed)
            _failed.Add(Shorten(name));
        if (outcome != TestOutcome.Skipped)
            return;
        if (!_skipped.TryGetValue(reason, out List<string>? names))
            _skipped.Add(reason, names = []);
        names.Add(Shorten(name));
    }

    /// <summary>Prints it all.</summary>
    public void Write(TextWriter to)
    {
        to.WriteLine("The slowest tests:");
        foreach ((string name, TimeSpan time) in _times.OrderByDescending(test => test.Time).Take(SlowTests))
            to.WriteLine($"  {time.TotalSeconds,6:0.0} s  {name}");
        int skipped = _skipped.Values.Sum(names => names.Count);
        foreach ((string reason, List<string> names) in _skipped)
        {
            to.WriteLine($"Skipped, since {reason}:");
            foreach (string name in names.Order(StringComparer.Ordinal))
                to.WriteLine($"  {name}");
        }

        foreach (string name in _failed)
            to.WriteLine($"FAILED {name}");
        to.WriteLine($"{_times.Count - skipped - _failed.Count} passed, {_failed.Count} failed, {skipped} skipped");
    }
}
