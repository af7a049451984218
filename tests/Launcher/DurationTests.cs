// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;
using Xunit;

namespace Lguest.Tests.Launcher;

/// <summary>Lengths of time on the command line.</summary>
public sealed class DurationTests
{
    [Theory]
    [InlineData("90", 90_000)]
    [InlineData("1.5s", 1_500)]
    [InlineData("500ms", 500)]
    [InlineData("5m", 300_000)]
    [InlineData("2h", 7_200_000)]
    [InlineData("1d", 86_400_000)]
    public void UnitsAreThoseOfSleep(string text, long milliseconds) =>
        Assert.Equal(milliseconds, Duration.Parse("timeout", text).TotalMilliseconds);

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("0")]
    [InlineData("25d")]
    [InlineData("1e9")]
    [InlineData("5 m")]
    [InlineData("soon")]
    public void NonsenseIsASentence(string text) =>
        Assert.StartsWith("--timeout=" + text, Assert.Throws<LaunchException>(() => Duration.Parse("timeout", text)).Message, StringComparison.Ordinal);
}
