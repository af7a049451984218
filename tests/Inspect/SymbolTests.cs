// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Inspect.Symbols;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;
using Lguest.Tests.Support;

namespace Lguest.Tests.Inspect;

/// <summary>Names for addresses.</summary>
public sealed class SymbolTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void AddressesAreFoundInTheirSymbols()
    {
        SymbolTable table = new([
            new Symbol(0x2000, 0x10, "second", true),
            new Symbol(0x1000, 0x100, "first", true),
            new Symbol(0x3000, 0, "assembly", true),
            new Symbol(0x3000, 4, "alias", false),
            new Symbol(0x5000, 0, "data", false),
        ]);
        Assert.Equal("first", table.Describe(0x1000));
        Assert.Equal("first+0xff", table.Describe(0x10FF));
        Assert.Null(table.Describe(0xFFF));
        Assert.Null(table.Describe(0x1800));
        Assert.Equal("assembly+0x800", table.Describe(0x3800));
        Assert.Equal("data+0x10", table.Describe(0x5010));
        Assert.Null(table.Describe(0x5800));
        Assert.Equal(0x2000u, table.AddressOf("second"));
        Assert.Null(table.AddressOf("third"));
        Assert.Null(SymbolTable.Empty.Describe(0));
    }

    [FactNeeding(Need.Guests)]
    public void AnElfFileTellsItsSymbols()
    {
        SymbolTable table = ElfSymbols.Read(Needs.Guest("demo"));
        uint address = Assert.NotNull(table.AddressOf("guest_main"));
        Assert.True(table.TryFind(address + 1, out Symbol symbol));
        Assert.Equal("guest_main", symbol.Name);
        Assert.True(symbol.IsCode);

        // A mark at the end of the code is no code, nor is what comes after it.
        uint end = Assert.NotNull(table.AddressOf("snippets_end"));
        Assert.False(table.TryFind(end + 0x20, out symbol) && symbol.IsCode);
    }

    /// <summary>A return address belongs to the function that made the call, also when that was its last instruction.</summary>
    [Fact]
    public void AReturnAddressBelongsToTheCaller()
    {
        SymbolTable table = new([new Symbol(0x1000, 0x10, "dies", true), new Symbol(0x1010, 0x10, "next", true)]);
        Assert.Equal("00001010 <dies+0x10>", table.FormatReturn(0x1010));
        Assert.Equal("00001010 <next>", table.Format(0x1010));
        Assert.Equal("00000000", table.FormatReturn(0));
    }

    [FactNeeding(Need.Guests)]
    public void ADamagedElfFileHasNoneAndIsNoReasonToFail()
    {
        byte[] file = File.ReadAllBytes(Needs.Guest("conformance/hello"));
        Random random = new(5);
        for (int i = 0; i < 300; i++)
        {
            byte[] broken = file[..random.Next(file.Length + 1)];
            for (int j = 0; j < 8 && broken.Length > 60; j++)
                broken[random.Next(60)] = (byte)random.Next(256);
            Assert.NotNull(ElfSymbols.Read(_directory.File("broken", broken)));
        }
    }

    [Fact]
    public void ASystemMapIsRead()
    {
        string path = _directory.File("map", Encoding.ASCII.GetBytes("c0100000 T _text\nc0101000 t helper\nc0200000 D jiffies\n"));
        SymbolTable table = SystemMapFile.Read(path);
        Assert.Equal("helper+0x4", table.Describe(0xC0101004));
        Assert.Equal("_text+0xfff", table.Describe(0xC0100FFF));
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("\n\n", "has no symbols")]
    [InlineData("c0100000 T _text\nnonsense\n", "line 2")]
    [InlineData("\u007fELF\n", "line 1")]
    public void WhatIsNoSystemMapIsRefused(string content, string expected)
    {
        string path = _directory.File("map", Encoding.ASCII.GetBytes(content));
        Assert.Contains(expected, Assert.Throws<LaunchException>(() => SystemMapFile.Read(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingSystemMapIsNamed() =>
        Assert.Contains("/nonexistent", Assert.Throws<LaunchException>(static () => SystemMapFile.Read("/nonexistent")).Message, StringComparison.Ordinal);
}
