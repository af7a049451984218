// SPDX-License-Identifier: GPL-2.0-or-later
using System.Text;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

/// <summary>The release of a Linux kernel: the words in its image, and the three numbers that they begin with.</summary>
/// <param name="Text">As the kernel has it, such as 2.6.23.17-fc8.i686.</param>
/// <param name="Number">Its first three numbers; missing ones are 0.</param>
public sealed record KernelRelease(string Text, Version Number)
{
    private const int Longest = 64;

    /// <summary>Bytes of a file that are searched for a banner. It is in the loaded part; what follows that is debugging information.</summary>
    private const long Searched = 160L << 20;

    private const int PieceLength = 1 << 20;

    private static ReadOnlySpan<byte> BannerWords => "Linux version "u8;

    /// <summary>Whether its name says that it is for 64-bit processors, as those of distributions do.</summary>
    public bool IsFor64Bit => Text.Contains("x86_64", StringComparison.Ordinal) || Text.Contains("amd64", StringComparison.Ordinal);

    /// <summary>The release in the banner that every Linux kernel carries, or null.</summary>
    /// <param name="data">A piece of the kernel.</param>
    public static KernelRelease? Find(ReadOnlySpan<byte> data)
    {
        // The words are also part of format strings; the banner is where a digit follows.
        for (int from = 0; ;)
        {
            int found = data[from..].IndexOf(BannerWords);
            if (found < 0)
                return null;
            from += found + BannerWords.Length;
            if (At(data[from..Math.Min(data.Length, from + Longest)]) is { } release)
                return release;
        }
    }

    /// <summary>The release in the banner of an ELF file that cannot be loaded, of whatever kind it is; null without one.</summary>
    /// <exception cref="LaunchException">The host cannot read the file.</exception>
    internal static KernelRelease? Find(ElfBytes bytes)
    {
        int overlap = BannerWords.Length + Longest;
        byte[] piece = new byte[(int)Math.Min(bytes.Length, PieceLength)];
        long end = Math.Min(bytes.Length, Searched);
        for (long start = 0; start < end; start += piece.Length - overlap)
        {
            Span<byte> part = piece.AsSpan(0, (int)Math.Min(piece.Length, bytes.Length - start));
            bytes.Read(part, start);
            if (Find(part) is { } release)
                return release;
            if (part.Length <= overlap)
                return null;
        }

        return null;
    }

    /// <summary>The release that begins some bytes, or null.</summary>
    internal static KernelRelease? At(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty || !char.IsAsciiDigit((char)bytes[0]))
            return null;
        int length = 0;
        while (length < bytes.Length && bytes[length] is > (byte)' ' and < 0x7F)
            length++;
        string text = Encoding.ASCII.GetString(bytes[..length]);

        int digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] == '.'))
            digits++;
        string[] parts = text[..digits].Split('.', StringSplitOptions.RemoveEmptyEntries);
        Span<int> numbers = [0, 0, 0];
        for (int i = 0; i < Math.Min(parts.Length, numbers.Length); i++)
        {
            if (!int.TryParse(parts[i], out numbers[i]))
                return null;
        }

        return new KernelRelease(text, new Version(numbers[0], numbers[1], numbers[2]));
    }
}
