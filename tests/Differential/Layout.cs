// SPDX-License-Identifier: GPL-2.0-or-later
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

    /// <summary>Bytes that end a snippet, whichever way the runner does it.</summary>
    public const int TerminatorBytes = 7;

    /// <summary>Where each page of the file is seen, and whether it can be written.</summary>
    public static IReadOnlyList<(uint Linear, bool Writable)> Pages { get; } =
    [
        (Code, false), (Data, true), (Data + PageSize, true), (Data + (2 * PageSize), false), (Stack, true),
    ];
}
