// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Launcher.Common;
using Lguest.Launcher.Memory;
using Xunit;

namespace Lguest.Tests.Launcher;

/// <summary>How memory is written on the command line.</summary>
public sealed class MemoryBanksTests
{
    /// <summary>One bank, in each way of writing.</summary>
    [Theory]
    [InlineData("64m", 64L << 20)]
    [InlineData("64M", 64L << 20)]
    [InlineData("64", 64L << 20)]
    [InlineData("65535", 65535L << 20, "reaches beyond")]
    [InlineData("65536", 65536L)]
    [InlineData("67108864", 64L << 20)]
    [InlineData("65536k", 64L << 20)]
    [InlineData("65536K", 64L << 20)]
    [InlineData("1g", 1L << 30)]
    [InlineData("1G", 1L << 30)]
    [InlineData("0x4000000", 64L << 20)]
    [InlineData("0X4000000", 64L << 20)]
    [InlineData("0x40", 64L << 20)]
    [InlineData("0x40m", 64L << 20)]
    [InlineData("4k", 4096L)]
    [InlineData("4g", 1L << 32)]
    [InlineData("64m@0", 64L << 20)]
    [InlineData("64@0", 64L << 20)]
    [InlineData("64m@0x0", 64L << 20)]
    public void OneBank(string text, long bytes, string? error = null)
    {
        if (error != null)
        {
            Assert.Contains(error, Assert.Throws<LaunchException>(() => MemoryBanks.Parse(text)).Message, StringComparison.Ordinal);
            return;
        }

        MemoryBanks banks = MemoryBanks.Parse(text);
        Assert.Equal((ulong)bytes, Assert.Single(banks.All).Length);
        Assert.Equal((ulong)bytes, banks.Top);
        Assert.Equal((ulong)bytes, banks.TotalBytes);
    }

    /// <summary>Several banks come out sorted; they may touch.</summary>
    [Fact]
    public void SeveralBanksAreSorted()
    {
        MemoryBanks banks = MemoryBanks.Parse("16m@128m,64m@0,4k@0x4000000");
        Assert.Equal(["0x00000000-0x03ffffff", "0x04000000-0x04000fff", "0x08000000-0x08ffffff"], banks.All.Select(bank => bank.ToString()));
        Assert.Equal(0x9000000ul, banks.Top);
        Assert.Equal((80ul << 20) + 4096, banks.TotalBytes);
        Assert.Equal(64ul << 20, banks.Lowest.Length);
    }

    /// <summary>The last byte of the address space can be RAM.</summary>
    [Fact]
    public void ABankMayEndAtFourGigabytes() => Assert.Equal(1ul << 32, MemoryBanks.Parse("16m@0,1g@3g").Top);

    /// <summary>Everything that is wrong, and what is said of it.</summary>
    [Theory]
    [InlineData("", "a memory size is missing")]
    [InlineData("@0", "a memory size is missing")]
    [InlineData("64m@", "a memory address is missing")]
    [InlineData("64m,", "a memory size is missing")]
    [InlineData("64m@0,", "a memory size is missing")]
    [InlineData("vmlinux", "'vmlinux' is no memory size")]
    [InlineData("64mb", "'64mb' is no memory size")]
    [InlineData("m", "'m' is no memory size")]
    [InlineData("0x", "'0x' is no memory size")]
    [InlineData("0xg", "'0xg' is no memory size")]
    [InlineData("-64m", "'-64m' is no memory size")]
    [InlineData("+64m", "'+64m' is no memory size")]
    [InlineData(" 64m", "' 64m' is no memory size")]
    [InlineData("1.5g", "'1.5g' is no memory size")]
    [InlineData("6_4m", "'6_4m' is no memory size")]
    [InlineData("64m@here", "'here' is no memory address")]
    [InlineData("64m@0@0", "'0@0' is no memory address")]
    [InlineData("0", "size 0")]
    [InlineData("0m@0,64m@0", "size 0")]
    [InlineData("100000", "100000 bytes are not whole pages of 4096 bytes; the next size that is: 102400")]
    [InlineData("5k", "not whole pages")]
    [InlineData("64m@100", "address 0x64 is not a multiple of the page size 0x1000")]
    [InlineData("64m,64m", "several banks need addresses")]
    [InlineData("64m@0,64m", "for all banks or for none")]
    [InlineData("64m,64m@0", "for all banks or for none")]
    [InlineData("64m@0,64m@32m", "bank 0x00000000-0x03ffffff overlaps with bank 0x02000000-0x05ffffff")]
    [InlineData("64m@32m,64m@0", "bank 0x00000000-0x03ffffff overlaps with bank 0x02000000-0x05ffffff")]
    [InlineData("64m@0,64m@0", "overlaps")]
    [InlineData("64m@0,4k@0x3fff000", "overlaps")]
    [InlineData("5g", "bank 0x00000000-0x13fffffff reaches beyond the 4 GiB")]
    [InlineData("64m@0,64m@4g", "bank 0x100000000-0x103ffffff reaches beyond the 4 GiB")]
    [InlineData("64m@0,64m@0xfd000000", "reaches beyond the 4 GiB")]
    [InlineData("64m@0,4k@0xfffffffffffff000", "reaches beyond the 4 GiB")]
    [InlineData("64m@16m", "the lowest bank starts at 0x1000000; one must start at address 0")]
    [InlineData("99999999999999999999", "far beyond the 4 GiB")]
    [InlineData("99999999999999g", "far beyond the 4 GiB")]
    public void ErrorsHaveTheirNumbers(string text, string words)
    {
        LaunchException error = Assert.Throws<LaunchException>(() => MemoryBanks.Parse(text));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.Contains($"'{text}'", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain($"'{text}': '{text}'", error.Message, StringComparison.Ordinal);
    }

    /// <summary>More banks than the boot parameters have room for.</summary>
    [Fact]
    public void BanksHaveALimit()
    {
        static string Many(int count) => string.Join(',', Enumerable.Range(0, count).Select(i => $"4k@0x{i * 0x2000:x}"));
        Assert.Equal(128, MemoryBanks.Parse(Many(128)).All.Count);
        Assert.Contains("129 banks", Assert.Throws<LaunchException>(() => MemoryBanks.Parse(Many(129))).Message, StringComparison.Ordinal);
    }
}
