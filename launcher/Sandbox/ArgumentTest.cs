// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Sandbox;

/// <summary>
/// What one argument of a system call must be: its value under a mask. A filter sees registers, never the memory that they point
/// to. Arguments that the kernel takes for 32-bit numbers are compared as such: it does not look at the upper half either.
/// </summary>
/// <param name="Word">Which half of which argument: twice its number for the lower half, one more for the upper one.</param>
/// <param name="Mask">The bits that count.</param>
/// <param name="Value">What they must be.</param>
internal readonly record struct ArgumentTest(int Word, uint Mask, uint Value)
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
}
