// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Engine.Memory.PageTables;

/// <summary>The formats of page tables that there are.</summary>
public enum PagingFormat : byte
{
    /// <summary>A page directory and tables of 1,024 entries, four bytes each.</summary>
    TwoLevel,

    /// <summary>Four pointers, directories and tables of 512 entries, eight bytes each.</summary>
    Pae,

    /// <summary>None: a linear address is a physical one.</summary>
    Linear,
}
