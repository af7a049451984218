// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Lguest.Inspect.Symbols;

/// <summary>
/// Reads the symbol table of a 32-bit ELF file. A kernel without one, a bzImage, or a damaged table is no reason not to run
/// the guest: then there are no names.
/// </summary>
public static class ElfSymbols
{
    private const int SectionHeaderSize = 40;
    private const int SymbolSize = 16;
    private const uint SymbolTableSection = 2;
    private const int TypeFunction = 2;
    private const uint ExecutableFlag = 4;
    private const uint Undefined = 0;
    private const uint FirstReservedSection = 0xFF00;
    private const uint Absolute = 0xFFF1;

    /// <summary>Opens a file to read it later; null when it cannot be opened.</summary>
    public static SafeFileHandle? Open(string path)
    {
        try
        {
            return File.OpenHandle(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Reads what there is.</summary>
    public static SymbolTable Read(string path)
    {
        using SafeFileHandle? file = Open(path);
        return Read(file);
    }

    /// <summary>Reads what there is in an opened file, or nothing when there is none.</summary>
    public static SymbolTable Read(SafeFileHandle? file)
    {
        if (file == null)
            return SymbolTable.Empty;
        try
        {
            byte[] bytes = new byte[RandomAccess.GetLength(file)];
            int length = 0;
            for (int count = 1; count > 0; length += count)
                count = RandomAccess.Read(file, bytes.AsSpan(length), length);
            return Read(bytes.AsSpan(0, length));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            return SymbolTable.Empty;
        }
    }

    /// <summary>Reads from the bytes of a file.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The tables point outside of the file.</exception>
    internal static SymbolTable Read(ReadOnlySpan<byte> file)
    {
        if (file.Length < 52 || !file.StartsWith("\u007fELF\u0001\u0001"u8))
            return SymbolTable.Empty;
        int headers = (int)Word(file, 32);
        int count = Half(file, 48);
        if (headers == 0 || Half(file, 46) != SectionHeaderSize)
            return SymbolTable.Empty;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> header = file.Slice(headers + (i * SectionHeaderSize), SectionHeaderSize);
            if (Word(header, 4) == SymbolTableSection)
            {
                ReadOnlySpan<byte> names = Section(file, file.Slice(headers + ((int)Word(header, 24) * SectionHeaderSize), SectionHeaderSize));
                return new SymbolTable(Symbols(Section(file, header), names, ExecutableSections(file, headers, count)));
            }
        }

        return SymbolTable.Empty;
    }

    /// <summary>The sections with code, by number, with the first address after each.</summary>
    private static Dictionary<uint, uint> ExecutableSections(ReadOnlySpan<byte> file, int headers, int count)
    {
        Dictionary<uint, uint> executable = [];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> header = file.Slice(headers + (i * SectionHeaderSize), SectionHeaderSize);
            if ((Word(header, 8) & ExecutableFlag) != 0)
                executable.Add((uint)i, unchecked(Word(header, 12) + Word(header, 20)));
        }

        return executable;
    }

    private static List<Symbol> Symbols(ReadOnlySpan<byte> table, ReadOnlySpan<byte> names, Dictionary<uint, uint> executable)
    {
        List<Symbol> symbols = [];
        for (; table.Length >= SymbolSize; table = table[SymbolSize..])
        {
            int type = table[12] & 0xF;
            uint section = Half(table, 14);
            int name = (int)Word(table, 0);

            // Objects, functions, and what assembly leaves without a type; absolute "symbols" are numbers, not addresses.
            if (type > 2 || section == Undefined || (section >= FirstReservedSection && section != Absolute) || name <= 0 || name >= names.Length)
                continue;
            ReadOnlySpan<byte> text = names[name..];
            int end = text.IndexOf((byte)0);
            string word = Encoding.Latin1.GetString(end < 0 ? text : text[..end]);
            uint address = Word(table, 4);
            if (word.Length == 0 || word.StartsWith(".L", StringComparison.Ordinal) || (section == Absolute && address < 0x10000))
                continue;

            // Code of assembly has no size: it reaches to the end of its section at most. What marks that end is no code.
            uint size = Word(table, 8);
            bool isCode = type == TypeFunction;
            if (type == 0 && executable.TryGetValue(section, out uint sectionEnd) && address < sectionEnd)
            {
                isCode = true;
                size = size == 0 ? sectionEnd - address : size;
            }

            symbols.Add(new Symbol(address, size, word, isCode));
        }

        return symbols;
    }

    private static ReadOnlySpan<byte> Section(ReadOnlySpan<byte> file, ReadOnlySpan<byte> header) =>
        file.Slice((int)Word(header, 16), (int)Word(header, 20));

    private static uint Word(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    private static ushort Half(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[offset..]);
}
