// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text.Json;
using Lguest.Tests.Network;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>Traces of disks and networks: each request and packet once, with its size, as <c>--stats</c> counts them.</summary>
public sealed class DeviceTraceTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string> Engines() => [.. Needs.Engines];

    public void Dispose() => _directory.Dispose();

    /// <summary>A guest that makes good requests and bad ones.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void DiskRequestsAreTracedWithTheirResults(string engine)
    {
        string disk = _directory.File("disk", new byte[1 << 20]);
        Run(["--engine=" + engine, .. Looking("block", string.Empty), "--block=" + disk, "16m", Needs.Guest("conformance/block")]);
        List<JsonElement> events = Events("block", string.Empty);
        JsonElement counted = Device(string.Empty, 0);
        string name = counted.GetProperty("device").GetString()!;
        Assert.StartsWith($"block {disk}", name, StringComparison.Ordinal);
        Assert.All(events, e => Assert.Equal(name, Text(e, "device")));
        Assert.Equal(Number(counted, "requests"), events.Count);
        Assert.Equal(Number(counted, "bytes_out"), Bytes(events, "write", "Ok"));
        Assert.Equal(Number(counted, "bytes_in"), Bytes(events, "read", "Ok"));
        Assert.Equal(Number(counted, "errors"), events.Count(static e => Text(e, "result") == "Error"));

        // What the guest's source asks for, in this order: the first and the last sector, a page at the eighth.
        (string, long, long)[] first =
        [
            ("write", 0, 512), ("read", 0, 512), ("write", 2047, 512), ("read", 2047, 512), ("write", 8, 4096), ("read", 8, 4096),
        ];
        Assert.Equal(first, events.Take(first.Length).Select(static e => (Text(e, "event"), Number(e, "sector"), Number(e, "bytes"))));
        Assert.Contains(events, static e => Text(e, "result") == "Error");
    }

    /// <summary>A disk takes one reply buffer for each request, at the key that the request was sent to.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void BuffersAreTracedWhenTheyAreTaken(string engine)
    {
        string disk = _directory.File("disk", new byte[1 << 20]);
        Run(["--engine=" + engine, .. Looking("dma", string.Empty), "--block=" + disk, "16m", Needs.Guest("conformance/block")]);
        List<JsonElement> events = Events("dma", string.Empty);
        List<JsonElement> taken = [.. events.Where(static e => Text(e, "event") == "take")];
        Assert.Equal(Number(Device(string.Empty, 0), "requests"), taken.Count);
        string key = Assert.Single(taken.Select(static e => Text(e, "key")).Distinct());
        Assert.Equal(taken.Count, events.Count(e => Text(e, "event") == "send" && Text(e, "key") == key));

        // The second request is the first that reads: 512 bytes. The irq of a buffer taken stands where used_len will.
        Assert.Matches("^0x[0-9a-f]{8}: used 1, 0x[0-9a-f]{8}\\+512$", Text(taken[1], "buffer"));
    }

    /// <summary>Two devices of one guest on one network: what the first sends the second receives.</summary>
    [TheoryNeeding(Need.Launcher, Need.Guests)]
    [MemberData(nameof(Engines))]
    public void PacketsBetweenGuestsAreTracedOnBothSides(string engine)
    {
        string lan = Path.Combine(_directory.Path, "lan");
        Run(["--engine=" + engine, .. Looking("net", string.Empty), "--sharenet=" + lan, "--sharenet=" + lan, "64m", Needs.Guest("conformance/net")]);
        List<JsonElement> events = Events("net", string.Empty);
        long[] arrived = Packets(events, "sent", "slot 0");
        long[] received = Packets(events, "received", "slot 1");
        Assert.Equal(arrived, received);
        Assert.True(received.Length > 20, $"only {received.Length} packets");

        // And some went nowhere.
        Assert.Equal(Number(Device(string.Empty, 0), "errors"), events.Count(static e => Text(e, "event") == "sent" && Number(e, "bytes") == 0));
        Assert.Equal(Number(Device(string.Empty, 0), "bytes_out"), arrived.Sum());
        Assert.Equal((received.Length, received.Sum()), (Number(Device(string.Empty, 1), "inputs"), Number(Device(string.Empty, 1), "bytes_in")));
    }

    /// <summary>Two launchers.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void WhatOneGuestSendsTheOtherReceives()
    {
        string lan = Path.Combine(_directory.Path, "lan");
        using (RunningGuest one = RunningGuest.Demo([], [.. Looking("net", "1"), "--sharenet=" + lan], "10.9.0.1"))
        using (RunningGuest two = RunningGuest.Demo([], [.. Looking("net", "2"), "--sharenet=" + lan], "10.9.0.2"))
        {
            Assert.Contains("5 sent, 5 received", one.Command("ping 10.9.0.2 5"), StringComparison.Ordinal);
            Off(one);
            Off(two);
        }

        foreach ((string from, string to) in (ReadOnlySpan<(string, string)>)[("1", "2"), ("2", "1")])
        {
            long[] sent = Packets(Events("net", from), "sent", "net shared ");
            Assert.Equal(sent, Packets(Events("net", to), "received", "net shared "));
            Assert.True(sent.Length >= 5, $"only {sent.Length} packets");
            Assert.Equal(sent.Sum(), Number(Device(from, 0), "bytes_out"));
            Assert.Equal(sent.Sum(), Number(Device(to, 0), "bytes_in"));
        }
    }

    /// <summary>What comes from the host, and goes to it.</summary>
    [NetFact(NetNeed.Taps)]
    public void PacketsOfATapAreTraced()
    {
        using NetworkNamespace network = new();
        using (RunningGuest guest = RunningGuest.Demo(network.Enter, [.. Looking("net", string.Empty), "--tunnet=192.168.19.1/24"], "192.168.19.2"))
        {
            Assert.Contains("5 sent, 5 received", guest.Command("ping 192.168.19.1 5"), StringComparison.Ordinal);
            Assert.True(network.Run(static () => HostPing.Once("192.168.19.2", 1000)));
            Off(guest);
        }

        List<JsonElement> events = Events("net", string.Empty);
        const int headers = 14 + 20 + 8;
        foreach (string direction in (ReadOnlySpan<string>)["sent", "received"])
            Assert.Equal(1, Packets(events, direction, "net ").Count(static bytes => bytes == headers + 1000));
        Assert.Equal((Number(Device(string.Empty, 0), "requests"), Number(Device(string.Empty, 0), "inputs")), (Packets(events, "sent", "net ").Length, Packets(events, "received", "net ").Length));
        Assert.Equal(Number(Device(string.Empty, 0), "bytes_in"), Packets(events, "received", "net ").Sum());
    }

    /// <summary>What is typed, and what is said.</summary>
    [FactNeeding(Need.Launcher, Need.Guests)]
    public void TheConsoleIsTracedBothWays()
    {
        ProcessResult result = LauncherProcess.Run("echo hello\noff\n", [.. Looking("console", string.Empty), "16m", Needs.Guest("demo")]);
        Assert.True(result.Status == 0, result.Error);
        List<JsonElement> events = Events("console", string.Empty);
        Assert.Equal("echo hello\noff\n".Length, events.Where(static e => Text(e, "event") == "input").Sum(static e => Number(e, "bytes")));
        Assert.Equal(result.Output, string.Concat(events.Where(static e => Text(e, "event") == "output").Select(static e => Text(e, "text"))));
    }

    private static void Run(params string[] arguments)
    {
        ProcessResult result = LauncherProcess.Run(arguments);
        Assert.True(result.Status == 0, result.Output + result.Error);
    }

    private static void Off(RunningGuest guest)
    {
        guest.Type("off");
        Assert.True(guest.Process.WaitForExit(LauncherProcess.Patience));
        Assert.Equal(0, guest.Process.ExitCode);
    }

    private static string Text(JsonElement e, string field) => e.GetProperty(field).GetString()!;

    private static long Number(JsonElement e, string field) => e.GetProperty(field).GetInt64();

    private static long Bytes(List<JsonElement> events, string name, string result) =>
        events.Where(e => Text(e, "event") == name && Text(e, "result") == result).Sum(static e => Number(e, "bytes"));

    /// <summary>Sizes, in order, of the packets of a device that arrived.</summary>
    private static long[] Packets(List<JsonElement> events, string name, string device) =>
        [.. events.Where(e => Text(e, "event") == name && Text(e, "device").Contains(device, StringComparison.Ordinal)).Select(static e => Number(e, "bytes")).Where(static bytes => bytes > 0)];

    private string[] Looking(string categories, string which) =>
        [$"--trace={categories},format=json,file={_directory.Path}/trace{which}", $"--stats={_directory.Path}/stats{which},format=json"];

    private List<JsonElement> Events(string category, string which) =>
    [
        .. File.ReadLines($"{_directory.Path}/trace{which}").Select(static line => JsonDocument.Parse(line).RootElement)
            .Where(e => e.GetProperty("category").GetString() == category),
    ];

    private JsonElement Device(string which, int index) =>
        JsonDocument.Parse(File.ReadAllText($"{_directory.Path}/stats{which}")).RootElement.GetProperty("devices")[index];
}
