// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;

namespace Lguest.Devices.Native;

/// <summary>Folders as places to look names up in. Mono.Posix does not know O_PATH, which needs no right to list them.</summary>
internal static partial class Folder
{
    private const int PathOnly = 0x20_0000;
    private const int CloseOnExec = 0x8_0000;

    /// <summary>O_DIRECTORY is one of the few flags that processors do not agree on.</summary>
    private static readonly int s_directory = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 : 0x1_0000;

    /// <summary>Opens a folder.</summary>
    /// <param name="path">Its name; empty: the current one.</param>
    /// <returns>A descriptor for the calls that take one, or a negated error number.</returns>
    public static int Open(string? path)
    {
        int fd = open(string.IsNullOrEmpty(path) ? "." : path, PathOnly | s_directory | CloseOnExec);
        return fd < 0 ? -Marshal.GetLastPInvokeError() : fd;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);
}
