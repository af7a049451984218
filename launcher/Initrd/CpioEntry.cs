// SPDX-License-Identifier: GPL-2.0-or-later
using System.Buffers.Text;

namespace Lguest.Launcher.Initrd;

/// <summary>
/// One file in an archive that Linux unpacks into its first file system: cpio's format newc, as the kernel's
/// Documentation/early-userspace/buffer-format.txt has it. The kept archive library for .NET that we use has no cpio.
/// </summary>
/// <param name="Name">Its path, without a slash in front, in UTF-8.</param>
/// <param name="Mode">Kind and permissions, as stat(2) gives them.</param>
/// <param name="Length">Bytes of content: a link's is where it leads.</param>
internal readonly record struct CpioEntry(byte[] Name, uint Mode, uint Length)
{
    private const int Fields = 13;
    private const int Digits = 8;
    private const int Alignment = 4;

    /// <summary>Bytes of the header: the magic number, and fields of eight hexadecimal digits.</summary>
    private const int HeaderLength = 6 + (Fields * Digits);

    /// <summary>The entry that ends an archive.</summary>
    public static CpioEntry Trailer => new("TRAILER!!!"u8.ToArray(), 0, 0) { Links = 1 };

    /// <summary>Files with the same number are one file.</summary>
    public uint Inode { get; init; }

    /// <summary>Its names in the archive. The kernel looks for files of the same number from 2 on.</summary>
    public uint Links { get; init; }

    /// <summary>When its content was last changed, in seconds since 1970.</summary>
    public uint Modified { get; init; }

    /// <summary>Of a device, its major and minor number.</summary>
    public (uint Major, uint Minor) Device { get; init; }

    /// <summary>Bytes of header and name.</summary>
    private int Head => Aligned(HeaderLength + Name.Length + 1);

    /// <summary>Bytes of all.</summary>
    public long Size => Head + AlignedLength;

    private long AlignedLength => ((long)Length + Alignment - 1) & -Alignment;

    /// <summary>Writes header and name into zeros. Who calls fills in the content.</summary>
    /// <param name="target">The archive from here on.</param>
    /// <returns>Where the content belongs.</returns>
    public Span<byte> Write(Span<byte> target)
    {
        "070701"u8.CopyTo(target);

        // Owner and group are root's, numbers and devices are those of the archive alone.
        ReadOnlySpan<uint> fields = [Inode, Mode, 0, 0, Links, Modified, Length, 0, 0, Device.Major, Device.Minor, (uint)Name.Length + 1, 0];
        for (int i = 0; i < Fields; i++)
            _ = Utf8Formatter.TryFormat(fields[i], target[(6 + (i * Digits))..], out _, new System.Buffers.StandardFormat('x', Digits));
        Name.CopyTo(target[HeaderLength..]);
        return target.Slice(Head, (int)Length);
    }

    private static int Aligned(int length) => (length + Alignment - 1) & -Alignment;
}
