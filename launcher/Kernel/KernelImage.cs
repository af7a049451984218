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
    /// <summary>Made by <see cref="KernelLoader"/>.</summary>
    public KernelImage(KernelFile file, string format, IReadOnlyList<KernelSegment> segments, uint pageOffset, KernelIdentity identity, uint entry)
    {
        Path = file.Path;
        Format = format;
        Segments = segments;
        PageOffset = pageOffset;
        Generation = identity.Generation;
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

    /// <summary>ELF, or how it was packed.</summary>
    public string Format { get; }

    /// <summary>Its pieces, by address.</summary>
    public IReadOnlyList<KernelSegment> Segments { get; }

    /// <summary>Virtual minus physical address.</summary>
    public uint PageOffset { get; }

    /// <summary>The interface that it speaks.</summary>
    public Generation Generation { get; }

    /// <summary>What the banner says, such as 2.6.23; null without one.</summary>
    public string? Release { get; }

    /// <summary>Virtual address of the first instruction.</summary>
    public uint Entry { get; }

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
