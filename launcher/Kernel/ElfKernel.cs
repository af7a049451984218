// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Lguest.GuestAbi;
using Lguest.Launcher.Common;

namespace Lguest.Launcher.Kernel;

/// <summary>Random access to the bytes of an ELF file, wherever they are: a file, or what was unpacked from one.</summary>
/// <param name="Length">Bytes in all.</param>
/// <param name="Read">Fills a span from an offset; asked only for what is there.</param>
internal sealed record ElfBytes(long Length, ElfBytes.Reader Read)
{
    /// <summary>Fills <paramref name="target"/> from <paramref name="offset"/>.</summary>
    public delegate void Reader(Span<byte> target, long offset);
}

/// <summary>
/// Reads a vmlinux: an ELF executable whose segments say at which physical address they want to be, and at which virtual one
/// they believe to be. The difference must be the same for all: the kernel wants one linear mapping. Every number in the
/// headers is taken for a lie until it has been checked.
/// </summary>
internal static class ElfKernel
{
    private const int HeaderSize = 52;
    private const int ProgramHeaderSize = 32;
    private const int MaxProgramHeaders = 65536 / ProgramHeaderSize;
    private const ushort TypeExecutable = 2;
    private const ushort MachineI386 = 3;
    private const uint Load = 1;

    /// <summary>Where the file says whether it is for 32 or 64 bits.</summary>
    private const int ClassByte = 4;

    /// <summary>Bytes that are read even if the guest has not as many: who could say in a better sentence what does not fit is asked later.</summary>
    private const long ReadAnyway = 32 << 20;

    /// <summary>The four bytes at the start of every ELF file.</summary>
    public static ReadOnlySpan<byte> Magic => "\u007fELF"u8;

    /// <summary>Whether an ELF file is for 64-bit processors.</summary>
    public static bool Is64Bit(ElfBytes bytes)
    {
        Span<byte> beginning = stackalloc byte[(int)Math.Min(bytes.Length, ClassByte + 1)];
        bytes.Read(beginning, 0);
        return Is64Bit(beginning);
    }

    /// <summary>Whether an ELF file that begins so is for 64-bit processors.</summary>
    public static bool Is64Bit(ReadOnlySpan<byte> beginning) => beginning.Length > ClassByte && beginning[ClassByte] == 2;

    /// <summary>The page offset of a 32-bit ELF file of which only the beginning is at hand; null when that does not say it.</summary>
    public static uint? FindPageOffset(ReadOnlySpan<byte> beginning)
    {
        if (beginning.Length < HeaderSize || beginning[ClassByte] != 1)
            return null;
        Header header = MemoryMarshal.Read<Header>(beginning);
        for (int i = 0; i < header.ProgramHeaderCount; i++)
        {
            long at = header.ProgramHeaderOffset + ((long)i * ProgramHeaderSize);
            if (at + ProgramHeaderSize > beginning.Length)
                return null;
            ProgramHeader entry = MemoryMarshal.Read<ProgramHeader>(beginning[(int)at..]);
            if (entry.Type == Load)
                return unchecked(entry.VirtualAddress - entry.PhysicalAddress);
        }

        return null;
    }

    /// <summary>Reads segments and page offset.</summary>
    /// <param name="file">For the messages.</param>
    /// <param name="bytes">The ELF file.</param>
    /// <param name="room">Bytes of RAM that the kernel could have at most.</param>
    /// <param name="pageOffset">Virtual minus physical address.</param>
    /// <param name="entry">The header's entry point.</param>
    /// <returns>The segments, by address, at least one.</returns>
    /// <exception cref="LaunchException">Something is wrong with it.</exception>
    public static List<KernelSegment> Read(KernelFile file, ElfBytes bytes, long room, out uint pageOffset, out uint entry)
    {
        Header header = ReadHeader(file, bytes);
        entry = header.Entry;
        List<ProgramHeader> loads = ReadProgramHeaders(file, bytes, header);

        pageOffset = unchecked(loads[0].VirtualAddress - loads[0].PhysicalAddress);
        List<KernelSegment> segments = [];
        ulong total = 0;
        foreach (ProgramHeader load in loads)
        {
            CheckSegment(file, bytes, load, pageOffset);
            total += load.FileSize;
            if (total > (ulong)bytes.Length)
                throw new LaunchException($"{file.Name} is damaged: its segments claim {total} bytes of a file of {bytes.Length}; build or copy it again");
            if (total > (ulong)Math.Min(Math.Max(room, ReadAnyway), Array.MaxLength))
                throw new LaunchException($"{file.Name} has more than {room} bytes of code and data, all that the lowest memory bank has for it; give the guest more memory");
            byte[] data = new byte[load.FileSize];
            bytes.Read(data, load.Offset);
            segments.Add(new KernelSegment(load.PhysicalAddress, data, load.MemorySize));
        }

        segments.Sort(static (left, right) => left.Address.CompareTo(right.Address));
        for (int i = 1; i < segments.Count; i++)
        {
            if (segments[i].Address < segments[i - 1].End)
                throw new LaunchException($"{file.Name} is damaged: its segments {segments[i - 1]} and {segments[i]} overlap; build or copy it again");
        }

        return segments;
    }

    private static Header ReadHeader(KernelFile file, ElfBytes bytes)
    {
        Span<byte> raw = stackalloc byte[HeaderSize];
        raw.Clear();
        int have = (int)Math.Min(bytes.Length, HeaderSize);
        bytes.Read(raw[..have], 0);

        // Byte order first: it decides what all the rest means, and stands in the first bytes.
        const int OrderByte = 5;
        if (have > OrderByte && raw[OrderByte] == 2)
            throw new LaunchException($"{file.Name} is a big-endian ELF file, for some other processor; build the kernel with ARCH=i386");
        if (have < HeaderSize)
            throw new LaunchException($"{file.Name} is cut short: {have} bytes of an ELF header of {HeaderSize}; copy it again");
        if (raw[ClassByte] != 1 || raw[OrderByte] != 1)
            throw new LaunchException($"{file.Name} is a damaged ELF file: class {raw[ClassByte]}, byte order {raw[OrderByte]}; copy it again");

        Header header = MemoryMarshal.Read<Header>(raw);
        if (header.Machine != MachineI386)
            throw new LaunchException($"{file.Name} is an ELF file for another processor (machine {header.Machine}, not {MachineI386}); build the kernel with ARCH=i386");
        switch (header.Type)
        {
            case TypeExecutable:
                break;
            case 1:
                throw new LaunchException($"{file.Name} is a relocatable object file (a module, or vmlinux.o); the linked vmlinux is needed");
            case 3:
                throw new LaunchException($"{file.Name} is a shared object or position-independent program; the linked vmlinux is needed");
            case 4:
                throw new LaunchException($"{file.Name} is a core dump; the kernel's vmlinux is needed");
            default:
                throw new LaunchException($"{file.Name} is an ELF file of unknown type {header.Type}; the linked vmlinux is needed");
        }

        if (header.ProgramHeaderCount == 0)
            throw new LaunchException($"{file.Name} has no program headers, so nothing to load; was it stripped of too much?");
        if (header.ProgramHeaderSize != ProgramHeaderSize || header.ProgramHeaderCount > MaxProgramHeaders)
            throw new LaunchException($"{file.Name} has a malformed ELF header: {header.ProgramHeaderCount} program headers of {header.ProgramHeaderSize} bytes; copy it again");
        return header;
    }

    private static List<ProgramHeader> ReadProgramHeaders(KernelFile file, ElfBytes bytes, in Header header)
    {
        long end = (long)header.ProgramHeaderOffset + (header.ProgramHeaderCount * ProgramHeaderSize);
        if (end > bytes.Length)
            throw new LaunchException($"{file.Name} is cut short: its program headers end at byte {end}, the file at {bytes.Length}; copy it again");
        byte[] raw = new byte[header.ProgramHeaderCount * ProgramHeaderSize];
        bytes.Read(raw, header.ProgramHeaderOffset);

        List<ProgramHeader> loads = [];
        foreach (ref readonly ProgramHeader candidate in MemoryMarshal.Cast<byte, ProgramHeader>(raw))
        {
            if (candidate.Type == Load && candidate.MemorySize != 0)
                loads.Add(candidate);
        }

        if (loads.Count == 0)
            throw new LaunchException($"{file.Name} has no segment to load; the linked vmlinux is needed");
        return loads;
    }

    private static void CheckSegment(KernelFile file, ElfBytes bytes, in ProgramHeader load, uint pageOffset)
    {
        uint itsOffset = unchecked(load.VirtualAddress - load.PhysicalAddress);
        if (itsOffset != pageOffset)
            throw new LaunchException($"{file.Name} wants two linear mappings: its segment at 0x{load.PhysicalAddress:x8} is 0x{itsOffset:x8} below its virtual address, another one 0x{pageOffset:x8}; lguest gives one");
        if (load.FileSize > load.MemorySize)
            throw new LaunchException($"{file.Name} is damaged: its segment at 0x{load.PhysicalAddress:x8} has {load.FileSize} bytes in the file and {load.MemorySize} in memory; build or copy it again");
        if ((ulong)load.PhysicalAddress + load.MemorySize > Page.AddressSpace)
            throw new LaunchException($"{file.Name} is damaged: its segment at 0x{load.PhysicalAddress:x8} with 0x{load.MemorySize:x} bytes ends beyond 4 GiB; build or copy it again");
        long fileEnd = (long)load.Offset + load.FileSize;
        if (load.FileSize != 0 && fileEnd > bytes.Length)
            throw new LaunchException($"{file.Name} is cut short: its segment at 0x{load.PhysicalAddress:x8} ends at byte {fileEnd}, the file at {bytes.Length}; copy it again");
    }

    /// <summary><c>Elf32_Ehdr</c>.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 2)]
    private readonly struct Header
    {
        public readonly ulong Identification;
        public readonly ulong IdentificationRest;
        public readonly ushort Type;
        public readonly ushort Machine;
        public readonly uint Version;
        public readonly uint Entry;
        public readonly uint ProgramHeaderOffset;
        public readonly uint SectionHeaderOffset;
        public readonly uint Flags;
        public readonly ushort HeaderSize;
        public readonly ushort ProgramHeaderSize;
        public readonly ushort ProgramHeaderCount;
        public readonly ushort SectionHeaderSize;
        public readonly ushort SectionHeaderCount;
        public readonly ushort SectionNames;
    }

    /// <summary><c>Elf32_Phdr</c>.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private readonly struct ProgramHeader
    {
        public readonly uint Type;
        public readonly uint Offset;
        public readonly uint VirtualAddress;
        public readonly uint PhysicalAddress;
        public readonly uint FileSize;
        public readonly uint MemorySize;
        public readonly uint Flags;
        public readonly uint Alignment;
    }
}
