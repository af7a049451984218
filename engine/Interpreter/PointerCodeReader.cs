// SPDX-License-Identifier: GPL-2.0-or-later
using Iced.Intel;

namespace Lguest.Engine.Interpreter;

/// <summary>Feeds the decoder from guest memory: the rest of a page, or of an instruction that crosses into the next.</summary>
internal sealed unsafe class PointerCodeReader : CodeReader
{
    /// <summary>What this processor takes prefixes for: it has no TZCNT, LZCNT or WBNOINVD, but what they were before.</summary>
    public const DecoderOptions Processor = DecoderOptions.NoMPFX_0FBC | DecoderOptions.NoMPFX_0FBD | DecoderOptions.NoWbnoinvd;

    private byte* _next;
    private byte* _end;

    /// <summary>Whether the decoder asked for more than there was.</summary>
    public bool RanOut { get; private set; }

    /// <summary>Starts anew.</summary>
    public void Reset(byte* from, int length)
    {
        _next = from;
        _end = from + length;
        RanOut = false;
    }

    /// <inheritdoc/>
    public override int ReadByte()
    {
        if (_next < _end)
            return *_next++;
        RanOut = true;
        return -1;
    }
}
