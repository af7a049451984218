// SPDX-License-Identifier: GPL-2.0-or-later
using FsCheck;
using FsCheck.Fluent;
using Lguest.Engine.Cpu;

namespace Lguest.Tests.EngineParts;

/// <summary>The two words that stand for six flags, against arithmetic that is wide enough to see carries.</summary>
public sealed class LazyFlagsTests
{
    private static readonly uint[] s_bits = [EFlags.Carry, EFlags.Parity, EFlags.Adjust, EFlags.Zero, EFlags.Sign, EFlags.Overflow];

    // Carries are about the ends of ranges: values there as often as anywhere.
    private static readonly Arbitrary<uint> s_values = Gen.Frequency(
        (3, Gen.Elements(0u, 1u, 7u, 8u, 15u, 16u, 0x7Fu, 0x80u, 0xFFu, 0x7FFFu, 0x8000u, 0xFFFFu, 0x7FFF_FFFFu, 0x8000_0000u, 0xFFFF_FFFEu, 0xFFFF_FFFFu)),
        (2, Gen.Choose(int.MinValue, int.MaxValue).Select(value => (uint)value))).ToArbitrary();

    [Fact]
    public void EveryCombinationSurvives()
    {
        for (uint combination = 0; combination < 64; combination++)
        {
            uint flags = 0;
            for (int bit = 0; bit < s_bits.Length; bit++)
            {
                if ((combination >> bit & 1) != 0)
                    flags |= s_bits[bit];
            }

            // Other bits of EFLAGS are none of its business.
            LazyFlags.Load(flags | ~EFlags.Arithmetic, out int result, out uint aux);
            Assert.Equal(flags, LazyFlags.Materialize(result, aux));
            Assert.Equal(flags & EFlags.Carry, LazyFlags.Carry(aux));
            Assert.Equal((flags & EFlags.Overflow) != 0, LazyFlags.Overflow(aux));
            Assert.Equal((flags & EFlags.Sign) != 0, LazyFlags.Sign(result, aux));
            Assert.Equal((flags & EFlags.Parity) != 0, LazyFlags.Parity(result, aux));
            Assert.Equal((flags & EFlags.Sign) != 0 != ((flags & EFlags.Overflow) != 0), LazyFlags.Less(result, aux));
            Assert.Equal((flags & EFlags.Zero) != 0, result == 0);
        }
    }

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(32)]
    public void AdditionAgreesWithWideArithmetic(int width) => Check(width, subtract: false);

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(32)]
    public void SubtractionAgreesWithWideArithmetic(int width) => Check(width, subtract: true);

    private static void Check(int width, bool subtract) => Prop
        .ForAll(s_values, s_values, (a, b) => Lazy(width, subtract, a, b, 0) == Wide(width, subtract, a, b, 0) && Lazy(width, subtract, a, b, 1) == Wide(width, subtract, a, b, 1))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    private static uint Lazy(int width, bool subtract, uint a, uint b, uint carry)
    {
        uint mask = width == 32 ? uint.MaxValue : (1u << width) - 1;
        a &= mask;
        b &= mask;
        uint result = subtract ? a - b - carry : a + b + carry;
        int shift = 32 - width;
        uint aux;
        if (width == 32)
        {
            aux = subtract ? LazyFlags.SubtractBorrows(a, b, result) : LazyFlags.AddCarries(a, b, result);
        }
        else
        {
            uint carries = subtract ? (~a & b) | ((~a | b) & result) : (a & b) | ((a | b) & ~result);
            aux = LazyFlags.Narrow(carries, shift);
        }

        return LazyFlags.Materialize((int)(result << shift) >> shift, aux);
    }

    private static uint Wide(int width, bool subtract, uint a, uint b, uint carry)
    {
        long mask = (1L << width) - 1;
        long top = 1L << (width - 1);
        long first = a & mask;
        long second = b & mask;
        long full = subtract ? first - second - carry : first + second + carry;
        long signed = subtract ? Signed(first) - Signed(second) - carry : Signed(first) + Signed(second) + carry;
        long nibble = subtract ? (first & 0xF) - (second & 0xF) - carry : (first & 0xF) + (second & 0xF) + carry;
        uint flags = 0;
        flags |= full < 0 || full > mask ? EFlags.Carry : 0;
        flags |= signed < -top || signed >= top ? EFlags.Overflow : 0;
        flags |= nibble is < 0 or > 15 ? EFlags.Adjust : 0;
        flags |= (full & mask) == 0 ? EFlags.Zero : 0;
        flags |= (full & top) != 0 ? EFlags.Sign : 0;
        flags |= Enumerable.Range(0, 8).Count(bit => (full >> bit & 1) != 0) % 2 == 0 ? EFlags.Parity : 0;
        return flags;

        long Signed(long value) => (value & top) != 0 ? value - (top * 2) : value;
    }
}
