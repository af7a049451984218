// SPDX-License-Identifier: GPL-2.0-or-later
namespace Lguest.GuestAbi.Virtio;

/// <summary>Where the three parts of a virtqueue are, guest physical (abi.md §9).</summary>
/// <param name="Size">Entries: a power of two, <see cref="MaxSize"/> at most.</param>
/// <param name="Descriptors">The table of <see cref="RingDescriptor"/>s.</param>
/// <param name="Available">What the guest has offered: u16 flags, u16 index, u16 heads.</param>
/// <param name="Used">What the device has done: u16 flags, u16 index, then u32 head and u32 bytes for each.</param>
public readonly record struct RingLayout(uint Size, uint Descriptors, uint Available, uint Used)
{
    /// <summary>Entries at most: what every driver takes, whatever the generation.</summary>
    public const int MaxSize = 256;

    /// <summary>Bytes of the flags and index in front of both rings.</summary>
    public const uint Head = 4;

    /// <summary>Bytes of an entry of the used ring.</summary>
    public const uint UsedEntry = 8;

    /// <summary>Bytes of the descriptors.</summary>
    public uint DescriptorBytes => Size * RingDescriptor.Size;

    /// <summary>Bytes of the available ring, but for what follows the last entry with a feature that is not offered.</summary>
    public uint AvailableBytes => Head + (Size * sizeof(ushort));

    /// <summary>Bytes of the used ring, likewise.</summary>
    public uint UsedBytes => Head + (Size * UsedEntry);

    /// <summary>A queue of the lguest bus: one block, the used ring on a page of its own.</summary>
    /// <param name="start">Guest physical address of the block, page aligned.</param>
    /// <param name="size">Entries.</param>
    public static RingLayout Contiguous(uint start, uint size)
    {
        uint available = size * RingDescriptor.Size;
        uint availableEnd = available + Head + (size * sizeof(ushort));
        return new(size, start, start + available, start + (uint)Page.AlignUp(availableEnd));
    }

    /// <summary>Pages that a queue of this many entries takes on the lguest bus.</summary>
    public static int PagesOf(uint size)
    {
        RingLayout layout = Contiguous(0, size);
        return (int)(Page.AlignUp(layout.Used + layout.UsedBytes) >> Page.Shift);
    }

    /// <summary>Whether the numbers make a queue; whether there is memory at them is another question.</summary>
    public bool IsSane =>
        Size is > 0 and <= MaxSize && (Size & (Size - 1)) == 0
        && Descriptors % RingDescriptor.Size == 0 && Available % sizeof(ushort) == 0 && Used % sizeof(uint) == 0;
}
