// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net;
using System.Net.Sockets;
using Lguest.Inspect.Common;
using Lguest.Inspect.Sockets;
using SocketAddress = Lguest.Inspect.Sockets.SocketAddress;

namespace Lguest.Tests.Inspect;

/// <summary>Where the launcher listens: never for other machines unless told so.</summary>
public sealed class SocketAddressTests
{
    [Theory]
    [InlineData("", "127.0.0.1:1234")]
    [InlineData("2000", "127.0.0.1:2000")]
    [InlineData(":2000", "127.0.0.1:2000")]
    [InlineData("localhost:2000", "127.0.0.1:2000")]
    [InlineData("0.0.0.0:2000", "0.0.0.0:2000")]
    [InlineData("[::1]:2000", "[::1]:2000")]
    [InlineData("unix:/tmp/x", "unix:/tmp/x")]
    public void AddressesAreUnderstood(string text, string expected) =>
        Assert.Equal(expected, SocketAddress.Parse("gdb", text, 1234).ToString());

    [Theory]
    [InlineData("somewhere:1")]
    [InlineData("1.2.3.4:99999")]
    [InlineData("x")]
    [InlineData("unix:")]
    public void NonsenseIsRefused(string text) =>
        Assert.Contains("--gdb", Assert.Throws<InspectException>(() => SocketAddress.Parse("gdb", text, 1234)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("/nonexistent/x", "--gdb: cannot listen at '/nonexistent/x': the folder '/nonexistent' does not exist; make it first, or name another")]
    [InlineData("/proc/version/x", "--gdb: cannot listen at '/proc/version/x': '/proc/version' is not a folder")]
    [InlineData("/proc/x", "--gdb: cannot listen at '/proc/x': the folder '/proc' does not exist; make it first, or name another")]
    [InlineData("/dev/", "--gdb: '/dev/' names a folder; name a file in it")]
    public void APathThatCannotBeHadIsExplained(string path, string expected) =>
        Assert.Equal(expected, Assert.Throws<InspectException>(() => SocketAddress.Parse("gdb", "unix:" + path, 1234).Listen("gdb")).Message);

    [Fact]
    public void AnAddressThatIsTakenIsExplained()
    {
        using Socket first = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        first.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        first.Listen();
        string address = first.LocalEndPoint!.ToString()!;
        Assert.Equal(
            $"--gdb: cannot listen at {address}: somebody listens there already; choose another port, or unix:PATH",
            Assert.Throws<InspectException>(() => SocketAddress.Parse("gdb", address, 1).Listen("gdb")).Message);
        Assert.EndsWith(
            "this machine has no such address",
            Assert.Throws<InspectException>(() => SocketAddress.Parse("gdb", "192.0.2.77:1", 1).Listen("gdb")).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0100007F:04D2", "127.0.0.1:1234")]
    [InlineData("00000000000000000000000001000000:1F90", "[::1]:8080")]
    [InlineData("0000000000000000FFFF00000100007F:0001", "[::ffff:127.0.0.1]:1")]
    public void TheKernelsTableIsUnderstood(string text, string expected) => Assert.Equal(IPEndPoint.Parse(expected), PeerCheck.Parse(text));
}
