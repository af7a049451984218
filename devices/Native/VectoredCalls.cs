// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.InteropServices;
using Tmds.Linux;

namespace Lguest.Devices.Native;

/// <summary>readv(2) and its relatives, which Tmds.LibC has not.</summary>
/// <remarks>Each answers a number of bytes, or −1, and <c>errno</c> says why.</remarks>
internal static unsafe partial class VectoredCalls
{
    [LibraryImport("libc", SetLastError = true)]
    public static partial nint readv(int fd, iovec* parts, int count);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint writev(int fd, iovec* parts, int count);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint preadv(int fd, iovec* parts, int count, long offset);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint pwritev(int fd, iovec* parts, int count, long offset);
}
