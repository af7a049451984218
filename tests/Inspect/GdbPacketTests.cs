// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Inspect.Gdb;

namespace Lguest.Tests.Inspect;

/// <summary>The wrapping of gdb's packets, against examples and rules of its manual.</summary>
public sealed class GdbPacketTests
{
    [Theory]
    [InlineData("", "$#00")]
    [InlineData("OK", "$OK#9a")]
    [InlineData("a}b", "$a}]b#9d")]
    [InlineData("$#*", "$}\u0004}\u0003}\n#88")]
    public void PacketsAreWrapped(string data, string wire) => Assert.Equal(wire, Encoding.Latin1.GetString(GdbPacket.Encode(data)));

    [Fact]
    public void WhatIsEscapedComesBack()
    {
        string all = new([.. Enumerable.Range(0, 256).Select(static i => (char)i)]);
        string wire = Encoding.Latin1.GetString(GdbPacket.Encode(all));
        Assert.Equal(all, GdbPacket.Unescape(wire[1..^3]));
    }

    [Theory]
    [InlineData("c0100000,40", true, 0xC0100000u, 0x40u)]
    [InlineData("0,ffffffff", true, 0u, uint.MaxValue)]
    [InlineData("100000000,1", false, 0u, 0u)]
    [InlineData("12", false, 0u, 0u)]
    [InlineData(",1", false, 0u, 0u)]
    [InlineData("x,1", false, 0u, 0u)]
    public void RangesAreUnderstood(string text, bool right, uint address, uint length)
    {
        Assert.Equal(right, GdbPacket.TryRange(text, out uint itsAddress, out uint itsLength));
        if (right)
            Assert.Equal((address, length), (itsAddress, itsLength));
    }

    [Fact]
    public void PacketsAreReadAndAcknowledged()
    {
        using DuplexStream stream = new("+$g#67\u0003$bad#00$m0,4#fd");
        GdbWire wire = new(stream);
        Assert.Equal("g", wire.Read());
        Assert.Equal(GdbWire.Interrupt, wire.Read());

        // The damaged one is refused, and the next one is read.
        Assert.Equal("m0,4", wire.Read());
        Assert.Null(wire.Read());
        Assert.Equal("+-+", stream.Sent);
    }

    [Fact]
    public void ARefusedPacketIsSentAgain()
    {
        using DuplexStream stream = new("-");
        GdbWire wire = new(stream);
        wire.Send("OK");
        Assert.Null(wire.Read());
        Assert.Equal("$OK#9a$OK#9a", stream.Sent);
    }

    [Fact]
    public void WithoutAcknowledgementsNoneAreSent()
    {
        using DuplexStream stream = new("$g#67");
        GdbWire wire = new(stream) { NoAcknowledgements = true };
        Assert.Equal("g", wire.Read());
        Assert.Equal("", stream.Sent);
    }

    [Fact]
    public void TheTargetDescriptionIsXmlAndCountsItsRegisters()
    {
        System.Xml.XmlReaderSettings settings = new() { DtdProcessing = System.Xml.DtdProcessing.Ignore };
        using System.Xml.XmlReader reader = System.Xml.XmlReader.Create(new StringReader(GdbRegisters.TargetDescription), settings);
        List<string> names = [];
        while (reader.Read())
        {
            if (reader.NodeType == System.Xml.XmlNodeType.Element && reader.Name == "reg")
                names.Add(reader.GetAttribute("name")!);
        }

        Assert.Equal(GdbRegisters.Count, names.Count);
        Assert.Equal("eip", names[GdbRegisters.Eip]);

        // gdb's own numbering up to here: org.gnu.gdb.i386.core and .sse.
        Assert.Equal("st0", names[16]);
        Assert.Equal("fctrl", names[24]);
        Assert.Equal("xmm0", names[32]);
        Assert.Equal("mxcsr", names[40]);
        Assert.Equal(names.Count, names.Distinct().Count());
    }

    /// <summary>Reads what was given, remembers what was written.</summary>
    private sealed class DuplexStream(string input) : MemoryStream(Encoding.Latin1.GetBytes(input))
    {
        private readonly StringBuilder _sent = new();

        public string Sent => _sent.ToString();

        public override void Write(ReadOnlySpan<byte> buffer) => _sent.Append(Encoding.Latin1.GetString(buffer));
    }
}
