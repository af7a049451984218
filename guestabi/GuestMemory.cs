// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Lguest.GuestAbi;

/// <summary>A run of guest physical memory: RAM, or the pages of the devices above it.</summary>
/// <param name="Start">First guest physical address, page aligned.</param>
/// <param name="Length">Bytes, a multiple of the page; 64 bits wide since a bank may reach the 4 GiB mark.</param>
public readonly record struct MemoryRange(uint Start, ulong Length)
{
    /// <summary>First address behind the range.</summary>
    public ulong End => Start + Length;

    /// <summary>Whether the range holds all of [<paramref name="address"/>, + <paramref name="length"/>).</summary>
    public bool Contains(uint address, uint length) => address >= Start && address + (ulong)length <= End;

    /// <inheritdoc/>
    public override string ToString() => $"0x{Start:x8}-0x{End - 1:x8}";
}

/// <summary>A guest physical address that is not the guest's. Always the guest's fault, never fatal for anyone else.</summary>
public sealed class GuestAddressException(uint address, uint length)
    : Exception($"guest physical address 0x{address:x8} + {length} bytes is outside of the guest's memory")
{
    /// <summary>The first address of the access.</summary>
    public uint Address { get; } = address;

    /// <summary>Bytes of the access.</summary>
    public uint Length { get; } = length;
}

// [P:100] What a guest is
// A guest is a kernel and its programs, with one processor and some memory. Its memory begins at address 0; to the host it is one
// mapping of a file, in which guest physical address x is at Base + x. Everybody on this side, whether device, hypervisor or
// debugger, sees it through this class. Data is handed out as spans of the memory itself, so that a disk's bytes reach the guest
// without a copy in between.
/// <summary>
/// The guest's physical memory as everybody on this side sees it: one mapping in which guest physical address 0 is at
/// <see cref="Base"/>, of which only the guest's own <see cref="Ranges"/> may be touched. Every access goes through a check
/// that cannot overflow; data is handed out as spans, so that a disk's bytes go to the guest without a copy between.
/// </summary>
public abstract unsafe class GuestMemory : IDisposable
{
    private readonly MemoryRange[] _ranges;
    private IHostWriteObserver? _observer;

    /// <summary>Describes a mapping made by a derived class.</summary>
    /// <param name="mapping">Host address of guest physical address 0.</param>
    /// <param name="ranges">What is the guest's, sorted, not overlapping.</param>
    protected GuestMemory(byte* mapping, IEnumerable<MemoryRange> ranges)
    {
        Base = mapping;
        _ranges = [.. ranges];
        Top = _ranges.Length == 0 ? 0 : _ranges[^1].End;
    }

    /// <summary>Host address of guest physical address 0. For engines only: whoever uses it does its own checks.</summary>
    public byte* Base { get; }

    /// <summary>The guest's memory: RAM banks, then the device pages.</summary>
    public IReadOnlyList<MemoryRange> Ranges => _ranges;

    /// <summary>First address above everything.</summary>
    public ulong Top { get; }

    /// <summary>The file that backs the memory, but for pages replaced by <see cref="MapFile"/>; an address is its own offset.</summary>
    public abstract int FileDescriptor { get; }

    /// <summary>What backs a page, for an engine that maps it again elsewhere.</summary>
    /// <param name="address">An address in the page.</param>
    /// <returns>A file, and the offset in it of the page's first byte.</returns>
    public virtual (int FileDescriptor, ulong Offset) Backing(uint address) => (FileDescriptor, address & ~Page.OffsetMask);

    /// <summary>
    /// Whether another process may write a page at any time: then whatever is decided from its bytes must be decided from a
    /// private copy, and nothing that is kept may be derived from them.
    /// </summary>
    /// <param name="address">An address in the page.</param>
    public virtual bool IsForeign(uint address) => false;

    /// <summary>
    /// Replaces a page by one of a file that others map too, as the first launcher did for a network's page: what the guest
    /// writes there the others see, and the other way round. To be done before an engine is opened on the memory.
    /// </summary>
    /// <param name="address">Guest physical address of the page.</param>
    /// <param name="fileDescriptor">Stays the caller's, and stays open for as long as the memory lives.</param>
    /// <param name="offset">Bytes from the file's start, a multiple of the page.</param>
    /// <exception cref="GuestAddressException">The page is not the guest's.</exception>
    /// <exception cref="System.ComponentModel.Win32Exception">The host does not map it.</exception>
    public abstract void MapFile(uint address, int fileDescriptor, ulong offset);

    /// <summary>First address that is not the guest's whatever the ranges say: the pfn limit of INITIALIZE, in bytes (abi.md §5).</summary>
    public ulong Limit { get; private set; } = ulong.MaxValue;

    /// <summary>Whether anybody wants to know of host writes.</summary>
    public bool IsObserved => _observer is not null;

    /// <summary>Which pages were written since <see cref="TrackWrites"/>; null: nobody asks.</summary>
    public DirtyLog? Dirty { get; private set; }

    /// <summary>Takes what lies above from the guest. An engine does that once, before the guest runs.</summary>
    public void LimitTo(ulong limit) => Limit = limit;

    /// <summary>From now on, somebody is told before the host writes; after those who were there before.</summary>
    public void AddObserver(IHostWriteObserver observer) => _observer = WriteObservers.With(_observer, observer);

    /// <summary>Somebody does not want to know of host writes any more, if ever.</summary>
    public void RemoveObserver(IHostWriteObserver observer) => _observer = WriteObservers.Without(_observer, observer);

    /// <summary>
    /// Notes which pages are written from now on: by the host, which says so; and by the guest, if its engine, which has to be told,
    /// notes that here.
    /// </summary>
    public void TrackWrites()
    {
        if (Dirty is not null)
            return;
        Dirty = new DirtyLog(Top);
        AddObserver(Dirty);
    }

    /// <summary>Tells those who want to know that the host is about to write, for an engine that then does so by itself.</summary>
    public void AnnounceWrite(uint address, uint length) => _observer?.HostWrites(address, length);

    // [P:110+13] The one check
    // All that a guest can hand us is numbers, and most of them are addresses. This is what is asked of each before anything is
    // touched. The sum is computed in 64 bits, for address + length is exactly what a hostile guest makes overflow.
    /// <summary>Whether all of [<paramref name="address"/>, + <paramref name="length"/>) is the guest's, in one range.</summary>
    public bool Contains(uint address, uint length)
    {
        if (address + (ulong)length > Limit)
            return false;
        foreach (ref readonly MemoryRange range in _ranges.AsSpan())
        {
            if (range.Contains(address, length))
                return true;
        }

        return false;
    }

    /// <summary>
    /// Guest memory to be read: the memory itself, which the guest and others may change. Whoever decides anything on its bytes
    /// copies them first.
    /// </summary>
    /// <exception cref="GuestAddressException">It is not all the guest's.</exception>
    public ReadOnlySpan<byte> Read(uint address, uint length)
    {
        if (!Contains(address, length) || length > int.MaxValue)
            throw new GuestAddressException(address, length);
        return new ReadOnlySpan<byte>(Base + address, (int)length);
    }

    /// <summary>Guest memory to be written.</summary>
    /// <exception cref="GuestAddressException">It is not all the guest's.</exception>
    public Span<byte> Write(uint address, uint length)
    {
        if (!Contains(address, length) || length > int.MaxValue)
            throw new GuestAddressException(address, length);
        _observer?.HostWrites(address, length);
        return new Span<byte>(Base + address, (int)length);
    }

    // [M:130+7] Read once, decide, use
    // While the host looks at a guest's memory, the guest stands still. But the page of a shared network is mapped by other
    // processes, too, and they write there whenever they like; and a guest may use that page for anything, its page tables and its
    // code included. So the rule of [D:140] holds everywhere: what the guest or a peer can change is read once, into private
    // memory, and decided and used from there. docs/engine.md has a table of every place where that matters. Code in such a page
    // is never translated, and is decoded anew each time it runs.
    /// <summary>
    /// A structure copied from guest memory, each of its bytes read once: what is decided on the copy and used from it is the
    /// same, whoever writes there meanwhile.
    /// </summary>
    /// <exception cref="GuestAddressException">It is not all the guest's.</exception>
    public T ReadValue<T>(uint address)
        where T : unmanaged
    {
        T copy;
        Read(address, (uint)sizeof(T)).CopyTo(new Span<byte>(&copy, sizeof(T)));
        return copy;
    }

    /// <summary>A structure written to guest memory.</summary>
    /// <exception cref="GuestAddressException">It is not all the guest's.</exception>
    public void WriteValue<T>(uint address, in T value)
        where T : unmanaged =>
        MemoryMarshal.Write(Write(address, (uint)sizeof(T)), value);

    /// <summary>A little-endian word of guest memory, read once.</summary>
    /// <exception cref="GuestAddressException">It is not the guest's.</exception>
    public uint ReadUInt32(uint address) => ReadValue<uint>(address);

    /// <summary>Writes a little-endian word.</summary>
    /// <exception cref="GuestAddressException">It is not the guest's.</exception>
    public void WriteUInt32(uint address, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(Write(address, sizeof(uint)), value);

    /// <summary>Unmaps the memory. Spans handed out before must not be used any more.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Unmaps the memory.</summary>
    protected abstract void Dispose(bool disposing);
}
