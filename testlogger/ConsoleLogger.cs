// SPDX-License-Identifier: GPL-2.0-or-later
using Microsoft.VisualStudio.TestPlatform.ObjectModel;
using Microsoft.VisualStudio.TestPlatform.ObjectModel.Client;
using Microsoft.VisualStudio.TestPlatform.ObjectModel.Logging;

namespace Lguest.TestLogger;

/// <summary>
/// What <c>make test</c> prints: how far the run is (the test host reports that in messages, see tests/Support), failures when
/// they happen, and in the end which tests were slow, what was skipped and why, and the counts.
/// </summary>
[FriendlyName("lguest")]
[ExtensionUri("logger://lguest/console/v1")]
public sealed class ConsoleLogger : ITestLogger
{
    /// <summary>What the test host's progress reports begin with.</summary>
    public const string ProgressMark = "progress: ";

    private readonly Lock _lock = new();
    private readonly RunSummary _summary = new();
    private string _lastProgress = string.Empty;

    /// <inheritdoc/>
    public void Initialize(TestLoggerEvents events, string testRunDirectory)
    {
        events.TestRunMessage += (_, message) => Note(message);
        events.TestResult += (_, result) => Note(result.Result);
        events.TestRunComplete += (_, end) => End(end);
    }

    private void Note(TestRunMessageEventArgs message)
    {
        // The platform puts its own marks in front: [xUnit.net 00:00:10.00] Lguest.Tests: ...
        int at = message.Message.IndexOf(ProgressMark, StringComparison.Ordinal);
        lock (_lock)
        {
            if (at >= 0)
            {
                _lastProgress = message.Message[(at + ProgressMark.Length)..].TrimEnd();
                Console.WriteLine(_lastProgress);
            }
            else if (message.Level == TestMessageLevel.Error && !message.Message.Contains("[FAIL]", StringComparison.Ordinal))
            {
                Console.WriteLine(message.Message.TrimEnd());
            }
        }
    }

    private void Note(TestResult result)
    {
        lock (_lock)
        {
            _summary.Add(result.TestCase.DisplayName, result.Outcome, result.Duration, Reason(result));
            if (result.Outcome != TestOutcome.Failed)
                return;
            Console.WriteLine($"FAILED {RunSummary.Shorten(result.TestCase.DisplayName)} after {result.Duration.TotalSeconds:0.0} s");
            Console.WriteLine(Indent(result.ErrorMessage));
            Console.WriteLine(Indent(result.ErrorStackTrace));
            foreach (TestResultMessage output in result.Messages)
                Console.WriteLine(Indent(output.Text));
        }
    }

    private void End(TestRunCompleteEventArgs end)
    {
        lock (_lock)
        {
            _summary.Write(Console.Out);
            if (!end.IsAborted && !end.IsCanceled)
                return;
            Console.WriteLine("The run was cut short: " + (end.Error?.Message ?? "the test host ended before its tests did") + "; its last report was:");
            Console.WriteLine(Indent(_lastProgress));
        }
    }

    private static string Reason(TestResult result) =>
        result.ErrorMessage is { Length: > 0 } message ? message : string.Join(' ', result.Messages.Select(message => message.Text?.Trim()));

    private static string Indent(string? text) => "  " + (text ?? string.Empty).TrimEnd().ReplaceLineEndings("\n  ");
}
