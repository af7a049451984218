// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.Launcher.Kernel;

/// <summary>What an unpacked kernel's code says of how it was built.</summary>
internal sealed class KernelSigns
{
    /// <summary>Bytes at the end of a piece that the next piece has to begin with, so that no word is cut in two.</summary>
    public const int Overlap = 31;

    /// <summary>Whether one of 2.6.24 or later can be a guest: what its memory map is called then (a host's code has the word in small letters).</summary>
    public bool HasGuest { get; private set; }

    /// <summary>Whether it was built without HIGHMEM, and so maps less than 1 GiB: only such a kernel gives this advice.</summary>
    public bool HasNoHighmem { get; private set; }

    /// <summary>Virtual minus physical address; null when no piece shows it.</summary>
    public uint? PageOffset { get; private set; }

    /// <summary>Whether it begins like an ELF file for 64-bit processors.</summary>
    public bool Is64Bit { get; private set; }

    private static ReadOnlySpan<byte> Guest => "LGUEST\0"u8;

    private static ReadOnlySpan<byte> NoHighmem => "Use a HIGHMEM enabled kernel"u8;

    /// <summary>Looks at the first piece of a kernel that is to unpack itself, and so never says where it expects to be: an ELF file, or bare code.</summary>
    public void LookAtBeginning(ReadOnlySpan<byte> piece)
    {
        if (piece.StartsWith(ElfKernel.Magic))
            (PageOffset, Is64Bit) = (ElfKernel.FindPageOffset(piece), ElfKernel.Is64Bit(piece));
        else if (KernelLoader.TryFindPageOffset(piece, out uint counted))
            PageOffset = counted;
    }

    /// <summary>Looks at a piece.</summary>
    public void Look(ReadOnlySpan<byte> piece)
    {
        HasGuest |= piece.IndexOf(Guest) >= 0;
        HasNoHighmem |= piece.IndexOf(NoHighmem) >= 0;
    }
}
