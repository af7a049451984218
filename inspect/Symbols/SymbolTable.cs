// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.Inspect.Common;

namespace Lguest.Inspect.Symbols;

/// <summary>A name for an address.</summary>
/// <param name="Address">Where it begins.</param>
/// <param name="Size">Bytes; 0: up to the next.</param>
/// <param name="Name">The name.</param>
/// <param name="IsCode">Whether code is there, as far as is known.</param>
public readonly record struct Symbol(uint Address, uint Size, string Name, bool IsCode);

/// <summary>The guest kernel's names: from its ELF file, or from a System.map.</summary>
public sealed class SymbolTable
{
    /// <summary>A symbol without a size, and none after it, names no more than this.</summary>
    private const uint Reach = 0x10000;

    /// <summary>The same for data.</summary>
    private const uint TableReach = 0x200;

    /// <summary>What an assembler fills up behind a function.</summary>
    private const uint Padding = 16;

    private readonly Symbol[] _symbols;

    /// <summary>A table.</summary>
    /// <param name="symbols">In any order; where several share an address, the first code symbol counts. A kernel's file may call its functions anything: names are made visible.</param>
    public SymbolTable(IEnumerable<Symbol> symbols)
    {
        List<Symbol> unique = [];
        foreach (Symbol symbol in symbols.OrderBy(s => s.Address).ThenByDescending(s => s.IsCode).ThenByDescending(s => s.Size))
        {
            if (unique.Count == 0 || unique[^1].Address != symbol.Address)
                unique.Add(symbol with { Name = VisibleText.Of(symbol.Name) });
        }

        _symbols = [.. unique];
    }

    /// <summary>No names at all.</summary>
    public static SymbolTable Empty { get; } = new([]);

    /// <summary>How many.</summary>
    public int Count => _symbols.Length;

    /// <summary>Reads a System.map: lines of address, type letter and name.</summary>
    /// <param name="path">The file's name, for messages.</param>
    /// <param name="text">What is in it.</param>
    /// <exception cref="InspectException">It is no such thing.</exception>
    public static SymbolTable FromSystemMap(string path, string text)
    {
        List<Symbol> symbols = [];
        int number = 0;
        foreach (string line in text.Split('\n'))
        {
            number++;
            string[] words = line.Split((char[])[' ', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0)
                continue;
            if (words.Length < 3 || words[1].Length != 1 || !uint.TryParse(words[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out uint address))
                throw new InspectException($"'{path}' is no System.map: line {number} is not 'address type name'; name the one that was built with the guest's kernel");
            symbols.Add(new Symbol(address, 0, words[2], words[1] is "t" or "T" or "W" or "w"));
        }

        if (symbols.Count == 0)
            throw new InspectException($"'{path}' has no symbols in it; name a System.map");
        return new SymbolTable(symbols);
    }

    /// <summary>The address of a name, or null.</summary>
    public uint? AddressOf(string name)
    {
        foreach (ref readonly Symbol symbol in _symbols.AsSpan())
        {
            if (symbol.Name == name)
                return symbol.Address;
        }

        return null;
    }

    /// <summary>The symbol that an address lies in.</summary>
    public bool TryFind(uint address, out Symbol symbol)
    {
        int low = 0;
        int high = _symbols.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (_symbols[middle].Address <= address)
                low = middle + 1;
            else
                high = middle - 1;
        }

        symbol = default;
        if (high < 0)
            return false;
        symbol = _symbols[high];

        // Tables in assembly have no size either, and what follows one is not often part of it. Code in assembly often has no size, and padding belongs to nobody: what is just past it is still the best name.
        uint end = high + 1 < _symbols.Length ? _symbols[high + 1].Address : symbol.Address + Reach;
        uint offset = address - symbol.Address;
        return address < end && offset < (symbol.Size != 0 ? symbol.Size + Padding : symbol.IsCode ? Reach : TableReach);
    }

    /// <summary>An address as <c>name+0x12</c>, or null when no symbol covers it.</summary>
    public string? Describe(uint address)
    {
        if (!TryFind(address, out Symbol symbol))
            return null;
        uint offset = address - symbol.Address;
        return offset == 0 ? symbol.Name : $"{symbol.Name}+0x{offset:x}";
    }

    /// <summary>
    /// A return address as <c>c0101234 &lt;name+0x12&gt;</c>, by the call before it: after a function that ends in a call of one that
    /// does not return, another one begins.
    /// </summary>
    public string FormatReturn(uint address) =>
        TryFind(address - 1, out Symbol symbol) ? $"{address:x8} <{symbol.Name}+0x{address - symbol.Address:x}>" : $"{address:x8}";

    /// <summary>An address as <c>c0101234 &lt;name+0x12&gt;</c>.</summary>
    public string Format(uint address) => Describe(address) is { } name ? $"{address:x8} <{name}>" : $"{address:x8}";
}
