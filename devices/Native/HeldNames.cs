// SPDX-License-Identifier: GPL-2.0-or-later
using System.Numerics;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace Lguest.Devices.Native;

/// <summary>
/// Names that the launcher uses when all is opened, to remove and to connect, in memory of their own. A sandbox's filter sees the pointer that a system
/// call is given and not what it points to; so it can tell these names from all others if nobody can change what is here, and
/// nobody can map something else in its place: <see cref="Freeze"/>.
/// </summary>
public static unsafe class HeldNames
{
    /// <summary>Bytes of a Unix socket's address (<c>struct sockaddr_un</c>).</summary>
    public const int SocketAddressSize = 110;

    /// <summary>Address space for all of them. Only what is used of it is ever memory.</summary>
    private const nuint Room = 1 << 26;

    private const int SealCall = 462;
    private static readonly Lock s_lock = new();
    private static byte* s_start;
    private static nuint s_used;
    private static bool s_frozen;

    /// <summary>Where the names are: first address, and the first one after them. Both are in the same 4 GiB. Equal: there are none.</summary>
    public static (nint Start, nint End) Range
    {
        get
        {
            lock (s_lock)
                return ((nint)s_start, (nint)(s_start + s_used));
        }
    }

    /// <summary>Takes note of a name.</summary>
    /// <param name="name">The name, as a system call gets it.</param>
    /// <returns>Where it is, with a NUL after it, for as long as the process lives; 0 when it is too late, or there are too many.</returns>
    public static nint Hold(string name) => Hold(PathBytes.Of(name));

    /// <summary>Takes note of what holds a name, such as a socket's address.</summary>
    /// <returns>As for a name.</returns>
    public static nint Hold(ReadOnlySpan<byte> bytes)
    {
        lock (s_lock)
        {
            if (s_frozen || (s_start == null && !Reserve()) || (nuint)bytes.Length > Room - s_used)
                return 0;
            byte* place = s_start + s_used;
            bytes.CopyTo(new Span<byte>(place, bytes.Length));
            s_used += (nuint)bytes.Length;
            return (nint)place;
        }
    }

    /// <summary>From now on they cannot be changed, and there will be no more of them.</summary>
    /// <returns>False when the kernel has no mseal (before 6.10): then a page can be made writable again, or be replaced.</returns>
    public static bool Freeze()
    {
        lock (s_lock)
        {
            s_frozen = true;
            if (s_start == null)
                return true;
            size_t used = (size_t)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(s_used, (nuint)Environment.SystemPageSize));
            return mprotect(s_start, used, PROT_READ) == 0 && (long)(ssize_t)syscall(SealCall, s_start, used, 0) == 0;
        }
    }

    /// <summary>Removes a file of that name.</summary>
    public static void Remove(nint name) => _ = unlink((byte*)name);

    /// <summary>Removes a file of that name in a directory.</summary>
    public static void Remove(int directory, nint name) => _ = unlinkat(directory, (byte*)name, 0);

    /// <summary>Removes an empty directory of that name in a directory.</summary>
    public static void RemoveDirectory(int directory, nint name) => _ = unlinkat(directory, (byte*)name, AT_REMOVEDIR);

    /// <summary>A place that does not cross a multiple of 4 GiB.</summary>
    private static bool Reserve()
    {
        void* mapped = mmap(null, (size_t)(2 * Room), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapped == MAP_FAILED)
            return false;
        byte* twice = (byte*)mapped;
        bool crosses = (ulong)twice >> 32 != (ulong)(twice + Room) >> 32;
        s_start = crosses ? twice + Room : twice;
        return munmap(crosses ? twice : twice + Room, (size_t)Room) == 0;
    }
}
