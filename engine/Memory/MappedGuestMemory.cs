// SPDX-License-Identifier: GPL-2.0-or-later
using Lguest.Engine.Native;
using Lguest.GuestAbi;
using static Tmds.Linux.LibC;

namespace Lguest.Engine.Memory;

// [L:180] Memory
/// <summary>
/// Guest memory in one memory file, mapped once. The whole 4 GiB of guest physical address space are reserved, and only the
/// guest's own ranges are backed: an address is its own offset in the mapping and in the file, so that an engine may map any
/// page again elsewhere. The file is sparse; a page that nobody touches costs nothing.
/// </summary>
public sealed unsafe class MappedGuestMemory : GuestMemory
{
    /// <summary>A page beyond the 4 GiB is reserved too: an access of a few bytes that starts inside ends inside.</summary>
    private static readonly nuint ReservedBytes = unchecked((nuint)((1UL << 32) + Page.Size));

    private readonly int _fd;
    private readonly Dictionary<uint, (int FileDescriptor, ulong Offset)> _replaced = [];

    // Once foreign always foreign: a page whose file was cut short is the guest's own again, but its windows may not know yet.
    private readonly HashSet<uint> _foreign = [];
    private bool _disposed;

    private MappedGuestMemory(byte* mapping, int fd, IReadOnlyList<MemoryRange> ranges)
        : base(mapping, ranges) => _fd = fd;

    /// <inheritdoc/>
    public override int FileDescriptor => _fd;

    /// <summary>Makes a guest's memory, all zero.</summary>
    /// <param name="ranges">RAM banks and device pages, sorted, page aligned, not overlapping, within 4 GiB.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">The host has not the address space or memory for it.</exception>
    public static MappedGuestMemory Create(IReadOnlyList<MemoryRange> ranges)
    {
        ulong last = 0;
        foreach (MemoryRange range in ranges)
        {
            if (((range.Start | range.Length) & Page.OffsetMask) != 0 || range.Length == 0 || range.Start < last || range.End > 1UL << 32)
                throw new ArgumentException($"memory range {range} is not aligned, not sorted or too large", nameof(ranges));
            last = range.End;
        }

        int fd = MemoryMap.CreateMemoryFile("lguest-ram"u8, last);
        byte* mapping = null;
        try
        {
            mapping = MemoryMap.Map(
                null, ReservedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            foreach (MemoryRange range in ranges)
            {
                MemoryMap.Map(
                    mapping + range.Start, (nuint)range.Length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, range.Start);
            }

            return new MappedGuestMemory(mapping, fd, ranges);
        }
        catch
        {
            if (mapping != null)
                MemoryMap.Unmap(mapping, ReservedBytes);
            close(fd);
            throw;
        }
    }

    /// <inheritdoc/>
    public override (int FileDescriptor, ulong Offset) Backing(uint address)
    {
        uint page = address & ~Page.OffsetMask;
        if (!_replaced.TryGetValue(page, out (int FileDescriptor, ulong Offset) file))
            return base.Backing(address);
        if (MemoryMap.FileSize(file.FileDescriptor) >= file.Offset + Page.Size)
            return file;

        // Somebody has cut the file short. Nobody may look at its page again, so the guest's own memory takes its place, empty.
        LostPages.Forget(Base + page);
        MemoryMap.Map(Base + page, Page.Size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, _fd, page);
        _replaced.Remove(page);
        return base.Backing(address);
    }

    /// <inheritdoc/>
    public override bool IsForeign(uint address) => _foreign.Count != 0 && _foreign.Contains(address & ~Page.OffsetMask);

    /// <inheritdoc/>
    public override void MapFile(uint address, int fileDescriptor, ulong offset)
    {
        if (!Contains(address, Page.Size))
            throw new GuestAddressException(address, Page.Size);
        if (((address | offset) & Page.OffsetMask) != 0)
            throw new ArgumentException($"a page is replaced by a page: not 0x{address:x8} by offset {offset}", nameof(address));
        MemoryMap.Map(Base + address, Page.Size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fileDescriptor, offset);
        _replaced[address] = (fileDescriptor, offset);
        _foreign.Add(address);

        // The file may be other people's too, and they may cut it short.
        LostPages.Guard(Base + address);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_disposed)
            return;
        _disposed = true;
        foreach (uint address in _replaced.Keys)
            LostPages.Forget(Base + address);
        MemoryMap.Unmap(Base, ReservedBytes);
        close(_fd);
    }
}
