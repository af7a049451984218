// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.GuestAbi;

/// <summary>What a block request asks for.</summary>
public enum BlockRequestType
{
    /// <summary>From disk to the guest's reply buffer.</summary>
    Read = 0,

    /// <summary>From the DMA that was sent to disk.</summary>
    Write = 1,
}

/// <summary>How a block request ended.</summary>
public enum BlockResult
{
    /// <summary>Not yet.</summary>
    Pending = 0,

    /// <summary>Every byte asked for was transferred.</summary>
    Ok = 1,

    /// <summary>Something went wrong.</summary>
    Error = 2,
}

/// <summary><c>struct lguest_block_page</c>: the one page of a block device, 20 bytes used (abi.md §6.4).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
public struct BlockPage
{
    /// <summary>Bytes in a sector.</summary>
    public const int SectorSize = 512;

    /// <summary>Read or write.</summary>
    public BlockRequestType Type;

    /// <summary>First sector of the request.</summary>
    public uint Sector;

    /// <summary>Bytes the guest expects to be transferred.</summary>
    public uint Bytes;

    /// <summary>Written by the host when done.</summary>
    public BlockResult Result;

    /// <summary>Length of the device in sectors, set by the host.</summary>
    public uint NumSectors;
}
