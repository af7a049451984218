// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Memory;

// [I:200] Code that changes
// Decoded instructions are a copy, and the bytes that they came from can change: a program is loaded, a kernel patches itself, a
// disk reads over it. Each engine keeps a word for each page of memory, with one bit for each of its 64-byte pieces: something was
// decoded here. Such a page is never "writable" in the table of [I:180], so that every write to it comes the slow way, where this
// word is looked at, and what was made of those bytes is dropped (`CodeWillChange`, the translator's `WillChange`).
/// <summary>
/// Which of a frame's 64 granules of 64 bytes hold code that something was made of, as the bits of a word: what both engines ask
/// before they let a write pass.
/// </summary>
internal static class CodeGranules
{
    private const int Shift = 6;

    /// <summary>The granules that bytes of one frame lie in.</summary>
    /// <param name="offset">Of the first byte in its frame.</param>
    /// <param name="size">Bytes, at least 1, none beyond the frame.</param>
    public static ulong Mask(uint offset, int size)
    {
        int first = (int)(offset >> Shift);
        int last = (int)((offset + (uint)size - 1) >> Shift);
        return ulong.MaxValue << first & ulong.MaxValue >> (63 - last);
    }
}
