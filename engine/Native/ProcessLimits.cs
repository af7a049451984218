// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Engine.Native;

/// <summary>What the shell's <c>ulimit</c> allows this process, and what to say when it is used up.</summary>
public static unsafe partial class ProcessLimits
{
    /// <summary>No limit.</summary>
    public const ulong Unlimited = ulong.MaxValue;

    private const int FileSizeResource = 1;
    private const int FilesResource = 7;
    private const int AddressSpaceResource = 9;
    private const int NoMemory = 12;
    private const int TooManyFiles = 24;
    private const int FileTooBig = 27;

    /// <summary>Files that may be open at a time (<c>ulimit -n</c>).</summary>
    public static ulong Files => Of(FilesResource);

    /// <summary>Bytes of address space (<c>ulimit -v</c>).</summary>
    public static ulong AddressSpace => Of(AddressSpaceResource);

    /// <summary>Bytes that a file may have (<c>ulimit -f</c>); files in memory are files too.</summary>
    public static ulong FileSize => Of(FileSizeResource);

    /// <summary>The host's words for an error number, and the limit that may be the cause.</summary>
    /// <param name="errno">The error number.</param>
    public static string Words(int errno)
    {
        string text = Marshal.GetPInvokeErrorMessage(errno);
        if (text.Length > 1 && char.IsLower(text[1]))
            text = char.ToLowerInvariant(text[0]) + text[1..];
        return errno switch
        {
            NoMemory when AddressSpace is var bytes and not Unlimited => $"{text} (ulimit -v allows {bytes >> 10} KiB of address space)",
            TooManyFiles => $"{text} (ulimit -n allows {Files})",
            FileTooBig when FileSize is var bytes and not Unlimited => $"{text} (ulimit -f allows files of {bytes >> 10} KiB, and guest memory is one)",
            _ => text,
        };
    }

    private static ulong Of(int resource)
    {
        ulong* limit = stackalloc ulong[2];
        return getrlimit(resource, limit) == 0 ? limit[0] : Unlimited;
    }

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, ulong* limit);
}
