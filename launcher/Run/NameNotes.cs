// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi.Generations;
using Lguest.Launcher.Kernel;

namespace Lguest.Launcher.Run;

/// <summary>What the user should know of words that name a device as another release of Linux calls it.</summary>
internal static class NameNotes
{
    /// <summary>The notes, if any.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="commandLine">The words for it.</param>
    public static IEnumerable<string> Of(KernelImage kernel, string commandLine)
    {
        // A kernel without a release is one of our own; the seed's has other names again, and few who would not know.
        if (kernel.Release == null || kernel.Series == KernelSeries.Seed200702)
            yield break;
        (string disk, string other) = kernel.Series.Devices == DeviceBusKind.Dma ? ("lgb", "vd") : ("vd", "lgb");
        foreach (string word in commandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            string prefix = "root=/dev/" + other;
            if (word.StartsWith(prefix, StringComparison.Ordinal))
                yield return $"note: the disks of kernel '{kernel.Path}' (Linux {kernel.Release}) are /dev/{disk}a, /dev/{disk}b and so on: instead of {word} it needs root=/dev/{disk}{word[prefix.Length..]}";
        }
    }
}
