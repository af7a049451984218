// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.GuestAbi.Processor;

/// <summary>A segment register with its hidden part. 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SegmentRegister
{
    /// <summary>The visible part.</summary>
    public uint Selector;

    /// <summary>Added to every offset.</summary>
    public uint Base;

    /// <summary>Highest offset (lowest minus one for an expand-down segment), in bytes.</summary>
    public uint Limit;

    /// <summary>Descriptor bits 40–55 (type and S in 0–4, DPL 5–6, P 7, AVL 12, D/B 14, G 15); 0 = unusable (null selector).</summary>
    public uint Attributes;

    /// <summary>Whether it is data whose first bytes can be read.</summary>
    /// <param name="bytes">How many, at least 1.</param>
    public readonly bool HasBeginning(uint bytes) =>
        Limit >= bytes - 1
        && (Attributes & (SegmentLoad.PresentBit | SegmentLoad.NonSystemBit | SegmentLoad.CodeBit | SegmentLoad.ConformingOrExpandDownBit))
            == (SegmentLoad.PresentBit | SegmentLoad.NonSystemBit);

    /// <summary>Whether it is writable data up to the last address: with a base of 0, one that need not be looked at.</summary>
    public readonly bool IsWide =>
        Limit == uint.MaxValue
        && (Attributes & (SegmentLoad.PresentBit | SegmentLoad.NonSystemBit | SegmentLoad.CodeBit | SegmentLoad.ConformingOrExpandDownBit | SegmentLoad.ReadableOrWritableBit))
            == (SegmentLoad.PresentBit | SegmentLoad.NonSystemBit | SegmentLoad.ReadableOrWritableBit);
}
