// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Engine.Cpu;

/// <summary>A segment register's content that may be loaded without asking. 32 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
public struct SegmentCandidate
{
    /// <summary>Selector and hidden part.</summary>
    public SegmentRegister Segment;

    /// <summary>See <see cref="TranslatorScratch.FsBias"/>.</summary>
    public ulong Bias;

    /// <summary>The selector, negated.</summary>
    public uint Negated;
}
