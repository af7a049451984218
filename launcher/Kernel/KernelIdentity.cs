// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

// [L:160] Who is it?
/// <summary>
/// What a kernel is. Its release says it, in the header of a bzImage and in the banner that every Linux kernel carries; what a release
/// cannot say is read off the loaded image: the mark that 2.6.23 has, with the entry point right after it, the word that the kernels
/// of February 2007 have, and the one that kernels have since 2.6.24 if they can be guests.
/// </summary>
/// <param name="Series">The kernels of whose kind it is.</param>
/// <param name="Release">The release, or null.</param>
/// <param name="MarkEnd">Physical address of the byte after the mark: the entry of a 2.6.23 kernel; null without a mark.</param>
public sealed record KernelIdentity(KernelSeries Series, string? Release, uint? MarkEnd)
{
    /// <summary>The seed patch was made against 2.6.20; kernels of its spring carried it.</summary>
    private static readonly Version FirstSeed = KernelSeries.Seed200702.First;
    private static readonly Version LastSeed = new(2, 6, 21);

    /// <summary>In the guest code of February 2007, as its name among the paravirtual platforms; and in no kernel without that code.</summary>
    private static ReadOnlySpan<byte> SeedSign => "lguest"u8;

    /// <summary>Recognizes a kernel whose code is at hand.</summary>
    /// <param name="file">For the messages.</param>
    /// <param name="segments">Its pieces, by address.</param>
    /// <param name="signs">What its code says of how it was built.</param>
    /// <exception cref="LaunchException">It is a kernel that no engine here can run; the message says which, and what would be.</exception>
    internal static KernelIdentity Of(KernelFile file, IReadOnlyList<KernelSegment> segments, out KernelSigns signs)
    {
        signs = new KernelSigns();
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
            signs.Look(segment.Data);
        }

        Refuse(file, release);
        KernelSeries? series = release == null ? null : KernelSeries.Of(release.Number);
        if (StartsLinear(series))
            return signs.HasGuest ? new KernelIdentity(series!, release!.Text, null) : throw WithoutGuest(file, release!);

        if (markEnd != null)
        {
            if (release != null && series == null)
                throw new LaunchException($"{file.Name} is Linux {release.Text} with an lguest patch between two releases, whose interface nobody wrote down; use a 2.6.23 kernel");
            return new KernelIdentity(KernelSeries.Linux2623, release?.Text, markEnd);
        }

        if (series != null)
            throw WithoutGuest(file, release!);
        if (release?.Number > LastSeed)
            throw new LaunchException($"{file.Name} is Linux {release.Text}, which is too old: lguest is in Linux since 2.6.23; {RunnableKernels.Remedy}");
        if (!segments.Any(segment => segment.Data.AsSpan().IndexOf(SeedSign) >= 0))
        {
            throw new LaunchException(release != null
                ? $"{file.Name} is Linux {release.Text} without the lguest patch of February 2007; use one with it, or a 2.6.23 kernel built with CONFIG_LGUEST_GUEST=y"
                : $"{file.Name} is no kernel for lguest: it has no banner (Linux version), nor the mark of 2.6.23 (GenuineLguest), nor the word lguest, which the kernels of February 2007 contain; {RunnableKernels.Remedy}");
        }

        return new KernelIdentity(KernelSeries.Seed200702, release?.Text, null);
    }

    /// <summary>Whether a kernel is one that starts without page tables, and so can unpack itself.</summary>
    internal static bool StartsLinear(KernelSeries? series) => series is { Boot.StartsLinear: true };

    /// <summary>Refuses a kernel that its release alone rules out, before anything else that may be wrong with its file.</summary>
    /// <param name="file">For the message.</param>
    /// <param name="release">Its release; null: unknown.</param>
    /// <exception cref="LaunchException">It is too old or too new.</exception>
    internal static void Refuse(KernelFile file, KernelRelease? release)
    {
        if (release == null)
            return;
        if (release.Number >= KernelSeries.FirstWithout)
            throw new LaunchException($"{file.Name} is Linux {release.Text}, which is too new: lguest was removed from Linux in {KernelSeries.FirstWithout.ToString(2)}; {RunnableKernels.Remedy}");
        if (release.Number < FirstSeed)
            throw new LaunchException($"{file.Name} is Linux {release.Text}, which is too old: lguest is in Linux since 2.6.23; {RunnableKernels.Remedy} (and some kernels of February 2007)");
    }

    /// <summary>What is said of a kernel that could have been a guest.</summary>
    internal static LaunchException WithoutGuest(KernelFile file, KernelRelease release) =>
        new($"{file.Name} is Linux {release.Text}, built without lguest guest support (CONFIG_LGUEST_GUEST); {RunnableKernels.Remedy}");

    /// <summary>What is said of a kernel for other processors.</summary>
    /// <param name="file">For the message.</param>
    /// <param name="release">Its release; null: unknown.</param>
    /// <param name="what">What shows it.</param>
    internal static LaunchException For64Bit(KernelFile file, KernelRelease? release, string what) =>
        new($"{file.Name} is {(release == null ? what : $"Linux {release.Text}, {what}")}; guests are 32-bit kernels (ARCH=i386), and {RunnableKernels.Remedy}");
}
