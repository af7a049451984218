// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;

namespace Lguest.Launcher.Memory;

/// <summary>What the user should know of memory that the guest will not use, though it gets it.</summary>
public static class MemoryNotes
{
    /// <summary>The notes, if any.</summary>
    /// <param name="layout">The guest's memory.</param>
    /// <param name="commandLine">The words for its kernel.</param>
    public static IEnumerable<string> Of(GuestLayout layout, string commandLine)
    {
        // A kernel without a release is one of our own, which reads the whole memory map.
        if (layout.Kernel.Release == null)
            yield break;
        if (layout.Banks.All.Count > 1 && !commandLine.Contains("memmap=", StringComparison.Ordinal))
        {
            IEnumerable<string> words = layout.Banks.All.Skip(1).Select(bank => $"memmap={bank.Length >> 10}K@{bank.Start >> 10}K");
            yield return $"note: a Linux guest uses its lowest memory bank only, unless its words name the others: {string.Join(' ', words)}";
        }

        if (layout.Kernel.ReachesUpTo < layout.Banks.Top)
            yield return $"note: kernel '{layout.Kernel.Path}' was built without HIGHMEM, and uses some {layout.Kernel.ReachesUpTo >> 20} MiB of its memory only";
    }
}
