// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.Text;
using Lguest.GuestAbi;

namespace Lguest.Tests.Launcher;

/// <summary>Builds a bzImage of 2.6.24 or later, whose code is to unpack itself: header, set-up code, code, payload.</summary>
public sealed class TestBootImage
{
    /// <summary>Bytes of code in front of the payload.</summary>
    public const int CodeBefore = 0x300;

    private const int SetupSectors = 3;

    /// <summary>Where the protected-mode code begins in the file.</summary>
    public const int CodeAt = (1 + SetupSectors) * 512;

    /// <summary>What its header says of its release; nothing when empty.</summary>
    public string Release { get; set; } = "4.9.154";

    /// <summary>Version of the boot protocol.</summary>
    public ushort Version { get; set; } = 0x20D;

    /// <summary>The byte at 0x201.</summary>
    public byte HeaderLength { get; set; } = 0x66;

    /// <summary>loadflags.</summary>
    public byte LoadFlags { get; set; } = 1;

    /// <summary>xloadflags.</summary>
    public ushort ExtendedFlags { get; set; }

    /// <summary>code32_start.</summary>
    public uint Entry { get; set; } = 0x100000;

    /// <summary>initrd_addr_max.</summary>
    public uint InitrdAddressMax { get; set; } = 0x7FFFFFFF;

    /// <summary>kernel_alignment.</summary>
    public uint Alignment { get; set; } = 0x400000;

    /// <summary>relocatable_kernel.</summary>
    public bool Relocatable { get; set; }

    /// <summary>cmdline_size.</summary>
    public uint CommandLineSize { get; set; } = 2047;

    /// <summary>pref_address.</summary>
    public ulong PreferredAddress { get; set; } = 0x1000000;

    /// <summary>init_size.</summary>
    public uint InitSize { get; set; } = 0x471000;

    /// <summary>What is compressed in it.</summary>
    public byte[] Payload { get; set; } = TestKernel.Gzip(Unpacked());

    /// <summary>Bytes by which the header's size of the code is wrong.</summary>
    public int SizeError { get; set; }

    /// <summary>A vmlinux as it is in a bzImage: an ELF file.</summary>
    /// <param name="guest">Whether it can be a guest.</param>
    /// <param name="noHighmem">Whether it was built without HIGHMEM.</param>
    /// <param name="pageOffset">Its page offset.</param>
    /// <param name="bits">ELFCLASS.</param>
    /// <param name="padding">Bytes in front of all words.</param>
    public static byte[] Unpacked(bool guest = true, bool noHighmem = false, uint pageOffset = 0xC0000000, byte bits = 1, int padding = 0)
    {
        TestKernel kernel = new() { Class = bits };
        byte[] image = [.. new byte[padding], .. TestKernel.Image("4.9.154", mark: false, guest: guest, noHighmem: noHighmem)];
        kernel.Segments.Add(new TestSegment { Physical = 0x1000000, Virtual = 0x1000000 + pageOffset, Data = image });
        return kernel.Build();
    }

    /// <summary>The file's bytes.</summary>
    public byte[] Build()
    {
        int code = CodeBefore + Payload.Length + 21;
        byte[] file = new byte[CodeAt + code];
        new Random(5).NextBytes(file);
        file[SetupHeader.SetupSectors] = SetupSectors;
        Word(SetupHeader.SystemSize, (uint)((code + SizeError + 15) / 16));
        file[SetupHeader.Length] = HeaderLength;
        "HdrS"u8.CopyTo(file.AsSpan((int)SetupHeader.Mark));
        Half(SetupHeader.Version, Version);
        Half(SetupHeader.ReleasePointer, (ushort)(Release.Length == 0 ? 0 : 0x200));
        Encoding.ASCII.GetBytes($"{Release} (builder@host) #1 SMP\0").CopyTo(file, 0x400);
        file[SetupHeader.LoadFlags] = LoadFlags;
        Half(SetupHeader.ExtendedLoadFlags, ExtendedFlags);
        Word(SetupHeader.Code32Start, Entry);
        Word(SetupHeader.InitrdAddressMax, InitrdAddressMax);
        Word(SetupHeader.Alignment, Alignment);
        file[SetupHeader.Relocatable] = Relocatable ? (byte)1 : (byte)0;
        Word(SetupHeader.CommandLineSize, CommandLineSize);
        Word(BootParameters.GuestType, 0);
        if (Version >= 0x208)
        {
            Word(SetupHeader.PayloadOffset, CodeBefore);
            Word(SetupHeader.PayloadLength, (uint)Payload.Length);
        }

        if (Version >= 0x20A)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan((int)SetupHeader.PreferredAddress), PreferredAddress);
            Word(SetupHeader.InitSize, InitSize);
        }

        Payload.CopyTo(file, CodeAt + CodeBefore);
        return file;

        void Word(uint at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan((int)at), value);
        void Half(uint at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan((int)at), value);
    }
}
