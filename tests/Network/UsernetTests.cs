// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Lguest.Devices.Backends.Network;
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

    /// <summary>The address comes by DHCP, a datagram reaches a service of the host and its answer comes back.</summary>
    [NetFact(NetNeed.Passt)]
    public void AFirstTryOfTheNetworkWorks()
    {
        using Socket service = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        service.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        service.ReceiveTimeout = (int)LauncherProcess.Patience.TotalMilliseconds;

        // A thread of its own: the pool's may all be waiting elsewhere for longer than the guest waits for an answer.
        Thread answering = new(() => Answer(service)) { IsBackground = true };
        answering.Start();
        using RunningGuest guest = RunningGuest.Demo([], ["--usernet=10.9.8.15/24"], "dhcp");

        // The guest waits for a second or so, which a busy machine can take: a user would try again.
        string udp = string.Create(CultureInfo.InvariantCulture, $"udp 10.9.8.2 {((IPEndPoint)service.LocalEndPoint!).Port} hello");
        Assert.Contains("eth0 10.9.8.15, ", Again(guest, "dhcp", "10.9.8.15", first: guest.Command("ifconfig")), StringComparison.Ordinal);
        Assert.Contains("10.9.8.2 answers, 14 bytes: you said hello", Again(guest, udp, "answers", first: guest.Command(udp)), StringComparison.Ordinal);
        Assert.Matches("1 sent, 1 received|sysctl net.ipv4.ping_group_range", guest.Command("ping 10.9.8.2 1"));
    }

    private static string Again(RunningGuest guest, string command, string wanted, string first)
    {
        const int Tries = 10;
        string output = first;
        for (int i = 0; i < Tries && !output.Contains(wanted, StringComparison.Ordinal); i++)
            output = guest.Command(command);
        return output;
    }

    private static void Answer(Socket service)
    {
        byte[] question = new byte[100];
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        try
        {
            while (true)
            {
                int count = service.ReceiveFrom(question, ref from);
                service.SendTo([.. "you said "u8, .. question.AsSpan(0, count)], from);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    /// <summary>A port that cannot be forwarded: which one, why, and what to do.</summary>
    [NetFact(NetNeed.Passt)]
    public void ATakenPortIsRefusedWithASentence()
    {
        using Socket other = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Any, 0));
        other.Listen();
        int port = ((IPEndPoint)other.LocalEndPoint!).Port;
        ProcessResult result = LauncherProcess.Run(string.Create(CultureInfo.InvariantCulture, $"--usernet,tcp={port}:80"), "16m", Needs.Guest("demo"));
        Assert.Equal(1, result.Status);
        Assert.StartsWith($"lguest: --usernet: port {port} of this machine cannot be forwarded: somebody uses it already; forward another one (passt: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("port 80 of this machine cannot be forwarded: ports below 1024 are root's", PasstLink.WhyItEnded(UsernetOption.Parse(",tcp=80:80"), "Failed to bind any port for '-t 80:80', exiting"), StringComparison.Ordinal);
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

    /// <summary>
    /// A forwarded UDP port, for a guest that has not sent a packet of its own: the echo comes back, also when the guest had to
    /// lengthen it to Ethernet's least.
    /// </summary>
    [NetFact(NetNeed.Passt)]
    public void AForwardedUdpPortAnswers()
    {
        int port = FreePort(SocketType.Dgram);
        using RunningGuest guest = RunningGuest.Demo([], [string.Create(CultureInfo.InvariantCulture, $"--usernet,udp={port}:7")], "10.0.2.15");
        AssertEcho(port, "?");
        AssertEcho(port, new string('x', 1400));
    }

    /// <summary>
    /// Somebody who is nobody, without a single capability: the launcher, passt and the guest's packets all the same, and nothing
    /// of the host's network was changed.
    /// </summary>
    [NetFact(NetNeed.Passt, NetNeed.OtherUser)]
    public void ItTakesNoPrivilege()
    {
        int port = FreePort(SocketType.Dgram);
        string[] before = Interfaces();
        using RunningGuest guest = RunningGuest.Demo(OtherUser.WithoutPrivileges, [string.Create(CultureInfo.InvariantCulture, $"--usernet,udp={port}:7")], "10.0.2.15");
        string status = File.ReadAllText($"/proc/{guest.ProcessId}/status");
        Assert.Contains($"Uid:\t{OtherUser.Nobody}\t{OtherUser.Nobody}\t{OtherUser.Nobody}", status, StringComparison.Ordinal);
        Assert.Contains("CapBnd:\t0000000000000000", status, StringComparison.Ordinal);
        Assert.Contains("CapEff:\t0000000000000000", status, StringComparison.Ordinal);
        AssertEcho(port, "without a right");
        guest.Command("ping 10.0.2.2 1");
        Assert.Contains("10.0.2.2 is at 02:4c:47:55:45:53", guest.Command("arp"), StringComparison.Ordinal);
        Assert.Equal(before, Interfaces());
    }

    /// <summary>
    /// A forwarded TCP port of a real kernel that has not sent a packet yet. Its server speaks first, to clients who only listen,
    /// one after the other; then it is sent something.
    /// </summary>
    [RealKernelNetFact(NetNeed.Passt)]
    public void AForwardedTcpPortCarriesData()
    {
        int port = FreePort(SocketType.Stream);
        using RunningGuest guest = RunningGuest.Linux([], string.Create(CultureInfo.InvariantCulture, $"--usernet,tcp={port}:5000"));
        guest.Command("ifconfig eth0 10.0.2.15 up; route add default gw 10.0.2.2; dd if=/dev/urandom of=/tmp/big bs=65536 count=32 2>/dev/null");
        string digest = guest.Command("md5sum /tmp/big");
        for (int i = 0; i < 5; i++)
        {
            guest.Type("nc -l -p 5000 </tmp/big");
            using TcpClient client = Connect(port);
            Assert.Contains(Convert.ToHexStringLower(MD5.HashData(client.GetStream())), digest, StringComparison.Ordinal);
            client.Close();
            guest.WaitFor("guest# ");
        }

        byte[] content = new byte[2 << 20];
        new Random(2).NextBytes(content);
        guest.Type("sleep 5 | nc -l -p 5000 | md5sum");
        using (TcpClient client = Connect(port))
        {
            client.GetStream().Write(content);
            client.Client.Shutdown(SocketShutdown.Send);
            guest.WaitFor(Convert.ToHexStringLower(MD5.HashData(content)));
        }
    }

    /// <summary>A real kernel asks for its address by DHCP and fetches from a server on this machine's loopback, as nobody where the test may become that.</summary>
    [RealKernelNetFact(NetNeed.Passt)]
    public void LinuxReachesThisMachinesLoopback()
    {
        using TransferServer server = new("127.0.0.1", 2 << 20);
        using RunningGuest guest = RunningGuest.Linux(NetNeeds.WhyNot(NetNeed.OtherUser) == null ? OtherUser.WithoutPrivileges : [], "--usernet");
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

    private static void AssertEcho(int port, string text)
    {
        using UdpClient client = new();
        client.Client.ReceiveTimeout = 30_000;
        client.Connect(IPAddress.Loopback, port);
        byte[] sent = Encoding.ASCII.GetBytes(text);
        client.Send(sent);
        IPEndPoint from = new(IPAddress.Any, 0);
        Assert.Equal(sent, client.Receive(ref from));
    }

    /// <summary>passt takes connections in the guest's name, and resets those that come before the guest's server listens.</summary>
    private static TcpClient Connect(int port)
    {
        Thread.Sleep(500);
        TcpClient client = new() { ReceiveTimeout = 30_000, SendTimeout = 30_000 };
        client.Connect(IPAddress.Loopback, port);
        return client;
    }

    private static int FreePort(SocketType type)
    {
        using Socket socket = new(AddressFamily.InterNetwork, type, ProtocolType.Unspecified);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static string[] Interfaces() => [.. Directory.GetFileSystemEntries("/sys/class/net").Order(StringComparer.Ordinal)];

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
