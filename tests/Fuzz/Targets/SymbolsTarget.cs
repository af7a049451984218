// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Inspect.Symbols;
using Lguest.Launcher.Common;
using Lguest.Launcher.Kernel;
using Lguest.Tests.Support;

namespace Lguest.Tests.Fuzz.Targets;

/// <summary>Symbol tables: of an ELF file, of which nothing is refused, and a System.map.</summary>
internal sealed class SymbolsTarget : IFuzzTarget
{
    private readonly string _path = Path.Combine(new TemporaryDirectory().Path, "symbols");

    public IEnumerable<byte[]> Seeds
    {
        get
        {
            yield return "c0100000 T _stext\nc0100040 t rest_init\r\nc0100080 D jiffies\n"u8.ToArray();
            yield return SmallElf();
            if (Needs.WhyNot([Need.Guests]) == null)
                yield return File.ReadAllBytes(Needs.Guest("conformance/hello"));
        }
    }

    public IReadOnlyList<byte[]> Words { get; } = ["\nffffffff T x\n"u8.ToArray(), " A "u8.ToArray(), [2, 0, 0, 0], [0xF1, 0xFF], [0x1B, (byte)'[']];

    public int LongestCase => 64 << 10;

    public ulong Run(byte[] bytes)
    {
        File.WriteAllBytes(_path, bytes);
        Signature signature = new();
        SymbolTable elf = ElfSymbols.Read(_path);
        Look(elf, ref signature);
        try
        {
            Look(SystemMapFile.Read(_path), ref signature);
        }
        catch (LaunchException refusal)
        {
            signature.AddSentence(refusal.Message);
        }

        return signature.Value;
    }

    private static void Look(SymbolTable table, ref Signature signature)
    {
        signature.AddCount(table.Count);
        foreach (uint address in (ReadOnlySpan<uint>)[0, 1, 0xC010_0000, 0xC010_0041, uint.MaxValue])
        {
            string name = table.Format(address);
            foreach (char c in name)
            {
                if (char.IsControl(c))
                    throw new FuzzFindException("a name has a control character in it");
            }

            signature.AddCount(name.Length);
        }
    }

    /// <summary>Headers, three sections (none, symbols, names), three symbols.</summary>
    private static byte[] SmallElf()
    {
        byte[] file = new byte[52 + (3 * 40) + (3 * 16) + 32];
        "\u007fELF\u0001\u0001\u0001"u8.CopyTo(file);
        Word(32, 52);
        file[46] = 40;
        file[48] = 3;
        const int symbols = 52 + (3 * 40);
        const int names = symbols + (3 * 16);
        Section(1, 2, symbols, 3 * 16, 2);
        Section(2, 3, names, 32, 0);
        for (int i = 1; i < 3; i++)
        {
            Word(symbols + (i * 16), (uint)(1 + ((i - 1) * 6)));
            Word(symbols + (i * 16) + 4, 0xC010_0000 + ((uint)i * 64));
            file[symbols + (i * 16) + 12] = 2;
            file[symbols + (i * 16) + 14] = 1;
        }

        "\0start\0main\0"u8.CopyTo(file.AsSpan(names));
        return file;

        void Section(int number, uint type, uint offset, uint size, uint link)
        {
            int at = 52 + (number * 40);
            Word(at + 4, type);
            Word(at + 16, offset);
            Word(at + 20, size);
            Word(at + 24, link);
        }

        void Word(int at, uint value) => System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
    }
}
