// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using Lguest.Devices.Backends.Network;
using Lguest.GuestAbi;
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

    /// <summary>
    /// 64 guests, as many at once as the machine has processors; every seventh is killed and another takes its place, by turns.
    /// In the end each reaches its neighbour, each has a slot and an address of its own.
    /// </summary>
    [NetFact]
    public void SixtyFourGuestsShareAFile()
    {
        const int Count = 64;
        RunningGuest[] guests = new RunningGuest[Count];
        Start(Enumerable.Range(0, Count).OrderBy(i => i * 29 % Count), guests);
        int[] killed = [.. Enumerable.Range(0, Count).Where(i => i % 7 == 3)];
        foreach (int i in killed)
            guests[i].Kill();
        Start(killed, guests);
        Parallel.For(0, Count, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, i => AssertPing(guests[i], (i + 1) % Count, 1));
        SegmentSlot[] slots = [.. SegmentSurvey.Take(Lan)];
        Assert.Equal(Enumerable.Range(0, Count), slots.Select(s => s.Slot));
        Assert.Equal(guests.Select(g => g.ProcessId).Order(), slots.Select(s => s.ProcessId).Order());
        Assert.Equal(Count, slots.Select(s => s.Address).Distinct().Count());
    }

    /// <summary>
    /// Somebody cuts the file short under two guests: each launcher says so, once, and both guests go on without a network.
    /// </summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [InlineData("interpreter")]
    [InlineData("translator")]
    public void ACutFileEndsTheNetworkAndNothingElse(string engine)
    {
        Join(0, "--engine=" + engine);
        Join(1, "--engine=" + engine);
        AssertPing(_guests[0], 1, 2);
        using (FileStream file = File.OpenWrite(Lan))
            file.SetLength(0);
        foreach (RunningGuest guest in _guests)
        {
            guest.WaitFor($"somebody has cut network file '{Lan}' short");
            Assert.Contains("nobody answers", guest.Command("ping 10.0.0.9 1"), StringComparison.Ordinal);
        }

        foreach (RunningGuest guest in _guests)
        {
            guest.Type("off");
            Assert.True(guest.Process.WaitForExit(LauncherProcess.Patience));
            Assert.Equal(0, guest.Process.ExitCode);
            Assert.Equal(1, guest.Output.Split("somebody has cut").Length - 1);
        }

        Assert.Equal(0, new FileInfo(Lan).Length);
    }

    /// <summary>mac= is what the guest and its peers see; and nobody else on the network can have it.</summary>
    [NetFact]
    public void AnAddressCanBeChosen()
    {
        Join(0, ",mac=02:00:12:34:00:00");
        Join(1);
        Assert.Contains("02:00:12:34:00:00", _guests[0].Command("ifconfig"), StringComparison.Ordinal);
        AssertPing(_guests[1], 0, 1);
        Assert.Contains("10.0.0.1 is at 02:00:12:34:00:00", _guests[1].Command("arp"), StringComparison.Ordinal);
        Assert.Equal("02:00:12:34:00:00", SegmentSurvey.Take(Lan)[0].Address.ToString());
        ProcessResult refused = LauncherProcess.Run($"--sharenet={Lan},mac=02:00:12:34:00:00", "16m", Needs.Guest("demo"));
        Assert.Equal(1, refused.Status);
        Assert.Contains($"a guest on network '{Lan}' has the address 02:00:12:34:00:00 already; choose another", refused.Error, StringComparison.Ordinal);

        // Free again when its owner is gone, however he went.
        _guests[0].Kill();
        RunningGuest next = Join(2, ",mac=02:00:12:34:00:00");
        Assert.Contains("02:00:12:34:00:00", next.Command("ifconfig"), StringComparison.Ordinal);
    }

    /// <summary>Two devices of one guest on one network have the one number of their guest.</summary>
    [NetFact]
    public void AGuestMayBeThereTwice()
    {
        Join(0, $"--sharenet={Lan}");
        Join(1);
        AssertPing(_guests[1], 0, 1);
        Assert.Equal(3, SegmentSurvey.Take(Lan).Count(s => s.Taken));
    }

    /// <summary>The real kernel's driver takes the address too.</summary>
    [RealKernelNetFact]
    public void LinuxHasTheChosenAddress()
    {
        RunningGuest guest = RunningGuest.Linux([], $"--sharenet={Lan},mac=02:00:ab:cd:00:00");
        _guests.Add(guest);
        Assert.Contains("HWaddr 02:00:AB:CD:00:00", guest.Command("ifconfig eth0 10.1.1.1 up; ifconfig eth0"), StringComparison.Ordinal);
    }

    /// <summary>A file as the launcher of 2.6.23 leaves it, with the addresses of two dead guests: ours live on it.</summary>
    [NetFact]
    public void GuestsShareAFileOfTheGenuineLauncher()
    {
        byte[] page = new byte[4096];
        byte[] left = [3, 0, 0, 0, 0, 0, 3, 0, 1];
        left.CopyTo(page, 0);
        File.WriteAllBytes(Lan, page);
        Join(0);
        Join(1);
        AssertPing(_guests[0], 1, 3);
        AssertPing(_guests[1], 0, 3);
        Assert.Equal([0, 1], SegmentSurvey.Take(Lan).Select(s => s.Slot));
        Assert.Contains(" 0 lost", _guests[0].Command("ifconfig"), StringComparison.Ordinal);
    }

    /// <summary>A guest of February 2007 finds what its generation calls a free slot: all ones.</summary>
    [NetFact]
    public void TheGenerationOf2007HasItsOwnFreeSlots()
    {
        ProcessResult ended = LauncherProcess.Run("--sharenet=" + Lan, "16m", Needs.Guest("conformance/gen2007"));
        Assert.Equal(0, ended.Status);
        Assert.All(File.ReadAllBytes(Lan)[..(NetPage.Slots * MacAddress.Size)], b => Assert.Equal(0xFF, b));

        // And one of 2.6.23 behind it, alone, finds its own.
        Join(0);
        Assert.Equal([0, 0, 0, 0, 0, 0], File.ReadAllBytes(Lan)[^10..^4]);
    }

    /// <summary>A file that may not be written, a file in a directory that may not, and files that are none: one sentence each.</summary>
    [NetFact(NetNeed.OtherUser)]
    public void WhatCannotBeSharedIsSaid()
    {
        NetworkNamespace.Tool("chmod", "755", _directory.Path);
        File.WriteAllBytes(Lan, new byte[4096]);
        NetworkNamespace.Tool("chmod", "644", Lan);
        Assert.Contains($"cannot open network file '{Lan}': permission denied; guests write their addresses into it, so it must be writable", RefusedToNobody(), StringComparison.Ordinal);
        NetworkNamespace.Tool("chmod", "666", Lan);
        Assert.Contains($"cannot open '{Lan}.ports', where the guests on '{Lan}' meet", RefusedToNobody(), StringComparison.Ordinal);
        File.WriteAllBytes(Lan, new byte[4095]);
        Assert.Contains($"'{Lan}' has 4095 bytes: a network file has 4096, so this is not one", RefusedToNobody(), StringComparison.Ordinal);
        File.WriteAllBytes(Lan, [.. Enumerable.Repeat((byte)0x11, 4096)]);
        Assert.Contains($"'{Lan}' does not look like a network file", RefusedToNobody(), StringComparison.Ordinal);
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
        Assert.True(guest.Process.WaitForExit(LauncherProcess.Patience));
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

    /// <summary>A guest on the network, with more after its option (from a comma on) or beside it.</summary>
    private RunningGuest Join(int number, string more = "")
    {
        string[] options = more.StartsWith('-') ? ["--sharenet=" + Lan, more] : ["--sharenet=" + Lan + more];
        RunningGuest guest = RunningGuest.Demo([], options, Address(number));
        _guests.Add(guest);
        return guest;
    }

    private void Start(IEnumerable<int> numbers, RunningGuest[] guests) =>
        Parallel.ForEach(numbers, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, number =>
        {
            RunningGuest guest = RunningGuest.Demo([], ["--sharenet=" + Lan], Address(number));
            guests[number] = guest;
            lock (_guests)
                _guests.Add(guest);
        });

    private string RefusedToNobody()
    {
        string[] words = [.. OtherUser.WithoutPrivileges, Needs.LauncherPath, "--sharenet=" + Lan, "16m", Needs.Guest("demo")];
        using Process process = Process.Start(new ProcessStartInfo(words[0], words[1..]) { RedirectStandardError = true, RedirectStandardInput = true, RedirectStandardOutput = true })!;
        process.StandardInput.Close();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(1, process.ExitCode);
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        return error;
    }

    private RunningGuest Linux()
    {
        RunningGuest guest = RunningGuest.Linux([], "--sharenet=" + Lan);
        _guests.Add(guest);
        return guest;
    }
}
