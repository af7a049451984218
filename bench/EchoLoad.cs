// SPDX-License-Identifier: GPL-2.0-or-later
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Lguest.Bench;

/// <summary>Measures whoever echoes UDP packets at port 7.</summary>
internal static class EchoLoad
{
    private const int EchoPort = 7;
    private const int Small = 64;
    private const int RoundTrips = 1000;

    /// <summary>As much as fits into an Ethernet packet.</summary>
    private const int Large = 1472;

    private const int OnTheWay = 16;
    private const int Patience = 1000;
    private static readonly TimeSpan s_duration = TimeSpan.FromSeconds(2);

    /// <summary>Microseconds for a packet to come back, one at a time.</summary>
    public static double MedianRoundTrip(string address)
    {
        using Socket socket = Open(address);
        byte[] packet = new byte[Small];
        byte[] answer = new byte[Small];
        List<double> times = [];

        // The first ones wait for an Ethernet address.
        const int settling = 50;
        for (int i = 0; i < settling + RoundTrips; i++)
        {
            BitConverter.TryWriteBytes(packet, i);
            long start = Stopwatch.GetTimestamp();
            socket.Send(packet);
            do
                Receive(socket, answer, address);
            while (BitConverter.ToInt32(answer) != i);
            if (i >= settling)
                times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }

        return Statistics.Median(times);
    }

    /// <summary>Megabytes (10^6) of payload a second that go there and come back, a fixed number of packets being on the way.</summary>
    public static double Throughput(string address)
    {
        using Socket socket = Open(address);
        byte[] packet = new byte[Large];
        byte[] answer = new byte[Large];
        for (int i = 0; i < OnTheWay; i++)
            socket.Send(packet);
        long bytes = 0;
        Stopwatch watch = Stopwatch.StartNew();
        while (watch.Elapsed < s_duration)
        {
            bytes += Receive(socket, answer, address);
            socket.Send(packet);
        }

        return bytes / watch.Elapsed.TotalSeconds / 1e6;
    }

    private static Socket Open(string address)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = Patience };
        socket.Connect(new IPEndPoint(IPAddress.Parse(address), EchoPort));
        return socket;
    }

    private static int Receive(Socket socket, byte[] answer, string address)
    {
        try
        {
            return socket.Receive(answer);
        }
        catch (SocketException failure)
        {
            throw new BenchException($"{address} does not send back what it got: {failure.Message}");
        }
    }
}
