// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Sandbox;

/// <summary>
/// What one argument of a system call must be: its value under a mask. A filter sees registers, never the memory that they point
/// to. Arguments that the kernel takes for 32-bit numbers are compared as such: it does not look at the upper half either.
/// </summary>
/// <param name="Word">Which half of which argument: twice its number for the lower half, one more for the upper one.</param>
/// <param name="Mask">The bits that count.</param>
/// <param name="Value">What they are compared with.</param>
/// <param name="Comparison">How.</param>
internal readonly record struct ArgumentTest(int Word, uint Mask, uint Value, ArgumentComparison Comparison = ArgumentComparison.Equal)
{
    /// <summary>A 32-bit argument has this value.</summary>
    public static ArgumentTest Is(int argument, uint value) => new(2 * argument, uint.MaxValue, value);

    /// <summary>None of these bits is set in an argument's lower half.</summary>
    public static ArgumentTest Without(int argument, uint bits) => new(2 * argument, bits, 0);

    /// <summary>All of these bits are set in an argument's lower half.</summary>
    public static ArgumentTest With(int argument, uint bits) => new(2 * argument, bits, bits);

    /// <summary>A pointer, all 64 bits of it.</summary>
    public static ArgumentTest[] IsPointer(int argument, nint value) =>
        [new(2 * argument, uint.MaxValue, (uint)value), new((2 * argument) + 1, uint.MaxValue, (uint)((ulong)value >> 32))];

    /// <summary>A pointer into a range that does not cross a multiple of 4 GiB.</summary>
    public static ArgumentTest[] PointsInto(int argument, (nint Start, nint End) range) =>
    [
        new((2 * argument) + 1, uint.MaxValue, (uint)((ulong)range.Start >> 32)),
        new(2 * argument, uint.MaxValue, (uint)range.Start, ArgumentComparison.AtLeast),
        new(2 * argument, uint.MaxValue, (uint)range.End, ArgumentComparison.Below),
    ];
}

/// <summary>How an argument is compared with a value.</summary>
internal enum ArgumentComparison
{
    /// <summary>It is the value.</summary>
    Equal,

    /// <summary>It is the value or more, without a sign.</summary>
    AtLeast,

    /// <summary>It is less than the value, without a sign.</summary>
    Below,
}
