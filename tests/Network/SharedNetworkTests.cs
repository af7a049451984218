// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Devices.Network;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Network;

/// <summary>Guests of ours on one shared file, each in a launcher of its own.</summary>
public sealed class SharedNetworkTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly List<RunningGuest> _guests = [];

    private string Lan => Path.Combine(_directory.Path, "lan");

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (RunningGuest guest in _guests)
            guest.Dispose();
        _directory.Dispose();
    }

    /// <summary>Every guest reaches every other, and each has a slot.</summary>
    [NetFact]
    public void ThreeGuestsPingEachOther()
    {
        for (int i = 0; i < 3; i++)
            Join(i);
        for (int from = 0; from < 3; from++)
        {
            for (int to = 0; to < 3; to++)
            {
                if (from != to)
                    AssertPing(_guests[from], to, 3);
            }
        }

        IReadOnlyList<SegmentSlot> slots = SegmentSurvey.Take(Lan);
        Assert.Equal([0, 1, 2], slots.Select(s => s.Slot));
        Assert.Equal(_guests.Select(g => g.ProcessId), slots.Select(s => s.ProcessId));
        Assert.All(slots, s => Assert.True(s.Report is { Received: > 6, Sent: > 6 }, $"{s}"));
        ProcessResult table = LauncherProcess.Run("net", Lan);
        Assert.Equal(0, table.Status);
        Assert.All(_guests, g => Assert.Contains(g.ProcessId.ToString(CultureInfo.InvariantCulture) + " lguest", table.Output, StringComparison.Ordinal));
    }

    /// <summary>Sixteen guests, started in any order, all reach the last.</summary>
    [NetFact]
    public void SixteenGuestsShareAFile()
    {
        const int Count = 16;
        for (int i = 0; i < Count; i++)
            Join(i);
        for (int i = 0; i < Count - 1; i++)
            AssertPing(_guests[i], Count - 1, 1);
        Assert.Equal(Count, SegmentSurvey.Take(Lan).Count(s => s.Taken && s.Address != null));
    }

    /// <summary>A guest killed in the middle of a flood is missed by nobody, and its slot goes to the next.</summary>
    [NetFact]
    public void AKilledGuestLeavesItsSlotToTheNext()
    {
        for (int i = 0; i < 3; i++)
            Join(i);
        _guests[0].Type($"ping {Address(1)} 100000");
        _guests[0].WaitFor("seq=50 ");
        _guests[1].Kill();

        // The flooding guest goes on, hearing nothing; the other two are as they were.
        _guests[0].WaitFor("no answer");
        AssertPing(_guests[2], 0, 3);
        Assert.False(SegmentSurvey.Take(Lan)[1].Taken);

        RunningGuest next = Join(7);
        SegmentSlot slot = SegmentSurvey.Take(Lan)[1];
        Assert.True(slot.Taken);
        Assert.Equal(next.ProcessId, slot.ProcessId);
        AssertPing(next, 2, 3);
        AssertPing(_guests[2], 7, 3);
    }

    /// <summary>
    /// A peer that scribbles over everything it can reach of the others' network, that is their sockets (the page is the ABI's own,
    /// and any guest may write it), harms nobody: they go on talking to each other.
    /// </summary>
    [NetFact]
    public void AHostilePeerHarmsNobodyElse()
    {
        const int Enough = 1000;
        Join(0);
        Join(1);
        AssertPing(_guests[0], 1, 1);
        using HostilePeer hostile = new(Lan);
        using CancellationTokenSource enough = new(TimeSpan.FromSeconds(60));
        Task noise = Task.Run(() => hostile.Rage(enough.Token));
        try
        {
            const int MaxRounds = 50;
            for (int round = 0; round < MaxRounds && hostile.Sent <= Enough; round++)
            {
                AssertPing(_guests[0], 1, 10);
                AssertPing(_guests[1], 0, 10);
            }
        }
        finally
        {
            enough.Cancel();
            noise.Wait();
        }

        Assert.True(hostile.Sent > Enough, $"the hostile peer got in only {hostile.Sent} messages: no test");
        AssertPing(_guests[0], 1, 3);
        Assert.All(_guests, g => Assert.False(g.Process.HasExited));
    }

    /// <summary>A guest that restarts finds its network again.</summary>
    [NetFact]
    public void AGuestMayRestart()
    {
        Join(0);
        RunningGuest second = Join(1);
        AssertPing(second, 0, 1);
        second.Type("reboot");
        second.WaitFor("Type help");
        second.WaitFor("demo> ");
        AssertPing(second, 0, 3);
        AssertPing(_guests[0], 1, 3);
        Assert.Equal(2, SegmentSurvey.Take(Lan).Count);
    }

    /// <summary>When the last has left in peace, nothing but the file is there.</summary>
    [NetFact]
    public void LeavingCleansUp()
    {
        RunningGuest guest = Join(0);
        Assert.True(Directory.Exists(Lan + ".ports"));
        guest.Type("off");
        Assert.True(guest.Process.WaitForExit(10_000));
        Assert.False(Directory.Exists(Lan + ".ports"));
        Assert.Equal(4096, new FileInfo(Lan).Length);
        Assert.Empty(SegmentSurvey.Take(Lan));
    }

    /// <summary>Two real kernels move 10 MB between them, verified.</summary>
    [RealKernelNetFact]
    public void TwoLinuxGuestsTransferAFile()
    {
        RunningGuest server = Linux();
        RunningGuest client = Linux();
        server.Command("ifconfig eth0 10.1.1.1 up");
        client.Command("ifconfig eth0 10.1.1.2 up");
        Assert.Contains("3 packets received", client.Command("ping -c 3 10.1.1.1"), StringComparison.Ordinal);
        server.Type("dd if=/dev/zero bs=65536 count=160 2>/dev/null | nc -l -p 5000");
        Thread.Sleep(500);
        string sum = client.Command("nc 10.1.1.1 5000 </dev/null | md5sum");
        Assert.Contains("f1c9645dbc14efddc7d8a322685f26eb", sum, StringComparison.Ordinal);
    }

    private static string Address(int guest) => string.Create(CultureInfo.InvariantCulture, $"10.0.0.{guest + 1}");

    private static void AssertPing(RunningGuest from, int to, int count)
    {
        string answer = from.Command(string.Create(CultureInfo.InvariantCulture, $"ping {Address(to)} {count}"));
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{count} sent, {count} received"), answer, StringComparison.Ordinal);
    }

    private RunningGuest Join(int number)
    {
        RunningGuest guest = RunningGuest.Demo([], ["--sharenet=" + Lan], Address(number));
        _guests.Add(guest);
        return guest;
    }

    private RunningGuest Linux()
    {
        RunningGuest guest = RunningGuest.Linux([], "--sharenet=" + Lan);
        _guests.Add(guest);
        return guest;
    }
}
