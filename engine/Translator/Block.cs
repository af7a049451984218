// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Engine.Translator;

/// <summary>What a block is found by: where its bytes are, where the guest sees them, and what they were translated for.</summary>
/// <param name="Physical">Guest physical address.</param>
/// <param name="Eip">Linear address.</param>
/// <param name="Mode">Ring and TS.</param>
/// <param name="Rest">
/// Ring 3, for an instruction that crosses into the next page: guest physical address of that page, which need not be the same
/// one in all address spaces that share the first; 0 when it cannot be fetched now.
/// </param>
internal readonly record struct BlockKey(uint Physical, uint Eip, TranslationMode Mode, uint Rest = 0)
{
    // Written out: what the compiler makes asks a comparer for each part, and scatters the blocks of a page over the whole table.
    public bool Equals(BlockKey other) => Physical == other.Physical && Eip == other.Eip && Mode == other.Mode && Rest == other.Rest;

    public override int GetHashCode() => (int)(Physical + ((Eip >> Page.Shift) * 0x9E37_79B1) + ((uint)Mode << 20) + Rest);
}

/// <summary>What translated code depends on beside its bytes.</summary>
[Flags]
internal enum TranslationMode : byte
{
    None = 0,

    /// <summary>Ring 3.</summary>
    User = 1,

    /// <summary>The floating point unit faults.</summary>
    TaskSwitched = 2,
}

/// <summary>How a block may be come to without asking where its bytes are.</summary>
internal enum BlockReach : byte
{
    /// <summary>By links and by the branch table.</summary>
    Any,

    /// <summary>By the branch table only.</summary>
    Table,

    /// <summary>Not at all: what it lacks may be there the next time.</summary>
    None,
}

/// <summary>A translated run of instructions.</summary>
internal sealed class Block
{
    /// <summary>What it is found by.</summary>
    public required BlockKey Key { get; init; }

    /// <summary>Where it is executed.</summary>
    public unsafe byte* Host { get; set; }

    /// <summary>Guest bytes of its first page that it was made of.</summary>
    public int Bytes { get; set; }

    /// <summary>For a block whose last instruction crosses into the next page: where its rest is.</summary>
    public uint Physical2 { get; set; }

    /// <summary>How many bytes of it.</summary>
    public int Bytes2 { get; set; }

    /// <summary>EIP after its last instruction.</summary>
    public uint End { get; set; }

    /// <summary>How it may be come to: a link knows less than a block that crosses into another page depends on.</summary>
    public BlockReach Reach { get; init; }

    /// <summary>Its bytes were written: it must not be entered any more.</summary>
    public bool Dropped { get; set; }
}
