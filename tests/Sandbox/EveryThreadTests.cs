// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Support;

namespace Lguest.Tests.Sandbox;

/// <summary>All threads of a process make a call.</summary>
public sealed class EveryThreadTests
{
    /// <summary>On a busy host a thread may answer when nobody waits any more: the signal must not end the process then.</summary>
    [Fact]
    public void AThreadMayAnswerTooLate()
    {
        ProcessResult result = ChildProgram.Run(nameof(LateThread));
        Assert.Matches("^of [0-9]+ threads [0-9]+ answer\nlived on\n$", result.Output);
        Assert.Equal(0, result.Status);
    }
}
