// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Launcher.Run;
using Xunit;

namespace Lguest.Tests.Launcher;

/// <summary>The exit status that a guest reports on its console.</summary>
public sealed class ReportedStatusTests
{
    [Theory]
    [InlineData("lguest: exit status 7\n", 7)]
    [InlineData("boot\r\nlguest: exit status 0\r\nbye\r\n", 0)]
    [InlineData("lguest: exit status 3\nlguest: exit status 255\n", 255)]
    [InlineData("lguest: exit status 256\n", null)]
    [InlineData("lguest: exit status -1\n", null)]
    [InlineData("lguest: exit status 1 \n", null)]
    [InlineData("lguest: exit status 4", null)]
    [InlineData("echo lguest: exit status 4\n", null)]
    [InlineData("", null)]
    public void LinesAreFound(string output, int? status)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(output);
        ReportedStatus whole = new();
        whole.Hear(bytes);
        Assert.Equal(status, whole.Status);

        // However the guest cuts its output into pieces.
        ReportedStatus pieces = new();
        foreach (byte one in bytes)
            pieces.Hear([one]);
        Assert.Equal(status, pieces.Status);
    }

    /// <summary>A line whose first or last part looks like one, but which is longer than any.</summary>
    [Fact]
    public void LongLinesAreNone()
    {
        ReportedStatus reported = new();
        reported.Hear(Encoding.ASCII.GetBytes("lguest: exit status " + new string('0', 100) + "7\n" + new string('x', 1000) + "lguest: exit status 7\n"));
        Assert.Null(reported.Status);
        reported.Hear("lguest: exit status 9\n"u8);
        Assert.Equal(9, reported.Status);
    }

    [Theory]
    [InlineData("CRASH: exit status 12", 12)]
    [InlineData("CRASH: exit status", null)]
    [InlineData("exit status 12", null)]
    [InlineData("CRASH: Power down", null)]
    public void LastWordsCountToo(string reason, int? status) => Assert.Equal(status, ReportedStatus.OfReason(reason));
}
