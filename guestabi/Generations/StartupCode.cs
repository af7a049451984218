// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Generations;

/// <summary>
/// What the first instructions of a kernel say of how it was built. Those that would make its page tables on a PC are there whether they
/// are executed or not (abi.md §4.6).
/// </summary>
public static class StartupCode
{
    /// <summary>How far before the first call that code is at most: it begins the kernel, of which the call is a part.</summary>
    public const uint Reach = 32 << 20;

    /// <summary>Step 8 in the directory; 512 entries of 8 bytes each.</summary>
    private static ReadOnlySpan<byte> PaeLoop => [0x83, 0xC2, 8, 0xB9, 0, 2, 0, 0, 0xAB, 0x93, 0xAB, 0x93];

    /// <summary>Step 4 in the directory; 1,024 entries of 4 bytes each.</summary>
    private static ReadOnlySpan<byte> PlainLoop => [0x83, 0xC2, 4, 0xB9, 0, 4, 0, 0, 0xAB, 5, 0, 0x10, 0, 0];

    /// <summary>Whether a kernel was built for PAE.</summary>
    /// <param name="code">The kernel, as it is in memory.</param>
    public static bool IsPae(ReadOnlySpan<byte> code) => code.IndexOf(PaeLoop) >= 0 && code.IndexOf(PlainLoop) < 0;
}
