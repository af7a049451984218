// SPDX-License-Identifier: GPL-2.0-or-later
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Lguest.Engine.Cpu;

// [I:170] Flags that are hardly ever looked at
/// <summary>
/// The six arithmetic flags without working them out. Most instructions set all of them and most of those are never looked
/// at, so an instruction leaves just two words behind: its result, sign-extended to 32 bits, and a word of carries
/// (<c>aux</c>). ZF and SF are in the result, PF in its low byte; of the carries only three matter:
/// <list type="bullet">
/// <item>bit 31: the carry (or borrow) out of the top bit: CF;</item>
/// <item>bit 30: the carry into the top bit: OF is bit 31 xor bit 30;</item>
/// <item>bit 3: the carry out of the low nibble: AF.</item>
/// </list>
/// Two corrections let every combination be expressed, even those that no instruction but <c>popf</c> makes (zero and
/// negative at once): bit 0 flips SF, and bits 8–15 are xored to the byte that PF looks at.
/// </summary>
public static class LazyFlags
{
    private const uint AdjustCarry = 0x8;
    private const uint CarryMask = 0xC000_0008;

    /// <summary>CF as 0 or 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Carry(uint aux) => aux >> 31;

    /// <summary>OF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Overflow(uint aux) => (int)(aux ^ (aux << 1)) < 0;

    /// <summary>SF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Sign(int result, uint aux) => (int)((uint)result ^ (aux << 31)) < 0;

    /// <summary>SF differs from OF: the signed comparison "less".</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Less(int result, uint aux) => (int)((uint)result ^ (aux << 31) ^ aux ^ (aux << 1)) < 0;

    /// <summary>PF: an even number of ones in the low byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Parity(int result, uint aux) => (BitOperations.PopCount((byte)((uint)result ^ (aux >> 8))) & 1) == 0;

    /// <summary>The carries of an addition of 32-bit values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint AddCarries(uint a, uint b, uint result) => ((a & b) | ((a | b) & ~result)) & CarryMask;

    /// <summary>The borrows of a subtraction of 32-bit values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint SubtractBorrows(uint a, uint b, uint result) => ((~a & b) | ((~a | b) & result)) & CarryMask;

    /// <summary>The carries of a narrower addition or subtraction, its top bit moved to bit 31.</summary>
    /// <param name="carries">Unmasked carries, top bit at the operand's own top.</param>
    /// <param name="shift">32 minus the operand's width.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Narrow(uint carries, int shift) => ((carries << shift) & 0xC000_0000) | (carries & AdjustCarry);

    /// <summary>An aux word from separate flags, for results whose sign and parity are their own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Make(uint carry, uint overflow, uint adjust) => (carry << 31) | ((carry ^ overflow) << 30) | (adjust << 3);

    /// <summary>The six flags, at their places in EFLAGS.</summary>
    public static uint Materialize(int result, uint aux)
    {
        uint flags = Carry(aux) | ((aux & AdjustCarry) << 1);
        if (result == 0)
            flags |= EFlags.Zero;
        if (Sign(result, aux))
            flags |= EFlags.Sign;
        if (Overflow(aux))
            flags |= EFlags.Overflow;
        if (Parity(result, aux))
            flags |= EFlags.Parity;
        return flags;
    }

    /// <summary>Sets the two words from flags at their places in EFLAGS.</summary>
    public static void Load(uint flags, out int result, out uint aux)
    {
        // A result of 1 is neither zero nor negative, of odd parity; a result of 0 zero, of even parity.
        bool zero = (flags & EFlags.Zero) != 0;
        result = zero ? 0 : 1;
        uint carry = flags & EFlags.Carry;
        uint overflow = (flags & EFlags.Overflow) != 0 ? 1u : 0;
        aux = Make(carry, overflow, (flags & EFlags.Adjust) != 0 ? 1u : 0);
        if ((flags & EFlags.Sign) != 0)
            aux |= 1;
        if ((flags & EFlags.Parity) != 0 != zero)
            aux |= 0x100;
    }
}
