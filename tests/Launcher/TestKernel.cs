// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Lguest.Tests.Launcher;

/// <summary>One program header of a <see cref="TestKernel"/>, with the bytes it stands for.</summary>
public sealed class TestSegment
{
    /// <summary>PT_LOAD is 1.</summary>
    public uint Type { get; set; } = 1;

    /// <summary>Physical address.</summary>
    public uint Physical { get; set; }

    /// <summary>Virtual address.</summary>
    public uint Virtual { get; set; }

    /// <summary>The bytes.</summary>
    public byte[] Data { get; set; } = [];

    /// <summary>p_filesz, when it is to lie.</summary>
    public uint? FileSize { get; set; }

    /// <summary>p_memsz, when it is not the length of the bytes.</summary>
    public uint? MemorySize { get; set; }

    /// <summary>p_offset, when it is to lie.</summary>
    public uint? Offset { get; set; }
}

/// <summary>Builds kernel images, good ones and every kind of bad one.</summary>
public sealed class TestKernel
{
    /// <summary>Where the good kernel's code is.</summary>
    public const uint Physical = 0x100000;

    /// <summary>Its page offset.</summary>
    public const uint PageOffset = 0xC0000000;

    /// <summary>Bytes in front of the mark in the good kernel.</summary>
    public const int MarkAt = 32;

    private const int HeaderSize = 52;

    /// <summary>ELFCLASS.</summary>
    public byte Class { get; set; } = 1;

    /// <summary>Byte order.</summary>
    public byte Order { get; set; } = 1;

    /// <summary>ET_EXEC is 2.</summary>
    public ushort Type { get; set; } = 2;

    /// <summary>EM_386 is 3.</summary>
    public ushort Machine { get; set; } = 3;

    /// <summary>e_entry.</summary>
    public uint Entry { get; set; } = Physical;

    /// <summary>e_phentsize.</summary>
    public ushort HeaderEntrySize { get; set; } = 32;

    /// <summary>e_phnum, when it is to lie.</summary>
    public ushort? HeaderCount { get; set; }

    /// <summary>e_phoff.</summary>
    public uint HeaderOffset { get; set; } = HeaderSize;

    /// <summary>The segments.</summary>
    public List<TestSegment> Segments { get; } = [];

    /// <summary>A kernel as it should be: two segments, the mark, a banner, some zeros at the end.</summary>
    public static TestKernel Good(string release = "2.6.23", bool mark = true, bool word = true, bool guest = false)
    {
        TestKernel kernel = new();
        kernel.Segments.Add(new TestSegment { Physical = Physical, Virtual = Physical + PageOffset, Data = Image(release, mark, word: word, guest: guest) });
        kernel.Segments.Add(new TestSegment { Physical = 0x110000, Virtual = 0x110000 + PageOffset, Data = [1, 2, 3, 4], MemorySize = 0x3000 });
        kernel.Segments.Add(new TestSegment { Type = 4, Physical = 0x77, Data = [9] });
        return kernel;
    }

    /// <summary>Loaded bytes of a kernel.</summary>
    /// <param name="release">In its banner; none when empty.</param>
    /// <param name="mark">Whether it has the mark of 2.6.23.</param>
    /// <param name="pageOffset">The highest byte of the addresses in its code.</param>
    /// <param name="word">Whether it has the word that the kernels of February 2007 have.</param>
    /// <param name="guest">Whether it has what kernels since 2.6.24 have if they can be guests.</param>
    /// <param name="noHighmem">Whether it has what kernels have that were built without HIGHMEM.</param>
    public static byte[] Image(string release = "2.6.23", bool mark = true, byte pageOffset = 0xC0, bool word = true, bool guest = false, bool noHighmem = false)
    {
        byte[] image = new byte[4096];
        if (mark)
            "GenuineLguest"u8.CopyTo(image.AsSpan(MarkAt));
        if (word)
            "lguest\0"u8.CopyTo(image.AsSpan(128));
        if (guest)
            "LGUEST\0"u8.CopyTo(image.AsSpan(140));
        if (noHighmem)
            "<4>Use a HIGHMEM enabled kernel.\n\0"u8.CopyTo(image.AsSpan(150));
        Encoding.ASCII.GetBytes("<5>Linux version %s\0").CopyTo(image, 200);
        if (release.Length > 0)
            Encoding.ASCII.GetBytes($"Linux version {release} (rusty@ozlabs) #1").CopyTo(image, 256);

        // mov 0xXX123456,%eax, four times; before them, misleading ones.
        int at = 512;
        foreach (byte high in (byte[])[0x11, 0x11, 0x11, 0x22, pageOffset, pageOffset, pageOffset, pageOffset])
        {
            image[at] = 0xA1;
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(at + 1), ((uint)high << 24) | 0x123456);
            at += 16;
        }

        return image;
    }

    /// <summary>The file's bytes.</summary>
    public byte[] Build()
    {
        using MemoryStream file = new();
        Span<byte> header = stackalloc byte[HeaderSize];
        header.Clear();
        "\u007fELF"u8.CopyTo(header);
        header[4] = Class;
        header[5] = Order;
        header[6] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(header[16..], Type);
        BinaryPrimitives.WriteUInt16LittleEndian(header[18..], Machine);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(header[24..], Entry);
        BinaryPrimitives.WriteUInt32LittleEndian(header[28..], HeaderOffset);
        BinaryPrimitives.WriteUInt16LittleEndian(header[40..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[42..], HeaderEntrySize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[44..], HeaderCount ?? (ushort)Segments.Count);
        file.Write(header);

        uint offset = (uint)(HeaderSize + (32 * Segments.Count));
        Span<byte> entry = stackalloc byte[32];
        foreach (TestSegment segment in Segments)
        {
            uint[] words =
            [
                segment.Type, segment.Offset ?? offset, segment.Virtual, segment.Physical, segment.FileSize ?? (uint)segment.Data.Length,
                segment.MemorySize ?? (uint)segment.Data.Length, 7, 4096,
            ];
            for (int i = 0; i < words.Length; i++)
                BinaryPrimitives.WriteUInt32LittleEndian(entry[(4 * i)..], words[i]);
            file.Write(entry);
            offset += (uint)segment.Data.Length;
        }

        foreach (TestSegment segment in Segments)
            file.Write(segment.Data);
        return file.ToArray();
    }

    /// <summary>gzip as the gzip program makes it: OS byte 3.</summary>
    public static byte[] Gzip(byte[] content)
    {
        using MemoryStream file = new();
        using (GZipStream zip = new(file, CompressionLevel.Optimal, leaveOpen: true))
            zip.Write(content);
        byte[] bytes = file.ToArray();
        bytes[9] = 3;
        return bytes;
    }

    /// <summary>A bzImage: something like a boot sector and set-up code, the payload, and something behind it.</summary>
    /// <param name="payload">The compressed kernel.</param>
    /// <param name="release">What its header says of its release; nothing when empty.</param>
    public static byte[] BzImage(byte[] payload, string release = "")
    {
        byte[] file = new byte[1024 + payload.Length + 64];
        new Random(5).NextBytes(file.AsSpan(0, 512));
        file[0x1FE] = 0x55;
        file[0x1FF] = 0xAA;
        "HdrS"u8.CopyTo(file.AsSpan(0x202));
        if (release.Length > 0)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x206), 0x206);
            BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x20E), 0x100);
            Encoding.ASCII.GetBytes($"{release} (builder@host) #1 SMP\0").CopyTo(file, 0x300);
        }

        payload.CopyTo(file, 1024);
        file.AsSpan(1024 + payload.Length).Fill(0x90);
        return file;
    }
}
