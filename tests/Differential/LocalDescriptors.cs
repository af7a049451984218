// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Tests.Differential;

/// <summary>modify_ldt: segments of one's own for 32-bit code in a 64-bit process.</summary>
internal static unsafe partial class LocalDescriptors
{
    private const long ModifyLdt = 154;
    private const nint WriteEntry = 0x11;

    /// <summary>Makes a writable data segment with a limit in bytes.</summary>
    /// <returns>Its selector, or 0 where the kernel does not offer LDTs.</returns>
    public static ushort TryAdd(int entry, uint baseAddress, uint limit)
    {
        const uint seg32Bit = 1, useable = 1 << 6;
        uint* description = stackalloc uint[] { (uint)entry, baseAddress, limit, seg32Bit | useable };
        return syscall(ModifyLdt, WriteEntry, description, 4 * sizeof(uint)) == 0 ? (ushort)((entry << 3) | 7) : (ushort)0;
    }

    [LibraryImport("libc")]
    private static partial long syscall(long number, nint function, void* pointer, nuint bytes);
}
