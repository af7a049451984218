// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Engine.Cpu;

/// <summary>A segment register's content that may be loaded without asking. 40 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public struct SegmentCandidate
{
    /// <summary>Selector and hidden part.</summary>
    public SegmentRegister Segment;

    /// <summary>See <see cref="TranslatorScratch.FsBias"/>.</summary>
    public ulong Bias;

    /// <summary>See <see cref="TranslatorScratch.FsBeginningBias"/>.</summary>
    public ulong BeginningBias;

    /// <summary>The selector, negated.</summary>
    public uint Negated;
}
