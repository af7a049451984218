// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Processor;

/// <summary>The segment registers, in the processor's own numbering.</summary>
public enum SegmentName
{
    /// <summary>%es.</summary>
    Es,

    /// <summary>%cs.</summary>
    Cs,

    /// <summary>%ss.</summary>
    Ss,

    /// <summary>%ds.</summary>
    Ds,

    /// <summary>%fs.</summary>
    Fs,

    /// <summary>%gs.</summary>
    Gs,
}
