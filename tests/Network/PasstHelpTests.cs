// SPDX-License-Identifier: GPL-2.0-or-later
using System.Net;
using Lguest.Devices.Backends.Network;
using Xunit;

namespace Lguest.Tests.Network;

/// <summary>The packets with which passt is helped.</summary>
public sealed class PasstHelpTests
{
    // The answer of a real guest to a connection, as captured: 10.0.2.15:5000 to 10.0.2.2:36378.
    private const string SynAck =
        "024c47554553 02002c0f0000 0800" +
        "4500 0030 0000 4000 4006 22b8 0a00020f 0a000202" +
        "1388 8e1a d177c00d 57a096f6 7012 16d0 a4a4 0000 020405b4 01030301";

    /// <summary>The last word: everything turned round, numbers one further, and sums that are right.</summary>
    [Fact]
    public void AHandshakeIsCompleted()
    {
        byte[] word = PasstHelp.LastWordOfHandshake(Bytes(SynAck))!;
        Assert.Equal(54, word.Length);
        Assert.Equal("02002c0f0000024c475545530800", Convert.ToHexStringLower(word[..14]));
        Assert.Equal("0a0002020a00020f", Convert.ToHexStringLower(word[26..34]));
        Assert.Equal("8e1a1388" + "57a096f6" + "d177c00e" + "5010", Convert.ToHexStringLower(word[34..48]));
        Assert.Equal(ushort.MaxValue, Sum(word.AsSpan(14, 20), 0));
        Assert.Equal(ushort.MaxValue, Sum(word.AsSpan(34), InternetSum(word.AsSpan(26, 8)) + 6 + 20));
    }

    /// <summary>Nothing but an answer to a connection is answered.</summary>
    [Theory]
    [InlineData(47, 0x10)]
    [InlineData(47, 0x02)]
    [InlineData(47, 0x14)]
    [InlineData(47, 0x16)]
    [InlineData(47, 0x13)]
    [InlineData(23, 17)]
    [InlineData(21, 0x01)]
    [InlineData(14, 0x65)]
    [InlineData(14, 0x44)]
    [InlineData(14, 0x4F)]
    [InlineData(12, 0x86)]
    public void OtherPacketsAreLeftAlone(int at, byte value)
    {
        byte[] packet = Bytes(SynAck);
        packet[at] = value;
        Assert.Null(PasstHelp.LastWordOfHandshake(packet));
    }

    /// <summary>A packet that ends too early is none.</summary>
    [Fact]
    public void ShortPacketsAreLeftAlone()
    {
        byte[] packet = Bytes(SynAck);
        for (int length = 0; length < 54; length++)
            Assert.Null(PasstHelp.LastWordOfHandshake(packet.AsSpan(0, length)));
        Assert.NotNull(PasstHelp.LastWordOfHandshake(packet.AsSpan(0, 54)));
    }

    /// <summary>What the IP header does not count is padding; what is no IPv4, or makes no sense, stays as it is.</summary>
    [Fact]
    public void PaddingIsCutOff()
    {
        byte[] packet = Bytes(SynAck);
        Assert.Equal(62, PasstHelp.WithoutPadding(packet, 62));
        packet[17] = 34;
        Assert.Equal(48, PasstHelp.WithoutPadding(packet, 60));
        packet[17] = 19;
        Assert.Equal(60, PasstHelp.WithoutPadding(packet, 60));
        packet[17] = 255;
        Assert.Equal(60, PasstHelp.WithoutPadding(packet, 60));
        packet[13] = 6;
        packet[17] = 34;
        Assert.Equal(60, PasstHelp.WithoutPadding(packet, 60));
        Assert.Equal(20, PasstHelp.WithoutPadding(packet.AsSpan(0, 20), 20));
    }

    /// <summary>The introduction is an ARP request in the guest's name.</summary>
    [Fact]
    public void TheIntroductionIsAnArpRequest()
    {
        byte[] frame = PasstHelp.Introduction(MacAddress.OfGuest(0x3412), IPAddress.Parse("10.9.8.15"), IPAddress.Parse("10.9.8.2"));
        Assert.Equal("ffffffffffff" + "020012340000" + "0806" + "0001080006040001" + "020012340000" + "0a09080f" + "000000000000" + "0a090802", Convert.ToHexStringLower(frame));
    }

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", string.Empty, StringComparison.Ordinal));

    private static uint InternetSum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (int i = 0; i < bytes.Length; i += 2)
            sum += (uint)(bytes[i] << 8 | bytes[i + 1]);
        return sum;
    }

    private static ushort Sum(ReadOnlySpan<byte> bytes, uint sum)
    {
        sum += InternetSum(bytes);
        while (sum >> 16 != 0)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)sum;
    }
}
