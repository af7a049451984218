// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Cpu;

/// <summary>
/// The guest's GDT: the host's copy, since the guest only ever hands it over with LOAD_GDT and LOAD_TLS (abi.md §2.2). There is
/// no LDT.
/// </summary>
public sealed class DescriptorTable
{
    /// <summary>A present, accessed, flat 4 GiB code segment, ring 1: what a guest starts with.</summary>
    public const ulong FlatCode = 0x00CF_BB00_0000_FFFF;

    /// <summary>A present, accessed, flat 4 GiB data segment, ring 1.</summary>
    public const ulong FlatData = 0x00CF_B300_0000_FFFF;

    private readonly ulong[] _entries = new ulong[Selectors.GdtEntries];

    /// <summary>The descriptors, 8 bytes each, as the processor reads them.</summary>
    public Span<ulong> Entries => _entries;

    /// <summary>The descriptor a selector names, or null when it is the null selector, beyond the table or in an LDT.</summary>
    public bool TryGet(uint selector, out ulong descriptor)
    {
        uint index = selector >> 3;
        if ((selector & 4) != 0 || index >= Selectors.GdtEntries || index == 0)
        {
            descriptor = 0;
            return false;
        }

        descriptor = _entries[index];
        return true;
    }
}
