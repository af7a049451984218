// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;

namespace Lguest.NativeTests;

/// <summary>
/// Runs tests in another process and looks on. What was running when that process ends before its time, or for longer than any
/// test should, has failed; a new process goes on with the rest.
/// </summary>
/// <param name="results">The file to write.</param>
/// <param name="command">What makes this program run tests.</param>
internal sealed class Supervisor(string results, string[] command)
{
    private const int Slow = 4;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(10);

    /// <summary>How long one test may run. LGUEST_TEST_LIMIT, in seconds, for machines that need more.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(
        double.TryParse(Environment.GetEnvironmentVariable("LGUEST_TEST_LIMIT"), CultureInfo.InvariantCulture, out double seconds) ? seconds : 240);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, TestOutcome> _outcomes = [];
    private readonly Dictionary<string, TimeSpan> _running = [];
    private HashSet<string>? _wanted;

    /// <summary>Runs all that a filter lets through.</summary>
    /// <returns>0 when none failed.</returns>
    public int RunAll(TestFilter filter)
    {
        do
        {
            int status = RunProcess(filter);
            if (_outcomes.Count < _wanted!.Count && _running.Count == 0)
            {
                // Nothing to lay it to: another one would end the same way.
                Console.WriteLine($"FAILED native tests: the process ended with status {status} between tests");
                return 1;
            }

            foreach (string name in _running.Keys.ToArray())
                Note(new TestOutcome(name, CaseRunner.Fails, _clock.Elapsed - _running[name], $"the process ended with status {status} while this ran"));
        }
        while (_outcomes.Count < _wanted.Count);
        if (_wanted.Count == 0)
            return 0;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(results))!);
        ResultFile.Write(results, _outcomes.Values);
        int failed = Count(CaseRunner.Fails);
        Console.WriteLine("slowest: " + string.Join(", ", _outcomes.Values.OrderByDescending(outcome => outcome.Time).Take(Slow)
            .Select(outcome => $"{outcome.Name["Lguest.Tests.".Length..]} ({outcome.Time.TotalSeconds:0.0} s)")));
        foreach (IGrouping<string, TestOutcome> skipped in _outcomes.Values.Where(outcome => outcome.Kind == CaseRunner.Skips).GroupBy(outcome => outcome.Message))
            Console.WriteLine($"skipped {skipped.Count()}: {skipped.Key}");
        Console.WriteLine($"native tests: {Count(CaseRunner.Passes)} passed, {failed} failed, {Count(CaseRunner.Skips)} skipped in {_clock.Elapsed.TotalSeconds:0} s");
        return failed == 0 ? 0 : 1;
    }

    private int RunProcess(TestFilter filter)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!, command) { RedirectStandardInput = true, RedirectStandardOutput = true };

        // Briefly: the same suites run in full on CoreCLR.
        start.Environment.TryAdd("LGUEST_CASES", "0.1");
        using Process process = Process.Start(start)!;
        HashSet<string> wanted = [];
        while (Next(process) is [CaseRunner.Has, string name, string fullName])
        {
            if (filter.Matches(fullName) && !wanted.Add(name))
                throw new InvalidOperationException($"two tests have the name {name}");
        }

        _wanted ??= wanted;
        foreach (string name in _wanted)
        {
            if (!_outcomes.ContainsKey(name))
                process.StandardInput.WriteLine(name);
        }

        process.StandardInput.Close();
        using Timer watch = new(_ => Look(process), null, s_interval, s_interval);
        while (Next(process) is { } line)
        {
            lock (_lock)
            {
                if (line is [CaseRunner.Begins, string name])
                    _running[name] = _clock.Elapsed;
                else if (line is [string kind, string test, string seconds, ..])
                    Note(new TestOutcome(test, kind, TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture)), line.Length > 3 ? line[3] : string.Empty));
            }
        }

        process.WaitForExit();
        return process.ExitCode;
    }

    private static string[]? Next(Process process) =>
        process.StandardOutput.ReadLine() is { } line ? Array.ConvertAll(line.Split(CaseRunner.Separator), Uri.UnescapeDataString) : null;

    private void Note(TestOutcome outcome)
    {
        _running.Remove(outcome.Name);
        _outcomes[outcome.Name] = outcome;
        if (outcome.Kind == CaseRunner.Fails)
            Console.WriteLine($"FAILED native {outcome.Name} after {outcome.Time.TotalSeconds:0.0} s\n  {outcome.Message.ReplaceLineEndings("\n  ")}");
    }

    private void Look(Process process)
    {
        lock (_lock)
        {
            Console.WriteLine($"{_clock.Elapsed:mm\\:ss}  native: {_outcomes.Count} of {_wanted!.Count} ({Count(CaseRunner.Fails)} failed); now {string.Join(", ", _running.Keys)}");
            if (_running.Values.Any(since => _clock.Elapsed - since > s_limit))
            {
                Console.WriteLine($"one has run for more than {s_limit.TotalSeconds:0} s: it hangs");
                process.Kill();
            }
        }
    }

    private int Count(string kind) => _outcomes.Values.Count(outcome => outcome.Kind == kind);
}
