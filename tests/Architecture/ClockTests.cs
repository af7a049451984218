// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.RegularExpressions;

namespace Lguest.Tests.Architecture;

/// <summary>A guest has one source of time. Nothing that it runs on asks a clock of the host by itself: what does, does it for the host.</summary>
public sealed partial class ClockTests
{
    private static readonly string[] s_guestsSide = ["guestabi", "devices", "engine"];

    /// <summary>Files that ask the host's clock, and why that is not the guest's time.</summary>
    private static readonly Dictionary<string, string> s_exceptions = new()
    {
        ["HostTime.cs"] = "the source itself",
        ["RunClock.cs"] = "statistics: what the host's thread spends its time on",
        ["PacketCapture.cs"] = "time stamps in a file for the host's people",
        ["PasstLink.cs"] = "patience with another program of the host",
        ["SegmentPeer.cs"] = "patience with another program of the host",
        ["SegmentSurvey.cs"] = "patience with other programs of the host",
        ["SharedSegment.cs"] = "patience with other programs of the host",
        ["TapLink.cs"] = "how often the host's bridge is looked at",
    };

    [Fact]
    public void TheGuestsTimeHasOneSource() => Rule.Holds(
        "What a guest runs on takes the time from its IGuestTime, and from nowhere else:",
        Calls().Where(static call => !s_exceptions.ContainsKey(call.File.Name)).Select(static call => $"{call.File.Place(call.Match.Index)}: {call.Match.Value}"));

    /// <summary>An exception that nobody needs any more goes.</summary>
    [Fact]
    public void EachExceptionIsNeeded() => Rule.Holds(
        "These files ask no clock:",
        s_exceptions.Keys.Except(Calls().Select(static call => call.File.Name)));

    [Theory]
    [InlineData("long now = Stopwatch.GetTimestamp();")]
    [InlineData("DateTime.UtcNow - start")]
    [InlineData("DateTimeOffset.Now")]
    [InlineData("Environment.TickCount64 + 5")]
    [InlineData("clock_gettime(1, &now)")]
    [InlineData("private static readonly byte[] s_rdtsc = [0x0F, 0x31, 0xC3];")]
    [InlineData("_emit.rdtsc();")]
    [InlineData("TimeProvider.System")]
    public void TheRuleKnowsClocks(string line) => Assert.Matches(Clock(), line);

    private static IEnumerable<(SourceFile File, Match Match)> Calls() =>
        s_guestsSide.SelectMany(SourceTree.CSharp).SelectMany(static file => Clock().Matches(file.Text).Select(match => (file, match)));

    [GeneratedRegex(@"(?<!cref="")\bStopwatch\.(GetTimestamp|GetElapsedTime|StartNew)|\bnew Stopwatch\b|\bDateTime(Offset)?\.(Utc)?(Now|Today)\b|\bTickCount(64)?\b|\bclock_gettime\b|\bgettimeofday\b|\bTimeProvider\.System\b|0x0F, 0x31\b|\brdtsc\(")]
    private static partial Regex Clock();
}
