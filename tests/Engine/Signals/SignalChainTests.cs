// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;
using Lguest.Engine.Native;
using Lguest.Tests.Support;

namespace Lguest.Tests.EngineParts.Signals;

/// <summary>
/// One chain of signal handlers for the process: whoever comes first, each gets the faults that are his, and what nobody knows
/// goes to the handler that was there before. Mostly in child processes, in which nothing is installed yet.
/// </summary>
public sealed unsafe class SignalChainTests
{
    private const int SignalStatus = 128;

    /// <summary>What a runtime ends with that does not know a SIGBUS: CoreCLR aborts, and a native program has no handler for it.</summary>
    private static readonly int s_runtimesEnd = RuntimeFeature.IsDynamicCodeSupported ? 6 : SignalChain.Bus;

    public static TheoryData<string> Orders
    {
        get
        {
            TheoryData<string> orders = [];
            Permute(SignalChild.Everybody, string.Empty, orders.Add);
            return orders;
        }
    }

    [TheoryNeeding(Need.Translator)]
    [MemberData(nameof(Orders))]
    public void AnyOrderWillDo(string order) => AssertDone(ChildProgram.Run(nameof(SignalChild), "orders", order));

    [FactNeeding(Need.Translator)]
    public void AllAtOnce()
    {
        for (int i = 0; i < 8; i++)
            AssertDone(ChildProgram.Run(nameof(SignalChild), "together"));
    }

    /// <summary>Nothing is tried again that nobody has put right: the process ends as it would have without us.</summary>
    [TheoryNeeding(Need.Translator)]
    [InlineData("default", SignalStatus + SignalChain.Bus)]
    [InlineData("ignored", SignalStatus + SignalChain.Bus)]
    [InlineData("runtime", SignalStatus)]
    public void WhatNobodyKnowsIsFatal(string before, int status)
    {
        if (before == "runtime")
            status += s_runtimesEnd;
        ProcessResult result = ChildProgram.Run(nameof(SignalChild), "unknown", before);
        Assert.Equal((status, "here\n"), (result.Status, result.Output));
    }

    [FactNeeding(Need.Translator)]
    public void WhatIsSentIsNoFault() => AssertDone(ChildProgram.Run(nameof(SignalChild), "sent"));

    /// <summary>
    /// Null pointers, divisions by zero and collections by the thousand, on threads of their own, while guests on others do little
    /// but fault: each comes out where it belongs.
    /// </summary>
    [FactNeeding(Need.Translator)]
    public void TheRuntimesFaultsStayItsOwn() => AssertDone(ChildProgram.Run(nameof(SignalChild), "storm"));

    /// <summary>
    /// A signal that arrives as soon as a handler was put in front of one that is there finds the old one. If that were noted only
    /// then, it would find nobody.
    /// </summary>
    [Fact]
    public void InstallingLosesNothing() => AssertDone(ChildProgram.Run(nameof(SignalChild), "at once"));

    /// <summary>A link that is added again is asked once, and one more than there is room for is refused.</summary>
    [Fact]
    public void LinksAreAddedOnce()
    {
        const int signal = 62;
        ForeignHandler old = new(signal);
        byte* link = SignalChain.Emit(SignalChild.Nobody());
        for (int i = 0; i < 10 * SignalChain.MaxLinks; i++)
            SignalChain.Add(link, signal);
        for (int i = 1; i < SignalChain.MaxLinks; i++)
            SignalChain.Add(SignalChain.Emit(SignalChild.Nobody()), signal);
        Assert.Throws<InvalidOperationException>(() => SignalChain.Add(SignalChain.Emit(SignalChild.Nobody()), signal));
        old.Send();
        Assert.Equal(1ul, old.Sent);
    }

    private static void AssertDone(ProcessResult result) =>
        Assert.True(result is { Status: 0, Output: "done\n", Error: "" }, $"status {result.Status}: {result.Output}{result.Error}");

    private static void Permute(string rest, string done, Action<string> add)
    {
        if (rest.Length == 0)
            add(done);
        for (int i = 0; i < rest.Length; i++)
            Permute(rest.Remove(i, 1), done + rest[i], add);
    }
}
