// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Lguest.Tests.Support;

/// <summary>
/// Looks on while tests run: says every few seconds how far they are and which ones are running, and ends the process when one
/// of them runs longer than any should, after naming it. xunit's own Timeout works for asynchronous tests only: nothing stops a
/// thread that is in a guest's code. Helpers that run guests have shorter limits, and fail just their test.
/// </summary>
public sealed class RunWatch : LongLivedMarshalByRefObject, IMessageSink, IDisposable
{
    private const int Named = 3;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(10);

    /// <summary>How long one test may run. LGUEST_TEST_LIMIT, in seconds, for machines that need more.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(
        double.TryParse(Environment.GetEnvironmentVariable("LGUEST_TEST_LIMIT"), CultureInfo.InvariantCulture, out double seconds) ? seconds : 240);

    private readonly IMessageSink _inner;
    private readonly IMessageSink _diagnostics;
    private readonly int _cases;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Dictionary<ITest, TimeSpan> _running = [];
    private readonly ManualResetEventSlim _over = new();
    private readonly Thread _thread;
    private int _ended;
    private int _failed;
    private int _skipped;

    /// <summary>Begins to look.</summary>
    /// <param name="inner">Who gets all messages.</param>
    /// <param name="diagnostics">Where reports go.</param>
    /// <param name="cases">How many tests there are to run.</param>
    public RunWatch(IMessageSink inner, IMessageSink diagnostics, int cases)
    {
        _inner = inner;
        _diagnostics = diagnostics;
        _cases = cases;

        // Not a timer: the tests keep the pool's threads busy.
        _thread = new Thread(Look) { IsBackground = true, Name = "watches tests" };
        _thread.Start();
    }

    /// <inheritdoc/>
    public bool OnMessage(IMessageSinkMessage message)
    {
        lock (_running)
        {
            switch (message)
            {
                case ITestStarting starting:
                    _running[starting.Test] = _clock.Elapsed;
                    break;
                case ITestFinished finished:
                    _running.Remove(finished.Test);
                    break;
                case ITestFailed:
                    _failed++;
                    break;
                case ITestSkipped:
                    _skipped++;
                    break;
                case ITestCaseFinished:
                    _ended++;
                    break;
            }
        }

        return _inner.OnMessage(message);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _over.Set();
        _thread.Join();
        _over.Dispose();
    }

    private void Look()
    {
        Report($"{_cases} tests");
        while (!_over.Wait(s_interval))
        {
            (string Name, TimeSpan Time)[] running;
            string text;
            lock (_running)
            {
                running = [.. _running.Select(pair => (pair.Key.DisplayName, _clock.Elapsed - pair.Value)).OrderByDescending(test => test.Item2)];
                text = $"{_clock.Elapsed:mm\\:ss}  {_ended} of {_cases} ({_failed} failed, {_skipped} skipped); now "
                    + string.Join(", ", running.Take(Named).Select(test => $"{Shorten(test.Name)} ({test.Time.TotalSeconds:0} s)"));
            }

            Report(text);
            if (running.Length > 0 && running[0].Time > s_limit)
                End(running[0].Name);
        }
    }

    private void End(string name)
    {
        string sentence = $"{name} has run for more than {s_limit.TotalSeconds:0} s: it hangs, and nothing can be done but to end all tests";
        Report(sentence);
        Environment.FailFast(sentence);
    }

    private static string Shorten(string name)
    {
        const int most = 80;
        const string prefix = "Lguest.Tests.";
        string shorter = name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name;
        return shorter.Length > most ? shorter[..most] + "..." : shorter;
    }

    private void Report(string text) => _diagnostics.OnMessage(new DiagnosticMessage("progress: " + text));
}
