// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net.Sockets;
using Lguest.Launcher;
using Lguest.Launcher.Debugging;
using Lguest.Tests.Support;

namespace Lguest.Tests.Debugging;

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
        Assert.Contains("--gdb", Assert.Throws<LaunchException>(() => SocketAddress.Parse("gdb", text, 1234)).Message, StringComparison.Ordinal);

    [Fact]
    public void ASocketFileIsTheUsersAloneAndADesertedOneIsReplaced()
    {
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, "socket");
        SocketAddress address = SocketAddress.ParseUnix("control", "unix:" + path);
        using (Socket first = address.Listen("control"))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
            Assert.Contains("cannot listen", Assert.Throws<LaunchException>(() => address.Listen("control")).Message, StringComparison.Ordinal);
        }

        using Socket second = address.Listen("control");
        Assert.True(second.IsBound);
    }
}
