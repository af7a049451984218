// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.GuestAbi;
using Lguest.GuestAbi.Generations;

namespace Lguest.Launcher.Kernel;

/// <summary>A piece of the kernel: bytes for a guest physical address, and zeros behind them.</summary>
/// <param name="Address">Guest physical address.</param>
/// <param name="Data">What the file holds for it.</param>
/// <param name="MemorySize">Bytes in memory: as many as Data has, or more.</param>
public sealed record KernelSegment(uint Address, byte[] Data, ulong MemorySize)
{
    /// <summary>First address behind it.</summary>
    public ulong End => Address + MemorySize;

    /// <inheritdoc/>
    public override string ToString() => $"0x{Address:x8}-0x{End - 1:x8}";
}

/// <summary>
/// A kernel, read and understood, ready to be put into any guest's memory: again, when the guest restarts, even if the file
/// has been rebuilt meanwhile.
/// </summary>
public sealed class KernelImage
{
    /// <summary>CONFIG_PAGE_OFFSET of nearly every kernel; others are lower, for more memory.</summary>
    private const uint HighestPageOffset = 0xC000_0000;

    /// <summary>Linear addresses that a kernel keeps for other things than its memory: 128 MiB for vmalloc, 5 MiB for the host's and the fixed ones.</summary>
    private const ulong AboveLowMemory = 133 << 20;

    /// <summary>Made by <see cref="KernelLoader"/>.</summary>
    public KernelImage(KernelFile file, string format, IReadOnlyList<KernelSegment> segments, uint pageOffset, KernelIdentity identity, uint entry)
    {
        Path = file.Path;
        Format = format;
        Segments = segments;
        PageOffset = pageOffset;
        Series = identity.Series;
        Release = identity.Release;
        Entry = entry;
        Start = uint.MaxValue;
        foreach (KernelSegment segment in segments)
        {
            Start = Math.Min(Start, segment.Address);
            End = Math.Max(End, segment.End);
        }
    }

    /// <summary>The file's name, as the user wrote it.</summary>
    public string Path { get; }

    /// <summary>ELF, or bzImage and how it was packed.</summary>
    public string Format { get; }

    /// <summary>Its pieces, by address.</summary>
    public IReadOnlyList<KernelSegment> Segments { get; }

    /// <summary>Virtual minus physical address; 0 when it is not known, of a bzImage that unpacks itself and cannot be looked into: it tells its host when it runs.</summary>
    public uint PageOffset { get; }

    /// <summary>The kernels of whose kind it is.</summary>
    public KernelSeries Series { get; }

    /// <summary>The interface that it speaks.</summary>
    public Generation Generation => Series.Generation;

    /// <summary>What the banner says, such as 2.6.23; null without one.</summary>
    public string? Release { get; }

    /// <summary>Address of the first instruction: virtual, or physical where the series starts in linear mode.</summary>
    public uint Entry { get; }

    /// <summary>The header of a bzImage that unpacks itself; null for any other kernel.</summary>
    public BootHeader? Header { get; init; }

    /// <summary>Whether it is known to be built without HIGHMEM, so that it maps less than 1 GiB of memory.</summary>
    public bool HasNoHighmem { get; init; }

    /// <summary>First physical address that it cannot use, as far as that is known of it.</summary>
    /// <remarks>What a kernel without HIGHMEM maps ends that far below 4 GiB. (abi.md §1.1: 0x37bfe pages for one at 3 GiB.)</remarks>
    public ulong ReachesUpTo => HasNoHighmem && PageOffset is > 0 and <= HighestPageOffset ? Page.AddressSpace - PageOffset - AboveLowMemory : Page.AddressSpace;

    /// <summary>Bytes of the longest command line, without its NUL.</summary>
    public int CommandLineBytes => (int)Math.Min(Header?.CommandLineBytes ?? (uint)Series.Boot.CommandLineBytes, Page.Size - 1);

    /// <summary>First physical address that it does not need: its end, or where it will have unpacked itself to.</summary>
    public ulong NeedsUpTo => Math.Max(End, Header?.RunsUpTo ?? 0);

    /// <summary>Lowest physical address.</summary>
    public uint Start { get; }

    /// <summary>First physical address above it, zeros included.</summary>
    public ulong End { get; }

    /// <summary>Puts the kernel into memory, which must be zero where the kernel wants zeros.</summary>
    /// <exception cref="GuestAddressException">It does not fit: the layout should have been asked first.</exception>
    public void CopyTo(GuestMemory memory)
    {
        foreach (KernelSegment segment in Segments)
        {
            segment.Data.CopyTo(memory.Write(segment.Address, (uint)segment.Data.Length));
            uint zeros = (uint)(segment.MemorySize - (ulong)segment.Data.Length);
            if (zeros > 0)
                memory.Write(segment.Address + (uint)segment.Data.Length, zeros).Clear();
        }
    }
}
