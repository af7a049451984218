// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;

namespace Lguest.Tests.Differential;

/// <summary>
/// Linear addresses that a snippet sees, the same natively and in the interpreter. Each group of pages has unmapped ones around
/// it. One file (or guest memory) holds them all, in the order of <see cref="Pages"/>.
/// </summary>
internal static class Layout
{
    public const uint PageSize = 4096;

    /// <summary>One executable page.</summary>
    public const uint Code = 0x2000_0000;

    /// <summary>Two writable pages, then one that is not.</summary>
    public const uint Data = 0x2001_0000;

    public const uint WritableBytes = 2 * PageSize;

    public const uint DataBytes = 3 * PageSize;

    /// <summary>One writable page.</summary>
    public const uint Stack = 0x2002_0000;

    /// <summary>Bytes of data and stack: what a snippet can change and what is compared.</summary>
    public const int ImageBytes = (int)(DataBytes + PageSize);

    /// <summary>%gs: base <see cref="Data"/>, limit of the three data pages, so that 16-bit addresses find something.</summary>
    public const uint GsLimit = DataBytes - 1;

    /// <summary>
    /// Where a snippet's end jumps to, far: natively back to 64-bit code. In the interpreter the same selector names a data
    /// segment, so that the jump faults; the bytes are the same for both, since a snippet may come to read them.
    /// </summary>
    public const uint Exit = 0x3B5F_0000;

    public const ushort ExitSelector = 0x33;

    /// <summary>Bytes of that jump.</summary>
    public const int TerminatorBytes = 7;

    /// <summary>Writes the jump.</summary>
    public static void WriteTerminator(Span<byte> target) => WriteFarJump(target, Exit, ExitSelector);

    /// <summary>A far jump of 32-bit code.</summary>
    public static void WriteFarJump(Span<byte> target, uint address, ushort selector)
    {
        target[0] = 0xEA;
        BinaryPrimitives.WriteUInt32LittleEndian(target[1..], address);
        BinaryPrimitives.WriteUInt16LittleEndian(target[5..], selector);
    }

    /// <summary>Where a linear address is in an image of data and stack; −1 when it is in neither.</summary>
    public static int ImageOffset(uint linear)
    {
        if (linear - Data < DataBytes)
            return (int)(linear - Data);
        return linear - Stack < PageSize ? (int)(DataBytes + (linear - Stack)) : -1;
    }

    /// <summary>Where each page of the file is seen, and whether it can be written.</summary>
    public static IReadOnlyList<(uint Linear, bool Writable)> Pages { get; } =
    [
        (Code, false), (Data, true), (Data + PageSize, true), (Data + (2 * PageSize), false), (Stack, true),
    ];
}
