// SPDX-License-Identifier: GPL-2.0-or-later
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Lguest.Tests.EngineParts;
using Lguest.Tests.EngineParts.Signals;
using Lguest.Tests.Support;

namespace Lguest.NativeTests;

/// <summary>
/// The process that runs tests: it lists what it has, is told which ones to run, and reports each that begins and ends, a line
/// each. Groups (mostly classes) run beside each other, as many as there are processors; the tests of one group in turn.
/// </summary>
internal static class CaseRunner
{
    /// <summary>Between the parts of a line.</summary>
    public const char Separator = '\t';

    /// <summary>In front of each test there is, and once in front of nothing when those are all.</summary>
    public const string Has = "has";

    /// <summary>Kinds of lines of a run.</summary>
    public const string Begins = "begins", Passes = "passes", Fails = "fails", Skips = "skips";

    /// <summary>The groups that take longest begin first.</summary>
    private static readonly List<string> s_long =
    [
        LowMemory.Name, typeof(MappingLimitTests).FullName!, typeof(SignalChainTests).FullName!, typeof(SignalHandlersTests).FullName!,
    ];

    private static readonly Lock s_lock = new();
    private static readonly TextWriter s_reports = Console.Out;

    /// <summary>Runs what standard input names.</summary>
    public static void Run()
    {
        List<TestCase> all = TestCatalog.All();
        foreach (TestCase test in all)
            Report(Has, test.Name, test.FullName);
        Report(Has);
        HashSet<string> wanted = [];
        while (Console.In.ReadLine() is { } name)
            wanted.Add(name);

        // What a test prints by mistake is no report.
        Console.SetOut(Console.Error);
        ConcurrentQueue<TestCase[]> groups = new(
            all.Where(test => wanted.Contains(test.Name))
                .GroupBy(test => test.Group)
                .OrderBy(group => s_long.IndexOf(group.Key) is >= 0 and int place ? place : s_long.Count)
                .Select(group => group.ToArray()));
        Thread[] threads = new Thread[Environment.ProcessorCount];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(() =>
            {
                while (groups.TryDequeue(out TestCase[]? group))
                    Array.ForEach(group, Run);
            });
            threads[i].Start();
        }

        foreach (Thread thread in threads)
            thread.Join();
    }

    private static void Run(TestCase test)
    {
        if (test.Skip is { } reason)
        {
            Report(Skips, test.Name, "0", reason);
            return;
        }

        Report(Begins, test.Name);
        long start = Stopwatch.GetTimestamp();
        try
        {
            test.Run();
            Report(Passes, test.Name, Seconds(start));
        }
        catch (Exception e)
        {
            Report(Fails, test.Name, Seconds(start), e.ToString());
        }
    }

    private static string Seconds(long start) => Stopwatch.GetElapsedTime(start).TotalSeconds.ToString(CultureInfo.InvariantCulture);

    private static void Report(params string[] parts)
    {
        string line = string.Join(Separator, parts.Select(Escape));
        lock (s_lock)
        {
            s_reports.WriteLine(line);
            s_reports.Flush();
        }
    }

    private static string Escape(string part) => Uri.EscapeDataString(part);
}
