// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Devices;
using Lguest.Devices.Backends.Network;
using Lguest.Launcher.Common;
using Lguest.Launcher.Options;
using Xunit;

namespace Lguest.Tests.Network;

/// <summary>The network options, as they are written.</summary>
public sealed class NetOptionTests
{
    /// <summary>The three forms of --tunnet.</summary>
    [Theory]
    [InlineData("192.168.19.1", TunnetKind.Address, "", "192.168.19.1", -1)]
    [InlineData("10.1.2.3/30", TunnetKind.Address, "", "10.1.2.3", 30)]
    [InlineData("bridge:br0", TunnetKind.Bridge, "br0", "0.0.0.0", -1)]
    [InlineData("tap:mine", TunnetKind.Tap, "mine", "0.0.0.0", -1)]
    public void TunnetIsUnderstood(string value, TunnetKind kind, string name, string address, int prefix)
    {
        TunnetOption option = TunnetOption.Parse(value);
        Assert.Equal((kind, name, address, prefix), (option.Kind, option.Name, option.Address.ToString(), option.Prefix));
        Assert.Null(option.GuestId);
        Assert.Equal((ushort)0x3412, TunnetOption.Parse(value + ",mac=02:00:12:34:00:00").GuestId);
    }

    /// <summary>Nonsense is refused, and the sentence names it.</summary>
    [Theory]
    [InlineData("", "is no IPv4 address")]
    [InlineData("300.1.1.1", "'300.1.1.1'")]
    [InlineData("10.1", "'10.1'")]
    [InlineData("10.0.0.1/33", "'10.0.0.1/33'")]
    [InlineData("10.0.0.1/0", "'10.0.0.1/0'")]
    [InlineData("10.0.0.1/x", "'10.0.0.1/x'")]
    [InlineData("fe80::1", "'fe80::1'")]
    [InlineData("bridge:", "needs the name of a bridge")]
    [InlineData("tap:", "needs the name of a tap")]
    [InlineData("tap:a/b", "cannot be the name of an interface")]
    [InlineData("tap:tap%d", "cannot be the name of an interface")]
    [InlineData("tap:sixteencharacter", "cannot be the name of an interface")]
    [InlineData("10.0.0.1,ro", "'ro' makes no sense")]
    [InlineData("10.0.0.1,mac=1", "is no Ethernet address")]
    [InlineData("10.0.0.1,mac=02:00:12:34:00:01", "cannot be had")]
    public void NonsenseTunnetIsRefused(string value, string part) =>
        Assert.Contains(part, Assert.Throws<DeviceException>(() => TunnetOption.Parse(value)).Message, StringComparison.Ordinal);

    /// <summary>--usernet alone, with a network, with forwards.</summary>
    [Fact]
    public void UsernetIsUnderstood()
    {
        UsernetOption plain = UsernetOption.Parse(string.Empty);
        Assert.Equal(("10.0.2.15", 24, "10.0.2.2"), (plain.Address.ToString(), plain.Prefix, plain.Gateway.ToString()));
        UsernetOption full = UsernetOption.Parse("172.20.5.9/16,tcp=8080:80,tcp=22,udp=53:5353");
        Assert.Equal("172.20.0.2", full.Gateway.ToString());
        Assert.Equal(["8080:80", "22"], full.TcpForwards);
        Assert.Equal(["53:5353"], full.UdpForwards);
        Assert.Equal(["1:2"], UsernetOption.Parse(",tcp=1:2").TcpForwards);
        Assert.Equal(["1:2"], UsernetOption.Parse("tcp=1:2").TcpForwards);
    }

    /// <summary>Nonsense is refused.</summary>
    [Theory]
    [InlineData("10.0.2.15", "with a prefix")]
    [InlineData("10.0.2.15/31", "with a prefix")]
    [InlineData("10.0.2.2/24", "gateway's address")]
    [InlineData(",tcp=0", "'0' is no forward")]
    [InlineData(",tcp=1:2:3", "is no forward")]
    [InlineData(",udp=70000", "is no forward")]
    [InlineData(",tcp=80;reboot", "is no forward")]
    [InlineData(",fast", "'fast' makes no sense")]
    public void NonsenseUsernetIsRefused(string value, string part) =>
        Assert.Contains(part, Assert.Throws<DeviceException>(() => UsernetOption.Parse(value)).Message, StringComparison.Ordinal);

    /// <summary>The command line keeps their order, and takes --usernet without a value.</summary>
    [Fact]
    public void TheCommandLineKeepsTheirOrder()
    {
        LaunchOptions options = CommandLineParser.Parse(["--sharenet=a,b", "--usernet", "--tunnet", "10.0.0.1", "--pcap=p", "64m", "k"]);
        Assert.Equal(["SharedNet", "UserNet", "TapNet"], options.Nets.Select(n => n.GetType().Name));
        Assert.Equal("a,b", Assert.IsType<NetOption.SharedNet>(options.Nets[0]).Path);
        Assert.Equal("p", options.Capture);
        Assert.Equal("k", options.Kernel);
    }

    /// <summary>What belongs after the network may follow the bare option too.</summary>
    [Fact]
    public void UsernetTakesForwardsWithoutANetwork()
    {
        LaunchOptions options = CommandLineParser.Parse(["--usernet,tcp=8080:80,mac=02:00:01:00:00:00", "64m", "k"]);
        Assert.Equal(["8080:80"], Assert.IsType<NetOption.UserNet>(Assert.Single(options.Nets)).Settings.TcpForwards);
        Assert.Equal((ushort)1, options.GuestId);
        Assert.Contains("there is no option --block,ro", Assert.Throws<LaunchException>(() => CommandLineParser.Parse(["--block,ro=x", "64m", "k"])).Message, StringComparison.Ordinal);
        Assert.Equal("a,tcp=1", Assert.IsType<NetOption.SharedNet>(Assert.Single(CommandLineParser.Parse(["--sharenet=a,tcp=1", "64m", "k"]).Nets)).Path);
    }

    /// <summary>A guest has one number, so one address on all its networks.</summary>
    [Fact]
    public void TwoAddressesCannotBeHad()
    {
        Assert.Equal((ushort)1, CommandLineParser.Parse(["--sharenet=a,mac=02:00:01:00:00:00", "--sharenet=b,mac=02:00:01:00:00:00", "64m", "k"]).GuestId);
        LaunchException refused = Assert.Throws<LaunchException>(() => CommandLineParser.Parse(["--sharenet=a,mac=02:00:01:00:00:00", "--sharenet=b,mac=02:00:02:00:00:00", "64m", "k"]));
        Assert.Contains("two different mac=", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>The address a driver makes of its guest's number, low byte first.</summary>
    [Fact]
    public void AddressesAreThoseOfTheDriver()
    {
        Assert.Equal("02:00:12:34:00:00", MacAddress.OfGuest(0x3412).ToString());
        Assert.True(MacAddress.TryParse("2:0:12:34:0:0", out MacAddress address) && address.IsOfGuest(out ushort id) && id == 0x3412);
        Assert.False(MacAddress.TryParse("02:00:12:34:00", out _));
        Assert.False(MacAddress.TryParse("02:00:12:34:00:000", out _));
        byte[] bytes = new byte[MacAddress.Size];
        address.CopyTo(bytes);
        Assert.Equal([2, 0, 0x12, 0x34, 0, 0], bytes);
        Assert.Equal(address, MacAddress.From(bytes));
    }
}
