// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using static Tmds.Linux.LibC;

namespace Lguest.Engine.Native;

/// <summary>What the shell's <c>ulimit</c> allows this process, and what to say when it is used up.</summary>
public static unsafe partial class ProcessLimits
{
    /// <summary>No limit.</summary>
    public const ulong Unlimited = ulong.MaxValue;

    private const int FileSizeResource = 1;
    private const int FilesResource = 7;
    private const int AddressSpaceResource = 9;

    /// <summary>Files that may be open at a time (<c>ulimit -n</c>).</summary>
    public static ulong Files => Of(FilesResource);

    /// <summary>Bytes of address space (<c>ulimit -v</c>).</summary>
    public static ulong AddressSpace => Of(AddressSpaceResource);

    /// <summary>Bytes that a file may have (<c>ulimit -f</c>); files in memory are files too.</summary>
    public static ulong FileSize => Of(FileSizeResource);

    /// <summary>Takes as many files as the process may have if it only asks.</summary>
    public static void RaiseFiles()
    {
        ulong* limit = stackalloc ulong[2];
        if (getrlimit(FilesResource, limit) != 0 || limit[0] == limit[1])
            return;
        limit[0] = limit[1];
        _ = setrlimit(FilesResource, limit);
    }

    /// <summary>The host's words for an error number, and the limit that may be the cause.</summary>
    /// <param name="error">The error number.</param>
    public static string Words(int error)
    {
        string text = Marshal.GetPInvokeErrorMessage(error);
        if (text.Length > 1 && char.IsLower(text[1]))
            text = char.ToLowerInvariant(text[0]) + text[1..];
        if (error == ENOMEM && AddressSpace is var space and not Unlimited)
            return $"{text} (ulimit -v allows {space >> 10} KiB of address space)";
        if (error == EMFILE)
            return $"{text} (ulimit -n allows {Files})";
        return error == EFBIG && FileSize is var bytes and not Unlimited ? $"{text} (ulimit -f allows files of {bytes >> 10} KiB, and guest memory is one)" : text;
    }

    private static ulong Of(int resource)
    {
        ulong* limit = stackalloc ulong[2];
        return getrlimit(resource, limit) == 0 ? limit[0] : Unlimited;
    }

    // Tmds.LibC has no limits of processes.
    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, ulong* limit);

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, ulong* limit);
}
