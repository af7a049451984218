// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.GuestAbi;

namespace Lguest.Launcher.Kernel;

/// <summary>
/// Who a kernel is, read off its loaded image: a mark that kernels with lguest's guest code carry since 2.6.23, with the entry
/// point right behind it, and the banner that every Linux kernel carries.
/// </summary>
/// <param name="Generation">The interface that it speaks.</param>
/// <param name="Release">The release in the banner, or null.</param>
/// <param name="MarkEnd">Physical address of the byte behind the mark: the entry of a 2.6.23 kernel; null without a mark.</param>
public sealed record KernelIdentity(AbiGeneration Generation, string? Release, uint? MarkEnd)
{
    private static readonly Version FirstVirtio = new(2, 6, 24);
    private static readonly Version OnlyDma = new(2, 6, 23);

    /// <summary>The seed patch was made against 2.6.20; kernels of its spring carried it.</summary>
    private static readonly Version LastSeed = new(2, 6, 21);

    /// <summary>Recognizes a kernel.</summary>
    /// <param name="file">For the messages.</param>
    /// <param name="segments">Its pieces, by address.</param>
    /// <exception cref="LaunchException">It is a kernel that no engine here can run; the message says which, and what would be.</exception>
    public static KernelIdentity Of(KernelFile file, IReadOnlyList<KernelSegment> segments)
    {
        uint? markEnd = null;
        string? release = null;
        foreach (KernelSegment segment in segments)
        {
            if (markEnd == null)
            {
                int mark = segment.Data.AsSpan().IndexOf(BootParameters.GenuineMark);
                if (mark >= 0)
                    markEnd = segment.Address + (uint)(mark + BootParameters.GenuineMark.Length);
            }

            release ??= FindRelease(segment.Data);
        }

        Version? version = release == null ? null : ParseVersion(release);
        if (markEnd != null)
        {
            if (version >= FirstVirtio)
                throw new LaunchException($"{file.Name} is Linux {release}, whose lguest devices are virtio's; only the DMA interface of Linux 2.6.23 is understood, so use a 2.6.23 kernel");
            if (version != null && version < OnlyDma)
                throw new LaunchException($"{file.Name} is Linux {release} with an lguest patch between two releases, whose interface nobody wrote down; use a 2.6.23 kernel");
            return new KernelIdentity(AbiGeneration.Linux2623, release, markEnd);
        }

        if (version > LastSeed)
            throw new LaunchException($"{file.Name} is Linux {release}, built without lguest guest support (it has no GenuineLguest mark); use a 2.6.23 kernel built with CONFIG_LGUEST_GUEST=y");
        return new KernelIdentity(AbiGeneration.Seed200702, release, null);
    }

    private static string? FindRelease(ReadOnlySpan<byte> data)
    {
        // The words also stand in format strings; the banner is where a digit follows.
        ReadOnlySpan<byte> words = "Linux version "u8;
        const int LongestRelease = 64;
        for (int from = 0; ;)
        {
            int found = data[from..].IndexOf(words);
            if (found < 0)
                return null;
            from += found + words.Length;
            ReadOnlySpan<byte> rest = data[from..Math.Min(data.Length, from + LongestRelease)];
            if (rest.IsEmpty || !char.IsAsciiDigit((char)rest[0]))
                continue;
            int length = 0;
            while (length < rest.Length && rest[length] is > (byte)' ' and < 0x7f)
                length++;
            return Encoding.ASCII.GetString(rest[..length]);
        }
    }

    private static Version? ParseVersion(string release)
    {
        int length = 0;
        while (length < release.Length && (char.IsAsciiDigit(release[length]) || release[length] == '.'))
            length++;
        string[] parts = release[..length].Split('.', StringSplitOptions.RemoveEmptyEntries);
        int[] numbers = new int[3];
        for (int i = 0; i < Math.Min(parts.Length, numbers.Length); i++)
        {
            if (!int.TryParse(parts[i], out numbers[i]))
                return null;
        }

        return new Version(numbers[0], numbers[1], numbers[2]);
    }
}
