// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Lguest.Bench;

/// <summary>
/// Round-trip times and throughput between guest and host (over a tap) and between two guests (over a shared file). A tap takes a
/// network of our own, where nothing can be disturbed: the measurement runs in a process with a network namespace. Echoes are
/// timed by the host, against our demo guest and against a guest of QEMU's with a network card; pings by the demo guest, with the
/// host's clock; TCP is a real kernel's and takes LGUEST_TEST_KERNEL and LGUEST_TEST_INITRD (busybox with nc and dd).
/// </summary>
/// <remarks>The real kernel has no driver for any network card of QEMU's: no TCP there.</remarks>
internal static partial class NetworkBench
{
    private const string HostAddress = "192.168.19.1";
    private const string GuestAddress = "192.168.19.2";
    private const string QemuTap = "tapqemu";
    private const int Pings = 200;
    private const int Megabytes = 20;

    /// <summary>Rounds, in which the contenders take turns.</summary>
    private const int Rounds = 3;

    private static bool IsAlone => NetworkInterface.GetAllNetworkInterfaces().All(i => i.NetworkInterfaceType == NetworkInterfaceType.Loopback);

    /// <summary>Measures in a network of its own, for which it takes a child; where the host gives none, what can be had without.</summary>
    /// <param name="places">Where the launcher is.</param>
    /// <param name="contenders">Whom.</param>
    /// <returns>A table.</returns>
    public static string InOwnNetwork(Places places, string[] contenders)
    {
        string self = Environment.ProcessPath!;
        string[] program = Path.GetFileNameWithoutExtension(self) == "dotnet" ? [self, Environment.GetCommandLineArgs()[0]] : [self];
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("unshare", ["--user", "--map-root-user", "--net", .. program, "network", string.Join(',', contenders)]) { RedirectStandardOutput = true })!;
            string table = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode == 0)
                return table;
        }
        catch (Win32Exception)
        {
            // No unshare(1): the next line says what is missing then.
        }

        return Run(places, contenders);
    }

    /// <summary>Measures everything that can be measured here, and makes a table of it.</summary>
    /// <param name="places">Where the launcher is.</param>
    /// <param name="contenders">Names for --engine, and tcg.</param>
    public static string Run(Places places, string[] contenders)
    {
        bool alone = IsAlone;
        if (!alone)
            Console.Error.WriteLine("bench: SKIPPED guest and host: this is the machine's own network; try: unshare -r -n make bench BENCH=network");
        string? kernel = Environment.GetEnvironmentVariable("LGUEST_TEST_KERNEL");
        string? initrd = Environment.GetEnvironmentVariable("LGUEST_TEST_INITRD");
        if (kernel == null || initrd == null)
            Console.Error.WriteLine("bench: SKIPPED TCP: LGUEST_TEST_KERNEL and LGUEST_TEST_INITRD are not set");
        if (contenders.Contains(Contender.Tcg) && places.Qemu == null)
            Console.Error.WriteLine("bench: SKIPPED tcg: no qemu-system-i386 (Debian: qemu-system-x86)");

        NetworkTable table = new();
        for (int round = 1; round <= Rounds; round++)
        {
            Console.Error.WriteLine($"bench: networks, round {round} of {Rounds}");
            if (alone)
                Echo(places, contenders, table);
            foreach (string engine in contenders.Where(c => c != Contender.Tcg))
            {
                if (alone)
                    table.Add("ping of 56 bytes, median", "guest, host", engine, RoundTripToHost(places, engine), "µs");
                table.Add("ping of 56 bytes, median", "guest, guest", engine, RoundTripToGuest(places, engine), "µs");
                if (kernel == null || initrd == null)
                    continue;
                string[] linux = [$"--engine={engine}", "--initrd=" + initrd, "64m", kernel, "quiet"];
                if (alone)
                {
                    (double send, double receive) = TransferWithHost(places, linux);
                    table.Add("TCP, Linux 2.6.23", "guest to host", engine, send, "MB/s");
                    table.Add("TCP, Linux 2.6.23", "host to guest", engine, receive, "MB/s");
                }

                table.Add("TCP, Linux 2.6.23", "guest to guest", engine, TransferBetweenGuests(places, linux), "MB/s");
            }
        }

        return table.ToString();
    }

    private static void Echo(Places places, string[] contenders, NetworkTable table)
    {
        foreach (string contender in contenders)
        {
            bool tcg = contender == Contender.Tcg;
            if (tcg && places.Qemu == null)
                continue;
            if (tcg)
                MakeTap();
            try
            {
                using NetworkGuest guest = tcg ? EchoGuest(places) : Demo(places, contender, $"--tunnet={HostAddress}/24", GuestAddress);
                table.Add("UDP echo of 64 bytes, median", "host, guest", contender, EchoLoad.MedianRoundTrip(GuestAddress), "µs");
                table.Add("UDP echo, 16 packets of 1472 bytes on their way", "host, guest, each way", contender, EchoLoad.Throughput(GuestAddress), "MB/s");
            }
            finally
            {
                if (tcg)
                    IpTool("link", "del", QemuTap);
            }
        }
    }

    /// <summary>Microseconds of an ICMP echo from the demo guest to the host.</summary>
    public static double RoundTripToHost(Places places, string engine)
    {
        using NetworkGuest guest = Demo(places, engine, $"--tunnet={HostAddress}/24", GuestAddress);
        return MedianPing(guest, HostAddress);
    }

    /// <summary>Microseconds of an ICMP echo from one demo guest to another.</summary>
    public static double RoundTripToGuest(Places places, string engine)
    {
        using Segment segment = new();
        using NetworkGuest server = Demo(places, engine, segment.Option, "10.1.1.1");
        using NetworkGuest client = Demo(places, engine, segment.Option, "10.1.1.2");
        return MedianPing(client, "10.1.1.1");
    }

    /// <summary>Megabytes (10^6) a second over TCP, from the guest and to it, timed at the host's end.</summary>
    public static (double Send, double Receive) TransferWithHost(Places places, string[] linux)
    {
        using NetworkGuest guest = new("guest# ", places.Launcher, [$"--tunnet={HostAddress}/24", .. linux]);
        guest.Command($"ifconfig eth0 {GuestAddress} up");
        TcpListener listener = new(IPAddress.Any, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;

        guest.Type($"dd if=/dev/zero bs=65536 count={Megabytes * 16} 2>/dev/null | nc {HostAddress} {port}");
        double send;
        using (Socket from = listener.AcceptSocket())
        {
            Stopwatch watch = Stopwatch.StartNew();
            byte[] buffer = new byte[65536];
            long bytes = 0;
            while (from.Receive(buffer) is var count and > 0)
                bytes += count;
            send = bytes / watch.Elapsed.TotalSeconds / 1e6;
        }

        guest.WaitForPrompt();
        guest.Type($"nc {HostAddress} {port} </dev/null >/dev/null");
        using Socket to = listener.AcceptSocket();
        Stopwatch taken = Stopwatch.StartNew();
        byte[] content = new byte[Megabytes << 20];
        for (int done = 0; done < content.Length;)
            done += to.Send(content.AsSpan(done));
        to.Shutdown(SocketShutdown.Send);

        // nc ends, and its shell prompts, when the last byte has been read.
        guest.WaitForPrompt();
        listener.Stop();
        return (send, content.Length / taken.Elapsed.TotalSeconds / 1e6);
    }

    /// <summary>Megabytes (10^6) a second over TCP from one guest to another, timed from the receiver's start of nc to its end.</summary>
    public static double TransferBetweenGuests(Places places, string[] linux)
    {
        using Segment segment = new();
        using NetworkGuest server = new("guest# ", places.Launcher, [segment.Option, .. linux]);
        using NetworkGuest client = new("guest# ", places.Launcher, [segment.Option, .. linux]);
        server.Command("ifconfig eth0 10.1.1.1 up");
        client.Command("ifconfig eth0 10.1.1.2 up; ping -c 1 10.1.1.1");
        server.Type($"dd if=/dev/zero bs=65536 count={Megabytes * 16} 2>/dev/null | nc -l -p 5000");
        Thread.Sleep(1000);
        Stopwatch watch = Stopwatch.StartNew();
        string count = client.Command("nc 10.1.1.1 5000 </dev/null | wc -c");
        double seconds = watch.Elapsed.TotalSeconds;
        const int Bytes = Megabytes << 20;
        if (!count.Contains(Bytes.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal))
            throw new BenchException($"a guest got something else than it was sent: {count}");
        return Bytes / seconds / 1e6;
    }

    private static NetworkGuest Demo(Places places, string engine, string net, string address) =>
        new("demo> ", places.Launcher, $"--engine={engine}", net, "16m", places.Guest("demo"), "ip=" + address);

    private static double MedianPing(NetworkGuest guest, string address)
    {
        string answer = guest.Command(string.Create(CultureInfo.InvariantCulture, $"ping {address} {Pings}"));
        double[] times = [.. PingTime().Matches(answer).Select(m => double.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture))];
        return times.Length == Pings ? Statistics.Median(times) : throw new BenchException($"{times.Length} of {Pings} pings came back: {answer}");
    }

    private static void MakeTap()
    {
        IpTool("tuntap", "add", "dev", QemuTap, "mode", "tap");
        IpTool("addr", "add", HostAddress + "/24", "dev", QemuTap);
        IpTool("link", "set", QemuTap, "up");
    }

    /// <summary>The guest of QEMU's, on a tap of the same kind: a card on an ISA bus, the only one whose driver is a page of C.</summary>
    private static NetworkGuest EchoGuest(Places places)
    {
        string[] command = Contender.Qemu(
            places, places.Bench("echo"), string.Empty, "-netdev", $"tap,id=n,ifname={QemuTap},script=no,downscript=no", "-device", "ne2k_isa,netdev=n,iobase=0x300,irq=9,mac=52:54:00:19:00:02");
        return new NetworkGuest("echo ready", command[0], command[1..]);
    }

    private static void IpTool(params string[] arguments)
    {
        using Process process = Process.Start("ip", arguments);
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new BenchException($"ip {string.Join(' ', arguments)} ended with status {process.ExitCode}");
    }

    [GeneratedRegex("time=([0-9]+) us")]
    private static partial Regex PingTime();

    /// <summary>A network file for one measurement.</summary>
    private sealed class Segment : IDisposable
    {
        private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("lguest-bench-");

        public string Option => $"--sharenet={_directory.FullName}/lan";

        public void Dispose() => _directory.Delete(recursive: true);
    }
}
