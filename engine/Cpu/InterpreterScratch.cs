// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Engine.Cpu;

/// <summary>
/// What the interpreter's handlers need beside the guest's registers, where operands that are offsets from the state can name it.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct InterpreterScratch
{
    /// <summary>Always 0: the register that an address without a base or an index adds.</summary>
    public uint Zero;

    /// <summary>A linear address worked out ahead of its instruction.</summary>
    public uint EffectiveAddress;

    /// <summary>The table of translated pages for the current privilege level.</summary>
    public byte* Tlb;

    /// <summary>The table from EIP to decoded code.</summary>
    public byte* JumpCache;

    /// <summary>What an entry of <see cref="JumpCache"/> must carry to be valid now.</summary>
    public uint JumpKey;
}
