// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine;
using Lguest.Engine.Hypervisor;
using Lguest.GuestAbi;
using Lguest.Tests.Contract;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts;

/// <summary>A guest that never ends ends its test, not the run.</summary>
public sealed unsafe class DeadlineTests
{
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    [InlineData(EngineKind.Check)]
    public void AGuestThatGoesRoundForEverIsStopped(EngineKind engine)
    {
        using TinyGuest guest = new(engine, g => g.Spin());
        Guest inner = guest.Guest;
        using Deadline deadline = new(() => inner.Break(), TimeSpan.FromMilliseconds(50));
        Assert.Equal(RunExit.Break, inner.Run());
        Assert.True(deadline.Passed);
        inner.ReleaseBreak();
        TimeoutException stopped = Assert.Throws<TimeoutException>(() => deadline.Check(inner.Core.Cpu));
        Assert.Contains($"ring 1, eip 0x{GuestPlan.Virtual(GuestPlan.Code):x8}"[..^2], stopped.Message, StringComparison.Ordinal);
    }
}
