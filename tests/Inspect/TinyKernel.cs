// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace Lguest.Tests.Inspect;

/// <summary>An ELF file that a launcher takes for a 2.6.23 kernel, with a few bytes of code.</summary>
internal static class TinyKernel
{
    private const uint PageOffset = 0xC000_0000;
    private const uint Load = 0x100000;
    private const int HeadersSize = 84;

    /// <summary>The file: its code is entered after the mark that says where the entry is.</summary>
    public static byte[] Elf(params ReadOnlySpan<byte> code)
    {
        byte[] body = [.. "Linux version 2.6.23\0GenuineLguest"u8, .. code, .. new byte[64]];
        byte[] file = new byte[HeadersSize + body.Length];
        "\u007fELF\u0001\u0001\u0001"u8.CopyTo(file);
        Half(16, 2);
        Half(18, 3);
        Word(20, 1);
        Word(24, Load);
        Word(28, 52);
        Half(40, 52);
        Half(42, 32);
        Half(44, 1);
        Word(52, 1);
        Word(56, HeadersSize);
        Word(60, PageOffset + Load);
        Word(64, Load);
        Word(68, (uint)body.Length);
        Word(72, (uint)body.Length);
        Word(76, 7);
        Word(80, 4096);
        body.CopyTo(file, HeadersSize);
        return file;

        void Word(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);

        void Half(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at), value);
    }
}
