// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Lguest.Bench;

/// <summary>
/// <c>bench network</c>: round-trip times and throughput between guest and host (over a tap) and between two guests (over a
/// shared file). To have a tap it must run in a network of its own, where nothing can be disturbed; without, those rows are left
/// out. Round trips are those of our demo guest, which measures them by the host's clock; throughput is that of a real kernel's
/// TCP and takes LGUEST_TEST_KERNEL and LGUEST_TEST_INITRD (busybox with nc and dd).
/// </summary>
/// <remarks>There is no row for QEMU: the kernel that is common to both has no driver for any of its network cards.</remarks>
internal static partial class NetworkBench
{
    private const string HostAddress = "192.168.19.1";
    private const string GuestAddress = "192.168.19.2";
    private const int Pings = 200;
    private const int Megabytes = 20;

    /// <summary>Measures everything that can be measured here, and prints it.</summary>
    /// <param name="places">Where the launcher is.</param>
    /// <param name="engines">Names for --engine.</param>
    public static void Run(Places places, string[] engines)
    {
        bool alone = NetworkInterface.GetAllNetworkInterfaces().All(i => i.NetworkInterfaceType == NetworkInterfaceType.Loopback);
        if (!alone)
            Console.Error.WriteLine("bench: SKIPPED guest and host: this is the machine's own network; run it as root, as: unshare --net make bench BENCH=network");
        string? kernel = Environment.GetEnvironmentVariable("LGUEST_TEST_KERNEL");
        string? initrd = Environment.GetEnvironmentVariable("LGUEST_TEST_INITRD");
        if (kernel == null || initrd == null)
            Console.Error.WriteLine("bench: SKIPPED throughput: LGUEST_TEST_KERNEL and LGUEST_TEST_INITRD are not set");

        Console.WriteLine("| engine | what | between | measured |\n|---|---|---|---|");
        foreach (string engine in engines)
        {
            if (alone)
                Row(engine, "round trip, median", "guest, host", $"{RoundTripToHost(places, engine):0} µs");
            Row(engine, "round trip, median", "guest, guest", $"{RoundTripToGuest(places, engine):0} µs");
            if (kernel == null || initrd == null)
                continue;
            string[] linux = [$"--engine={engine}", "--initrd=" + initrd, "64m", kernel, "quiet"];
            if (alone)
            {
                (double send, double receive) = TransferWithHost(places, linux);
                Row(engine, "TCP", "guest to host", $"{send:0.0} MB/s");
                Row(engine, "TCP", "host to guest", $"{receive:0.0} MB/s");
            }

            Row(engine, "TCP", "guest to guest", $"{TransferBetweenGuests(places, linux):0.0} MB/s");
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

    private static void Row(string engine, string what, string between, FormattableString measured) =>
        Console.WriteLine($"| {engine} | {what} | {between} | {measured.ToString(CultureInfo.InvariantCulture)} |");

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
