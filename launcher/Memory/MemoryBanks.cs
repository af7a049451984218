// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using Lguest.GuestAbi;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Memory;

/// <summary>
/// The guest's RAM: one bank from address 0, or several with holes between. The rules are kvmtool's: addresses for all banks
/// or for none, kept sorted, and an overlap is told with both ranges.
/// </summary>
public sealed class MemoryBanks
{
    /// <summary>A bare number below this many means MiB: nobody wants a guest of 64 bytes.</summary>
    private const ulong BareMegabytes = 65536;

    private MemoryBanks(MemoryRange[] banks) => All = banks;

    /// <summary>The banks by address; the lowest starts at 0.</summary>
    public IReadOnlyList<MemoryRange> All { get; }

    /// <summary>Where kernel, page tables, initrd and boot parameters live.</summary>
    public MemoryRange Lowest => All[0];

    /// <summary>First address above all RAM: the devices' place.</summary>
    public ulong Top => All[^1].End;

    /// <summary>Bytes of RAM in all banks.</summary>
    public ulong TotalBytes
    {
        get
        {
            ulong total = 0;
            foreach (MemoryRange bank in All)
                total += bank.Length;
            return total;
        }
    }

    /// <summary>Reads a memory specification: <c>SIZE</c> or <c>SIZE@ADDRESS[,SIZE@ADDRESS...]</c>.</summary>
    /// <exception cref="LaunchException">It makes no sense; the message says why, with the numbers.</exception>
    public static MemoryBanks Parse(string text)
    {
        string[] words = text.Split(',');
        List<(ulong Start, ulong Size)> banks = [];
        int withAddress = 0;
        foreach (string word in words)
        {
            int at = word.IndexOf('@', StringComparison.Ordinal);
            string sizeText = at < 0 ? word : word[..at];
            ulong size = ParseNumber(sizeText, "memory size", text, out bool bare);
            if (bare && size < BareMegabytes)
                size <<= 20;
            ulong start = 0;
            if (at >= 0)
            {
                withAddress++;
                start = ParseNumber(word[(at + 1)..], "memory address", text, out _);
            }

            if (size == 0)
                throw new LaunchException($"memory '{text}': a bank of size 0 holds nothing");
            if (size % Page.Size != 0)
                throw new LaunchException($"memory '{text}': {size} bytes are not whole pages of {Page.Size} bytes; the next size that is: {Page.AlignUp(size)}");
            if (start % Page.Size != 0)
                throw new LaunchException($"memory '{text}': address 0x{start:x} is not a multiple of the page size 0x{Page.Size:x}");
            banks.Add((start, size));
        }

        if (withAddress != 0 && withAddress != banks.Count)
            throw new LaunchException($"memory '{text}': give an address (SIZE@ADDRESS) for all banks or for none");
        if (banks.Count > 1 && withAddress == 0)
            throw new LaunchException($"memory '{text}': several banks need addresses (SIZE@ADDRESS)");
        return FromBanks(banks, text);
    }

    private static MemoryBanks FromBanks(List<(ulong Start, ulong Size)> banks, string text)
    {
        if (banks.Count > BootParameters.MaxE820Entries)
            throw new LaunchException($"memory '{text}': {banks.Count} banks; the guest's memory map has room for {BootParameters.MaxE820Entries}");

        banks.Sort(static (left, right) => left.Start.CompareTo(right.Start));
        MemoryRange[] ranges = new MemoryRange[banks.Count];
        for (int i = 0; i < ranges.Length; i++)
        {
            (ulong start, ulong size) = banks[i];
            if (start >= Page.AddressSpace || size > Page.AddressSpace - start)
                throw new LaunchException($"memory '{text}': bank {Describe(start, size)} reaches beyond the 4 GiB (0x{Page.AddressSpace:x}) that a 32-bit guest can address");
            if (i > 0 && start < ranges[i - 1].End)
                throw new LaunchException($"memory '{text}': bank {ranges[i - 1]} overlaps with bank {Describe(start, size)}");
            ranges[i] = new MemoryRange((uint)start, size);
        }

        if (ranges[0].Start != 0)
            throw new LaunchException($"memory '{text}': the lowest bank starts at 0x{ranges[0].Start:x}; one must start at address 0, where the guest looks for its boot parameters");
        return new MemoryBanks(ranges);
    }

    private static ulong ParseNumber(string word, string what, string text, out bool bare)
    {
        bare = false;
        if (word.Length == 0)
            throw new LaunchException($"memory '{text}': a {what} is missing");

        int shift = word[^1] switch
        {
            'k' or 'K' => 10,
            'm' or 'M' => 20,
            'g' or 'G' => 30,
            _ => 0,
        };
        ReadOnlySpan<char> digits = word.AsSpan(0, shift == 0 ? word.Length : word.Length - 1);
        bool hex = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        if (hex)
            digits = digits[2..];

        // Digits only: no signs, spaces or points, which the number parsers of this world like to allow.
        bool wellFormed = digits.Length > 0;
        foreach (char digit in digits)
            wellFormed &= hex ? char.IsAsciiHexDigit(digit) : char.IsAsciiDigit(digit);
        if (!wellFormed)
            throw new LaunchException($"{(word == text ? string.Empty : $"memory '{text}': ")}'{word}' is no {what}; write for example 64m, 0x4000000 or 64m@0,64m@0x8000000");
        if (!ulong.TryParse(digits, hex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
            || number > ulong.MaxValue >> shift)
        {
            throw new LaunchException($"{(word == text ? string.Empty : $"memory '{text}': ")}{what} '{word}' is far beyond the 4 GiB that a 32-bit guest can address");
        }

        bare = shift == 0;
        return number << shift;
    }

    private static string Describe(ulong start, ulong size) =>
        size <= ulong.MaxValue - start ? $"0x{start:x8}-0x{start + size - 1:x8}" : $"0x{start:x} + 0x{size:x} bytes";
}
