// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Engine.Native;

/// <summary>What the kernel lets programs do with the processor.</summary>
internal static partial class HardwareCapabilities
{
    private const nuint AtHwCap2 = 26;
    private const nuint FsGsBaseBit = 2;

    /// <summary>WRGSBASE and its relatives, which a processor may have and a kernel forbid.</summary>
    public static bool HasFsGsBase { get; } = (getauxval(AtHwCap2) & FsGsBaseBit) != 0;

    // Tmds.LibC does not have it.
    [LibraryImport("libc")]
    private static partial nuint getauxval(nuint type);
}
