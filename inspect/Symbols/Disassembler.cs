// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Processor;

namespace Lguest.Inspect.Symbols;

/// <summary>Instructions as text, in the AT&amp;T syntax of the kernel's sources, with names for addresses.</summary>
public sealed class Disassembler : ISymbolResolver
{
    private const int LongestInstruction = 15;
    private readonly SymbolTable _symbols;
    private readonly GasFormatter _formatter;
    private readonly StringOutput _output = new();

    /// <summary>A disassembler.</summary>
    public Disassembler(SymbolTable symbols)
    {
        _symbols = symbols;
        _formatter = new GasFormatter(new FormatterOptions { HexPrefix = "0x", UppercaseHex = false, SmallHexNumbersInDecimal = false }, this);
    }

    /// <summary>The instruction that a guest is about to execute.</summary>
    public string At(IDebugPort guest)
    {
        Span<byte> bytes = stackalloc byte[LongestInstruction];
        uint eip = guest.Registers.Eip;
        int count = guest.ReadLinear(guest.Registers.Segment(SegmentName.Cs).Base + eip, bytes);
        return count == 0 ? "(not mapped)" : One(bytes[..count], eip, Is32(guest)).Text;
    }

    /// <summary>Instructions from some bytes, up to the last whole one.</summary>
    public IEnumerable<(uint Eip, int Length, string Text)> All(byte[] bytes, uint eip, bool is32 = true)
    {
        for (int at = 0; at < bytes.Length;)
        {
            (int length, string text) = One(bytes.AsSpan(at), eip + (uint)at, is32);
            if (length == 0)
                yield break;
            yield return (eip + (uint)at, length, text);
            at += length;
        }
    }

    /// <summary>Whether a guest's code segment is a 32-bit one.</summary>
    public static bool Is32(IDebugPort guest) => (guest.Registers.Segment(SegmentName.Cs).Attributes & SegmentLoad.BigBit) != 0;

    /// <inheritdoc/>
    public bool TryGetSymbol(in Instruction instruction, int operand, int instructionOperand, ulong address, int addressSize, out SymbolResult symbol)
    {
        // Small numbers are numbers, whatever lies there.
        const ulong firstAddress = 0x10000;
        if (address >= firstAddress && address <= uint.MaxValue && _symbols.TryFind((uint)address, out Symbol found))
        {
            symbol = new SymbolResult(found.Address, found.Name);
            return true;
        }

        symbol = default;
        return false;
    }

    private (int Length, string Text) One(ReadOnlySpan<byte> bytes, uint eip, bool is32)
    {
        Decoder decoder = Decoder.Create(is32 ? 32 : 16, new ByteArrayCodeReader(bytes[..Math.Min(bytes.Length, LongestInstruction)].ToArray()), eip);
        decoder.Decode(out Instruction instruction);
        if (decoder.LastError == DecoderError.NoMoreBytes)
            return (0, "(cut)");
        if (instruction.IsInvalid)
            return (1, "(bad)");
        _formatter.Format(in instruction, _output);
        return (instruction.Length, _output.ToStringAndReset());
    }
}
