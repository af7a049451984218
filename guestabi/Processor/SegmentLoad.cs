// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Processor;

/// <summary>What a segment descriptor says (Intel SDM vol. 3, 3.4.5), taken apart.</summary>
public static class SegmentLoad
{
    /// <summary>Type bit: code (else data).</summary>
    public const uint CodeBit = 0x08;

    /// <summary>Type bit: conforming code, or data that expands down.</summary>
    public const uint ConformingOrExpandDownBit = 0x04;

    /// <summary>Type bit: readable code, or writable data.</summary>
    public const uint ReadableOrWritableBit = 0x02;

    /// <summary>S: code or data, no system segment.</summary>
    public const uint NonSystemBit = 0x10;

    /// <summary>P.</summary>
    public const uint PresentBit = 0x80;

    /// <summary>Both bits of the DPL: set in segments of ring 3.</summary>
    public const uint DplMask = 0x60;

    /// <summary>D/B: 32-bit code or stack.</summary>
    public const uint BigBit = 0x4000;

    /// <summary>G: the limit counts pages.</summary>
    public const uint GranularityBit = 0x8000;

    /// <summary>Attributes of a descriptor: its bits 40–55.</summary>
    public static uint Attributes(ulong descriptor) => (uint)(descriptor >> 40) & 0xF0FF;

    /// <summary>DPL of attributes.</summary>
    public static uint Dpl(uint attributes) => (attributes >> 5) & 3;

    /// <summary>The base address.</summary>
    public static uint Base(ulong descriptor) =>
        (uint)((descriptor >> 16) & 0xFF_FFFF) | ((uint)(descriptor >> 56) << 24);

    /// <summary>The limit in bytes.</summary>
    public static uint Limit(ulong descriptor)
    {
        uint limit = (uint)(descriptor & 0xFFFF) | ((uint)(descriptor >> 32) & 0xF_0000);
        return (Attributes(descriptor) & GranularityBit) != 0 ? (limit << 12) | 0xFFF : limit;
    }

    /// <summary>Fills a segment register from a descriptor; a null selector makes it unusable.</summary>
    public static void SetHidden(ref SegmentRegister segment, uint selector, ulong descriptor)
    {
        segment.Selector = selector & 0xFFFF;
        if ((selector & 0xFFFC) == 0)
        {
            segment.Base = 0;
            segment.Limit = 0;
            segment.Attributes = 0;
            return;
        }

        segment.Base = Base(descriptor);
        segment.Limit = Limit(descriptor);
        segment.Attributes = Attributes(descriptor);
    }
}
