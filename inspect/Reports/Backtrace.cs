// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Processor;
using Lguest.Inspect.Symbols;

namespace Lguest.Inspect.Reports;

/// <summary>Who called whom, from the frame pointers that code leaves on its stack.</summary>
public static class Backtrace
{
    /// <summary>A kernel's stack is no larger than this.</summary>
    private const uint StackSpan = 0x4000;

    /// <summary>Walks the frame pointers.</summary>
    /// <param name="guest">The guest, at rest.</param>
    /// <param name="symbols">An address that they do not know as code ends the walk: it is no return address.</param>
    /// <param name="most">Frames at most.</param>
    /// <returns>EIP, then return addresses, innermost first.</returns>
    public static List<uint> Frames(IDebugPort guest, SymbolTable symbols, int most)
    {
        List<uint> frames = [guest.Registers.Eip];
        uint stack = guest.Registers[GeneralRegister.Esp];
        uint frame = guest.Registers[GeneralRegister.Ebp];
        uint low = stack;
        while (frames.Count < most && frame >= low && frame - stack < StackSpan && frame % sizeof(uint) == 0)
        {
            if (Word(guest, frame) is not { } caller || Word(guest, frame + sizeof(uint)) is not { } address)
                break;
            if (address == 0 || (symbols.Count > 0 && !IsCode(symbols, address - 1)))
                break;
            frames.Add(address);
            low = frame + (2 * sizeof(uint));
            frame = caller;
        }

        return frames;
    }

    /// <summary>
    /// Words of the stack that name code right after a call: what may have been return addresses. All that there is of a kernel
    /// that was built without frame pointers.
    /// </summary>
    /// <param name="guest">The guest, at rest.</param>
    /// <param name="symbols">What is code.</param>
    /// <param name="words">How far to look.</param>
    public static List<uint> Candidates(IDebugPort guest, SymbolTable symbols, int words)
    {
        List<uint> found = [];
        uint stack = guest.Registers.Segment(SegmentName.Ss).Base + guest.Registers[GeneralRegister.Esp];
        for (int i = 0; i < words; i++)
        {
            if (Word(guest, stack + (uint)(i * sizeof(uint))) is not { } word)
                break;
            if (IsCode(symbols, word - 1) && IsAfterCall(guest, word))
                found.Add(word);
        }

        return found;
    }

    /// <summary>Whether a symbol with code covers an address.</summary>
    private static bool IsCode(SymbolTable symbols, uint address) =>
        symbols.TryFind(address, out Symbol symbol) && symbol.IsCode;

    /// <summary>Whether the bytes before an address are a near call: relative, or through a register or memory (FF /2).</summary>
    private static bool IsAfterCall(IDebugPort guest, uint address)
    {
        const int longest = 7;
        Span<byte> before = stackalloc byte[longest];
        if (guest.ReadLinear(address - longest, before) < longest)
            return false;
        if (before[^5] == 0xE8)
            return true;
        for (int length = 2; length <= longest; length++)
        {
            if (before[^length] == 0xFF && (before[longest - length + 1] & 0x38) == 0x10 && IndirectCallLength(before[(longest - length + 1)..]) == length)
                return true;
        }

        return false;
    }

    /// <summary>Bytes of an indirect call, by those after its opcode.</summary>
    private static int IndirectCallLength(ReadOnlySpan<byte> operand)
    {
        int mode = operand[0] >> 6;
        int register = operand[0] & 7;
        if (mode == 3)
            return 2;
        bool hasIndex = register == 4;
        int displacement = mode switch { 1 => 1, 2 => 4, _ => register == 5 || (hasIndex && operand.Length > 1 && (operand[1] & 7) == 5) ? 4 : 0 };
        return 2 + (hasIndex ? 1 : 0) + displacement;
    }

    private static uint? Word(IDebugPort guest, uint linear) => guest.ReadLinearWord(linear);
}
