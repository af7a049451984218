// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Tests.Support;
using Xunit;

namespace Lguest.Tests.Network;

/// <summary>A guest on a tap of the host, in a network of the test's own.</summary>
public sealed class TapTests : IDisposable
{
    private const string HostAddress = "192.168.19.1";
    private const string GuestAddress = "192.168.19.2";

    private readonly TemporaryDirectory _directory = new();
    private readonly List<RunningGuest> _guests = [];
    private NetworkNamespace? _network;

    private NetworkNamespace Network => _network ??= new NetworkNamespace();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (RunningGuest guest in _guests)
            guest.Dispose();
        _network?.Dispose();
        _directory.Dispose();
    }

    /// <summary>Ping both ways, small and as large as an Ethernet takes.</summary>
    [NetFact(NetNeed.Taps)]
    public void PingBothWays()
    {
        RunningGuest guest = Demo($"--tunnet={HostAddress}/24");
        Assert.Contains("5 sent, 5 received", guest.Command($"ping {HostAddress} 5"), StringComparison.Ordinal);
        Assert.True(Network.Run(() => HostPing.Once(GuestAddress, 56)));

        // 1500 bytes: 20 of IP, 8 of ICMP.
        Assert.True(Network.Run(() => HostPing.Once(GuestAddress, 1472)));
        Assert.Contains("192.168.19.1/24", Network.Ip("addr", "show"), StringComparison.Ordinal);
    }

    /// <summary>Without a prefix the address's class says how large the network is, as in 2007.</summary>
    [NetFact(NetNeed.Taps)]
    public void AnAddressWithoutAPrefixHasItsClass()
    {
        Demo($"--tunnet={HostAddress}");
        Assert.Contains("192.168.19.1/24", Network.Ip("addr", "show"), StringComparison.Ordinal);
    }

    /// <summary>10,000 packets to the guest and 10,000 back, no more on the way than the tap's queue holds: none is lost.</summary>
    [NetFact(NetNeed.Taps)]
    public void AFloodWithinTheQueueLosesNothing()
    {
        Demo($"--tunnet={HostAddress}/24");
        Assert.True(Network.Run(() => HostPing.Once(GuestAddress, 56)));
        Assert.Equal(10_000, Network.Run(() => HostPing.Flood(GuestAddress, 10_000, 100, 1000, static () => 0)));
    }

    /// <summary>10,000 packets as fast as they can be sent: what does not come back was dropped by the tap's queue, and counted there.</summary>
    [NetFact(NetNeed.Taps)]
    public void AFloodBeyondTheQueueIsCountedByTheHost()
    {
        RunningGuest guest = Demo($"--tunnet={HostAddress}/24");
        Assert.True(Network.Run(() => HostPing.Once(GuestAddress, 56)));
        const int Count = 10_000;
        int Dropped() => int.Parse(NetworkNamespace.Tool("ip", "netns", "exec", Network.Name, "cat", "/sys/class/net/tap0/statistics/tx_dropped"), CultureInfo.InvariantCulture);
        int back = Network.Run(() => HostPing.Flood(GuestAddress, Count, Count, 1000, Dropped));
        int dropped = Dropped();
        Assert.InRange(back, 500, Count);

        // The host's own neighbour discovery may be among the dropped.
        const int Others = 5;
        Assert.InRange(back + dropped, Count, Count + Others);
        Assert.Contains("0 lost", guest.Command("ifconfig"), StringComparison.Ordinal);
    }

    /// <summary>Somebody deletes the tap: the guest has lost its cable, and lives.</summary>
    [NetFact(NetNeed.Taps)]
    public void TheLauncherSurvivesTheTapsDeletion()
    {
        RunningGuest guest = Demo($"--tunnet={HostAddress}/24");
        Network.Ip("link", "del", "tap0");
        Assert.Contains("nobody answers", guest.Command($"ping {HostAddress} 1"), StringComparison.Ordinal);

        // And it does not spin.
        Tries.Below(0.25, "seconds of processor time in one of sleep", () =>
        {
            TimeSpan before = guest.Process.TotalProcessorTime;
            Thread.Sleep(1000);
            guest.Process.Refresh();
            return (guest.Process.TotalProcessorTime - before).TotalSeconds;
        });
        guest.Type("off");
        Assert.True(guest.Process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(0, guest.Process.ExitCode);
        AssertSaidOnce(guest, "lguest: network interface 'tap0' has been deleted: the guest goes on without it");
    }

    /// <summary>Somebody deletes the bridge: the tap stays, leads nowhere, and its driver does not tell.</summary>
    [NetFact(NetNeed.Taps)]
    public void TheBridgesDeletionIsTold()
    {
        Network.Ip("link", "add", "br0", "type", "bridge");
        Network.Ip("link", "set", "br0", "up");
        RunningGuest guest = Demo("--tunnet=bridge:br0");
        guest.Command($"ping {HostAddress} 1");
        Network.Ip("link", "del", "br0");
        Thread.Sleep(1100);
        guest.Command($"ping {HostAddress} 2");
        guest.Command($"ping {HostAddress} 2");
        AssertSaidOnce(guest, "lguest: bridge 'br0' has been deleted: the guest goes on without that network; packets still go to interface 'tap0'");
    }

    /// <summary>Two guests on one bridge reach each other, and the host on it.</summary>
    [NetFact(NetNeed.Taps)]
    public void TwoGuestsOnABridge()
    {
        Network.Ip("link", "add", "br0", "type", "bridge");
        Network.Ip("addr", "add", HostAddress + "/24", "dev", "br0");
        Network.Ip("link", "set", "br0", "up");
        RunningGuest one = Demo("--tunnet=bridge:br0");
        RunningGuest two = Demo("--tunnet=bridge:br0", "192.168.19.3");
        Assert.Contains("3 sent, 3 received", two.Command($"ping {GuestAddress} 3"), StringComparison.Ordinal);
        Assert.Contains("3 sent, 3 received", one.Command($"ping {HostAddress} 3"), StringComparison.Ordinal);
    }

    /// <summary>A tap that root made for somebody: he needs no other right.</summary>
    [NetFact(NetNeed.Taps, NetNeed.OtherUser)]
    public void APersistentTapNeedsNoPrivilege()
    {
        Network.Ip("tuntap", "add", "dev", "mine0", "mode", "tap", "user", OtherUser.Nobody);
        Network.Ip("addr", "add", HostAddress + "/24", "dev", "mine0");
        Network.Ip("link", "set", "mine0", "up");
        RunningGuest guest = RunningGuest.Demo(AsUser(OtherUser.Nobody), ["--tunnet=tap:mine0"], GuestAddress);
        _guests.Add(guest);
        Assert.Contains("3 sent, 3 received", guest.Command($"ping {HostAddress} 3"), StringComparison.Ordinal);
        Assert.Contains("Uid:\t65534", File.ReadAllText($"/proc/{guest.ProcessId}/status"), StringComparison.Ordinal);

        // Busy, not his, and a new one: each its own sentence.
        Assert.Contains("interface 'mine0' is in use by another program", Refused("--tunnet=tap:mine0"), StringComparison.Ordinal);
        Network.Ip("tuntap", "add", "dev", "theirs0", "mode", "tap", "user", "12345");
        Assert.Contains("interface 'theirs0' belongs to somebody else", RefusedAs(OtherUser.Nobody, "--tunnet=tap:theirs0"), StringComparison.Ordinal);
        Assert.Contains("CAP_NET_ADMIN", RefusedAs(OtherUser.Nobody, $"--tunnet={HostAddress}"), StringComparison.Ordinal);
        Network.Ip("tuntap", "add", "dev", "down0", "mode", "tap", "user", OtherUser.Nobody);
        Assert.Contains("ip link set down0 up", RefusedAs(OtherUser.Nobody, "--tunnet=tap:down0"), StringComparison.Ordinal);
    }

    /// <summary>What cannot be had is refused in a sentence that says what helps, and nothing is left behind.</summary>
    [NetFact(NetNeed.Taps)]
    public void WhatIsMissingIsSaid()
    {
        Assert.Contains("there is no bridge 'br7'; make it first", Refused("--tunnet=bridge:br7"), StringComparison.Ordinal);
        Assert.Contains("there is no interface 'tap7'; make it first", Refused("--tunnet=tap:tap7"), StringComparison.Ordinal);
        Assert.Contains("'lo' is not a bridge", Refused("--tunnet=bridge:lo"), StringComparison.Ordinal);
        Assert.Contains("'lo' is no tap", Refused("--tunnet=tap:lo"), StringComparison.Ordinal);
        Assert.Contains("'300.1.1.1' is no IPv4 address", Refused("--tunnet=300.1.1.1"), StringComparison.Ordinal);
        Assert.DoesNotContain("tap", Network.Ip("link"), StringComparison.Ordinal);
    }

    /// <summary>Without the device there is no tap: whether it is missing, not for everybody, or not the driver's.</summary>
    [NetFact(NetNeed.Taps, NetNeed.OtherUser)]
    public void WithoutTheDeviceItIsSaidWhatHelps()
    {
        string missing = Run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /dev/net && exec \"$@\"", "sh", Needs.LauncherPath, $"--tunnet={HostAddress}", "16m", Needs.Guest("demo")]);
        Assert.Contains("cannot open /dev/net/tun: no such file or directory; the host has no tun driver loaded: modprobe tun", missing, StringComparison.Ordinal);
        string forbidden = Run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /dev/net && mknod -m 600 /dev/net/tun c 10 200 && exec \"$@\"", "sh", .. OtherUser.WithoutPrivileges, Needs.LauncherPath, $"--tunnet={HostAddress}", "16m", Needs.Guest("demo")]);
        Assert.Contains("cannot open /dev/net/tun: permission denied; ask for the right to open it", forbidden, StringComparison.Ordinal);
        string driverless = Run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 511 77 && exec \"$@\"", "sh", Needs.LauncherPath, $"--tunnet={HostAddress}", "16m", Needs.Guest("demo")]);
        Assert.Contains("the host's kernel has no tun driver", driverless, StringComparison.Ordinal);
    }

    /// <summary>What went over the wire is in the capture, and tcpdump reads it.</summary>
    [NetFact(NetNeed.Taps, NetNeed.Tcpdump)]
    public void TcpdumpReadsTheCapture()
    {
        string file = Path.Combine(_directory.Path, "packets.pcapng");
        RunningGuest guest = RunningGuest.Demo(Network.Enter, [$"--tunnet={HostAddress}/24", "--pcap=" + file, $"--sharenet={_directory.Path}/lan"], GuestAddress);
        _guests.Add(guest);
        guest.Command($"ping {HostAddress} 3");
        string story = NetworkNamespace.Tool("tcpdump", "-nr", file);
        Assert.Equal(3, Count(story, "IP 192.168.19.2 > 192.168.19.1: ICMP echo request"));
        Assert.Equal(3, Count(story, "IP 192.168.19.1 > 192.168.19.2: ICMP echo reply"));
        Assert.Contains("ARP, Request who-has 192.168.19.1 tell 192.168.19.2", story, StringComparison.Ordinal);
    }

    /// <summary>A real kernel: ping, and 10 MB both ways over TCP, verified.</summary>
    [RealKernelNetFact(NetNeed.Taps)]
    public void LinuxTransfersAFile()
    {
        RunningGuest guest = RunningGuest.Linux(Network.Enter, $"--tunnet={HostAddress}/24");
        _guests.Add(guest);
        guest.Command($"ifconfig eth0 {GuestAddress} up");
        Assert.Contains("3 packets received", guest.Command($"ping -c 3 {HostAddress}"), StringComparison.Ordinal);
        Assert.True(Network.Run(() => HostPing.Once(GuestAddress, 1472)));
        using TransferServer server = Network.Run(() => new TransferServer(HostAddress, 10 << 20));
        string sum = guest.Command($"nc {HostAddress} {server.Port} </dev/null | md5sum");
        Assert.Contains(server.Digest, sum, StringComparison.Ordinal);
        server.AssertWell();
        guest.Command($"dd if=/dev/zero bs=65536 count=160 2>/dev/null | nc {HostAddress} {server.Port}");
        Assert.Equal("f1c9645dbc14efddc7d8a322685f26eb", server.Received());
    }

    /// <summary>A guest with both networks routes between them: TCP from the one behind it, verified.</summary>
    [RealKernelNetFact(NetNeed.Taps)]
    public void LinuxRoutesBetweenNetworks()
    {
        RunningGuest router = RunningGuest.Linux(Network.Enter, $"--tunnet={HostAddress}/24", $"--sharenet={_directory.Path}/lan");
        _guests.Add(router);
        RunningGuest inner = RunningGuest.Linux([], $"--sharenet={_directory.Path}/lan");
        _guests.Add(inner);
        router.Command($"ifconfig eth0 {GuestAddress} up; ifconfig eth1 10.1.1.1 up; echo 1 >/proc/sys/net/ipv4/ip_forward");
        inner.Command("ifconfig eth0 10.1.1.2 up; route add default gw 10.1.1.1");
        Network.Ip("route", "add", "10.1.1.0/24", "via", GuestAddress);
        Assert.Contains("3 packets received", inner.Command($"ping -c 3 {HostAddress}"), StringComparison.Ordinal);
        Assert.True(Network.Run(() => HostPing.Once("10.1.1.2", 1000)));
        using TransferServer server = Network.Run(() => new TransferServer(HostAddress, 2 << 20));
        Assert.Contains(server.Digest, inner.Command($"nc {HostAddress} {server.Port} </dev/null | md5sum"), StringComparison.Ordinal);
        inner.Command($"dd if=/dev/zero bs=65536 count=160 2>/dev/null | nc {HostAddress} {server.Port}");
        Assert.Equal("f1c9645dbc14efddc7d8a322685f26eb", server.Received());
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    private RunningGuest Demo(string option, string address = GuestAddress)
    {
        RunningGuest guest = RunningGuest.Demo(Network.Enter, [option], address);
        _guests.Add(guest);
        return guest;
    }

    private static void AssertSaidOnce(RunningGuest guest, string sentence)
    {
        string output = guest.Output;
        Assert.Contains(sentence, output, StringComparison.Ordinal);
        Assert.Equal(output.IndexOf(sentence, StringComparison.Ordinal), output.LastIndexOf(sentence, StringComparison.Ordinal));
    }

    /// <summary>Runs the launcher as another user, who may open /dev/net/tun in a view of the file system of his own.</summary>
    private string[] AsUser(string user)
    {
        string node = Path.Combine(_directory.Path, "tun" + user);
        if (!File.Exists(node))
        {
            NetworkNamespace.Tool("mknod", node, "c", "10", "200");
            NetworkNamespace.Tool("chmod", "666", node);
        }

        return [.. Network.Enter, "unshare", "--mount", "sh", "-c", $"mount --bind {node} /dev/net/tun && exec setpriv --reuid={user} --regid={user} --clear-groups \"$@\"", "sh"];
    }

    private string Refused(string option) => Run([.. Network.Enter, Needs.LauncherPath, option, "16m", Needs.Guest("demo")]);

    private string RefusedAs(string user, string option) => Run([.. AsUser(user), Needs.LauncherPath, option, "16m", Needs.Guest("demo")]);

    private static string Run(string[] words)
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(words[0], words[1..]) { RedirectStandardError = true, RedirectStandardInput = true, RedirectStandardOutput = true })!;
        process.StandardInput.Close();
        Task<string> said = process.StandardError.ReadToEndAsync();
        const int Patience = 20_000;
        if (!process.WaitForExit(Patience))
        {
            process.Kill();
            Assert.Fail($"not refused: {string.Join(' ', words)}");
        }

        string error = said.Result;
        Assert.Equal(1, process.ExitCode);
        Assert.StartsWith("lguest: ", error, StringComparison.Ordinal);
        return error;
    }
}
