// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

// [L:160] Who is it?
/// <summary>
/// What a kernel is, read off its loaded image: by the mark that kernels with lguest's guest code carry since 2.6.23, with the
/// entry point right after it, and by the banner that every Linux kernel carries.
/// </summary>
/// <param name="Generation">The interface that it speaks.</param>
/// <param name="Release">The release in the banner, or null.</param>
/// <param name="MarkEnd">Physical address of the byte after the mark: the entry of a 2.6.23 kernel; null without a mark.</param>
public sealed record KernelIdentity(Generation Generation, string? Release, uint? MarkEnd)
{
    private const string WhatRuns = "only Linux 2.6.23 built with CONFIG_LGUEST_GUEST=y runs here";

    private static readonly Version FirstVirtio = new(2, 6, 24);
    private static readonly Version OnlyDma = new(2, 6, 23);

    /// <summary>The seed patch was made against 2.6.20; kernels of its spring carried it.</summary>
    private static readonly Version FirstSeed = new(2, 6, 20);
    private static readonly Version LastSeed = new(2, 6, 21);

    /// <summary>In the guest code of February 2007, as its name among the paravirtual platforms; and in no kernel without that code.</summary>
    private static ReadOnlySpan<byte> SeedSign => "lguest"u8;

    /// <summary>Recognizes a kernel.</summary>
    /// <param name="file">For the messages.</param>
    /// <param name="segments">Its pieces, by address.</param>
    /// <exception cref="LaunchException">It is a kernel that no engine here can run; the message says which, and what would be.</exception>
    public static KernelIdentity Of(KernelFile file, IReadOnlyList<KernelSegment> segments)
    {
        uint? markEnd = null;
        KernelRelease? release = null;
        foreach (KernelSegment segment in segments)
        {
            if (markEnd == null)
            {
                int mark = segment.Data.AsSpan().IndexOf(BootParameters.GenuineMark);
                if (mark >= 0)
                    markEnd = segment.Address + (uint)(mark + BootParameters.GenuineMark.Length);
            }

            release ??= KernelRelease.Find(segment.Data);
        }

        Refuse(file, release);
        Version? version = release?.Number;
        if (markEnd != null)
        {
            if (version != null && version < OnlyDma)
                throw new LaunchException($"{file.Name} is Linux {release!.Text} with an lguest patch between two releases, whose interface nobody wrote down; use a 2.6.23 kernel");
            return new KernelIdentity(Generation.Linux2623, release?.Text, markEnd);
        }

        if (version > LastSeed)
            throw new LaunchException($"{file.Name} is Linux {release!.Text}, built without lguest guest support (it has no GenuineLguest mark); {WhatRuns}");
        if (!segments.Any(segment => segment.Data.AsSpan().IndexOf(SeedSign) >= 0))
        {
            throw new LaunchException(release != null
                ? $"{file.Name} is Linux {release.Text} without the lguest patch of February 2007; use one with it, or a 2.6.23 kernel built with CONFIG_LGUEST_GUEST=y"
                : $"{file.Name} is no kernel for lguest: it has neither the mark of 2.6.23 (GenuineLguest) nor the word lguest, which the kernels of February 2007 contain; {WhatRuns}");
        }

        return new KernelIdentity(Generation.Seed200702, release?.Text, null);
    }

    /// <summary>Refuses a kernel that its release alone rules out, before anything else that may be wrong with its file.</summary>
    /// <param name="file">For the message.</param>
    /// <param name="release">Its release; null: unknown.</param>
    /// <exception cref="LaunchException">It is too old or too new.</exception>
    internal static void Refuse(KernelFile file, KernelRelease? release)
    {
        if (release == null)
            return;
        if (release.Number >= FirstVirtio)
            throw new LaunchException($"{file.Name} is Linux {release.Text}, which is too new: {WhatRuns} (later kernels have virtio devices, or no lguest guest support at all)");
        if (release.Number < FirstSeed)
            throw new LaunchException($"{file.Name} is Linux {release.Text}, which is too old: {WhatRuns} (and some kernels of February 2007)");
    }
}
