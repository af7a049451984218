// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Network;

/// <summary>Guests that get out through passt.</summary>
public sealed class UsernetTests
{
    /// <summary>Packets go to passt and come back: it answers for the gateway, under the address that the guest was shown.</summary>
    [NetFact(NetNeed.Passt)]
    public void TheGatewayAnswers()
    {
        using RunningGuest guest = RunningGuest.Demo([], ["--usernet=10.9.8.15/24"], "10.9.8.15");
        guest.Command("ping 10.9.8.2 1");
        Assert.Contains("10.9.8.2 is at 02:4c:47:55:45:53", guest.Command("arp"), StringComparison.Ordinal);
    }

    /// <summary>passt ends with its launcher, even one that is killed.</summary>
    [NetFact(NetNeed.Passt)]
    public void PasstEndsWithItsLauncher()
    {
        using RunningGuest guest = RunningGuest.Demo([], ["--usernet"], "10.0.2.15");
        int[] children = Children(guest.ProcessId);
        Assert.Single(children);
        guest.Kill();
        const int Attempts = 100;
        for (int i = 0; i < Attempts && Directory.Exists($"/proc/{children[0]}"); i++)
            Thread.Sleep(50);
        Assert.False(Directory.Exists($"/proc/{children[0]}"));
    }

    /// <summary>A real kernel asks for its address by DHCP and fetches from a server on this machine's loopback.</summary>
    [RealKernelNetFact(NetNeed.Passt)]
    public void LinuxReachesThisMachinesLoopback()
    {
        using TransferServer server = new("127.0.0.1", 2 << 20);
        using RunningGuest guest = RunningGuest.Linux([], "--usernet");
        guest.Command("ifconfig eth0 up; printf '#!/bin/sh\\nifconfig eth0 $ip netmask $subnet 2>/dev/null\\necho router $router\\n' >/tmp/s; chmod 755 /tmp/s");
        string lease = guest.Command("udhcpc -i eth0 -q -n -s /tmp/s");
        Assert.Contains("10.0.2.15", lease, StringComparison.Ordinal);
        Assert.Contains("router 10.0.2.2", lease, StringComparison.Ordinal);
        string sum = guest.Command($"sleep 3 | nc 10.0.2.2 {server.Port} | md5sum");
        Assert.Contains(server.Digest, sum, StringComparison.Ordinal);
    }

    /// <summary>When passt is missing, the sentence says how to get it.</summary>
    [NetFact]
    public void WithoutPasstItIsSaidHowToGetIt()
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(Needs.LauncherPath, ["--usernet", "16m", Needs.Guest("demo")])
            {
                RedirectStandardError = true,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                Environment = { ["PATH"] = "/nonexistent" },
            })!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(1, process.ExitCode);
        Assert.Contains("apt install passt", error, StringComparison.Ordinal);
    }

    private static int[] Children(int process) =>
        [.. Directory.GetDirectories("/proc").Select(Path.GetFileName).Where(name => int.TryParse(name, out _)).Select(name => int.Parse(name!, System.Globalization.CultureInfo.InvariantCulture)).Where(pid => Parent(pid) == process)];

    private static int Parent(int process)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{process}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
