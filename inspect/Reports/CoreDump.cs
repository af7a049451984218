// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Lguest.Devices;
using Lguest.GuestAbi;
using Lguest.GuestAbi.Debugging;
using Lguest.GuestAbi.Paging;
using Lguest.GuestAbi.Processor;

namespace Lguest.Inspect.Reports;

/// <summary>
/// A dead guest as an ELF core: all its physical memory, once, and a program header for each stretch that was mapped in the
/// address space in force, so that gdb finds everything at its virtual address and tools that know physical ones find those.
/// Pages that are all zero are holes in the file.
/// </summary>
public static class CoreDump
{
    private const int HeaderSize = 52;
    private const int ProgramHeaderSize = 32;
    private const int StatusSize = 144;
    private const int RegistersOffset = 72;
    private const ushort TypeCore = 4;
    private const ushort MachineI386 = 3;
    private const uint Load = 1;
    private const uint Note = 4;
    private const uint NoteStatus = 1;
    private const uint NoteFxSave = 0x46E6_2B7F;
    private const int SignalSegmentation = 11;

    /// <summary>ELF counts program headers in 16 bits, and one value is special.</summary>
    private const int MostLoads = 60_000;

    /// <summary>Writes one.</summary>
    /// <param name="guest">The guest, at rest.</param>
    /// <param name="file">Where to; its owner closes it.</param>
    /// <returns>Null, or why it could not be written.</returns>
    public static string? Write(IDebugPort guest, OutputFile file)
    {
        byte[] notes = Notes(guest);
        List<Stretch> loads = Loads(guest);
        ulong dataStart = Page.AlignUp((ulong)(HeaderSize + ((1 + loads.Count) * ProgramHeaderSize) + notes.Length));

        byte[] head = new byte[dataStart];
        WriteHeader(head, (ushort)(1 + loads.Count));
        int at = HeaderSize;
        uint notesAt = (uint)(HeaderSize + ((1 + loads.Count) * ProgramHeaderSize));
        WriteProgramHeader(head.AsSpan(at), Note, notesAt, 0, 0, (uint)notes.Length, 0, 0);
        foreach (Stretch load in loads)
        {
            at += ProgramHeaderSize;
            ulong offset = dataStart + load.FileOffset;
            if (offset > uint.MaxValue)
                return "the guest's memory does not fit into a 32-bit ELF file";
            WriteProgramHeader(head.AsSpan(at), Load, (uint)offset, load.Linear, load.Physical, (uint)load.Length, load.Flags, Page.Size);
        }

        notes.CopyTo(head.AsSpan((int)notesAt));
        HostErrno error = file.WriteAt(head, 0);
        byte[] bytes = new byte[Page.Size];
        ulong fileOffset = dataStart;
        foreach (MemoryRange range in guest.Memory.Ranges)
        {
            for (ulong page = 0; page < range.Length && error == 0; page += Page.Size)
            {
                guest.Memory.Read((uint)(range.Start + page), Page.Size).CopyTo(bytes); // Read once
                if (bytes.AsSpan().ContainsAnyExcept((byte)0))
                    error = file.WriteAt(bytes, (long)(fileOffset + page));
            }

            fileOffset += range.Length;
        }

        if (error == 0)
            error = file.SetLength((long)fileOffset);
        return error switch
        {
            0 => null,
            HostErrno.ESPIPE => "it is a pipe or a terminal, and a core needs a file",
            _ => HostMessage.Of(error),
        };
    }

    private static List<Stretch> Loads(IDebugPort guest)
    {
        List<Stretch> loads = [];
        foreach (MappedRun run in guest.MappedRuns())
        {
            // A run that is scattered in physical memory is looked up page by page.
            for (ulong at = 0; at < run.Length; at += Page.Size)
            {
                uint linear = (uint)(run.Start + at);

                // Looked up again, and so asked again: others may write to the tables, and what was mapped need not be any more.
                uint? found = run.IsLinear ? (uint)(run.Physical + at) : guest.Look(linear).Physical;
                if (found is not { } physical || FileOffset(guest.Memory, physical) is not { } offset)
                    continue;
                uint flags = 4u | 1u | ((run.Rights & PageFlags.Writable) != 0 ? 2u : 0);
                if (loads.Count > 0 && loads[^1] is var last && last.Linear + last.Length == linear && last.FileOffset + last.Length == offset && last.Flags == flags)
                    loads[^1] = last with { Length = last.Length + Page.Size };
                else if (loads.Count < MostLoads)
                    loads.Add(new Stretch(linear, physical, offset, Page.Size, flags));
            }
        }

        return loads;
    }

    private static ulong? FileOffset(GuestMemory memory, uint physical)
    {
        ulong offset = 0;
        foreach (MemoryRange range in memory.Ranges)
        {
            if (range.Contains(physical, Page.Size))
                return offset + (physical - range.Start);
            offset += range.Length;
        }

        return null;
    }

    private static byte[] Notes(IDebugPort guest)
    {
        IRegisters from = guest.Registers;
        byte[] status = new byte[StatusSize];
        BinaryPrimitives.WriteInt32LittleEndian(status, SignalSegmentation);
        BinaryPrimitives.WriteInt16LittleEndian(status.AsSpan(12), SignalSegmentation);
        BinaryPrimitives.WriteInt32LittleEndian(status.AsSpan(24), 1);

        // struct user_regs_struct of i386.
        ReadOnlySpan<uint> registers =
        [
            from[GeneralRegister.Ebx], from[GeneralRegister.Ecx], from[GeneralRegister.Edx],
            from[GeneralRegister.Esi], from[GeneralRegister.Edi], from[GeneralRegister.Ebp],
            from[GeneralRegister.Eax], Selector(SegmentName.Ds), Selector(SegmentName.Es), Selector(SegmentName.Fs), Selector(SegmentName.Gs),
            uint.MaxValue, from.Eip, Selector(SegmentName.Cs), from.Flags, from[GeneralRegister.Esp], Selector(SegmentName.Ss),
        ];
        for (int i = 0; i < registers.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(status.AsSpan(RegistersOffset + (i * sizeof(uint))), registers[i]);
        BinaryPrimitives.WriteInt32LittleEndian(status.AsSpan(StatusSize - sizeof(int)), 1);
        FxImage floats = from.FloatingPoint;
        return [.. OneNote("CORE", NoteStatus, status), .. OneNote("LINUX", NoteFxSave, MemoryMarshal.AsBytes(new ReadOnlySpan<FxImage>(in floats)))];

        uint Selector(SegmentName name) => from.Segment(name).Selector;
    }

    private static byte[] OneNote(string name, uint type, ReadOnlySpan<byte> content)
    {
        const int header = 12;
        int nameSize = name.Length + 1;
        int namePadded = (nameSize + 3) & ~3;
        byte[] note = new byte[header + namePadded + ((content.Length + 3) & ~3)];
        BinaryPrimitives.WriteInt32LittleEndian(note, nameSize);
        BinaryPrimitives.WriteInt32LittleEndian(note.AsSpan(4), content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(note.AsSpan(8), type);
        System.Text.Encoding.ASCII.GetBytes(name, note.AsSpan(header));
        content.CopyTo(note.AsSpan(header + namePadded));
        return note;
    }

    private static void WriteHeader(Span<byte> to, ushort programHeaders)
    {
        "\u007fELF\u0001\u0001\u0001"u8.CopyTo(to);
        BinaryPrimitives.WriteUInt16LittleEndian(to[16..], TypeCore);
        BinaryPrimitives.WriteUInt16LittleEndian(to[18..], MachineI386);
        BinaryPrimitives.WriteUInt32LittleEndian(to[20..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(to[28..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(to[40..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(to[42..], ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(to[44..], programHeaders);
    }

    private static void WriteProgramHeader(Span<byte> to, params ReadOnlySpan<uint> fields)
    {
        // type, offset, vaddr, paddr, filesz, memsz, flags, align; both sizes are the same here.
        ReadOnlySpan<uint> all = [fields[0], fields[1], fields[2], fields[3], fields[4], fields[0] == Note ? 0 : fields[4], fields[5], fields[6]];
        for (int i = 0; i < all.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(to[(i * sizeof(uint))..], all[i]);
    }

    private readonly record struct Stretch(uint Linear, uint Physical, ulong FileOffset, ulong Length, uint Flags);
}
