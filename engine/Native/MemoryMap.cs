// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Lguest.Engine.Native;

/// <summary>For tests: sees a thread's mappings, and may refuse them.</summary>
internal interface IMapWitness
{
    /// <summary>Before a mapping is made.</summary>
    /// <exception cref="Win32Exception">It is not to be made.</exception>
    void Asked(nuint length);

    /// <summary>It was made.</summary>
    void Mapped(nint address, nuint length);

    /// <summary>Something was unmapped.</summary>
    void Unmapped(nint address, nuint length);
}

/// <summary>mmap and its relatives, with the sizes and flags that Mono.Posix cannot express.</summary>
internal static unsafe partial class MemoryMap
{
    public const int ProtNone = 0;
    public const int ProtRead = 1;
    public const int ProtWrite = 2;
    public const int ProtExec = 4;

    public const int Shared = 0x01;
    public const int Private = 0x02;
    public const int Fixed = 0x10;
    public const int Anonymous = 0x20;
    public const int NoReserve = 0x4000;

    private const uint MfdCloexec = 1;

    [ThreadStatic]
    private static IMapWitness? t_witness;

    /// <summary>For tests: who sees what the calling thread maps.</summary>
    internal static IMapWitness? Witness
    {
        set => t_witness = value;
    }

    /// <summary>How many mappings the kernel lets a process have. Asked once, at first: a process that is sealed may not ask.</summary>
    public static int MostMappings { get; } = AskMostMappings();

    /// <summary>A nameless file in memory, closed on exec.</summary>
    /// <exception cref="Win32Exception">The system has no memory or file descriptors left.</exception>
    public static int CreateMemoryFile(string name, ulong size)
    {
        int fd = memfd_create(name, MfdCloexec);
        if (fd < 0)
            throw Refused("cannot make a memory file");
        if (ftruncate(fd, (long)size) != 0)
        {
            Win32Exception refused = Refused($"cannot make a memory file of {size} bytes");
            _ = close(fd);
            throw refused;
        }

        return fd;
    }

    /// <summary>mmap that throws.</summary>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static byte* Map(void* address, nuint length, int protection, int flags, int fd, ulong offset)
    {
        t_witness?.Asked(length);
        void* mapped = mmap(address, length, protection, flags, fd, (long)offset);
        if (mapped == (void*)-1)
            throw Refused($"cannot map {length} bytes{((protection & ProtExec) != 0 ? " of code" : string.Empty)}");
        t_witness?.Mapped((nint)mapped, length);
        return (byte*)mapped;
    }

    /// <summary>Address space without access, that nobody else gets.</summary>
    /// <param name="address">Where, in place of what is there; null: anywhere.</param>
    /// <param name="length">Bytes.</param>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static byte* Reserve(void* address, nuint length) =>
        Map(address, length, ProtNone, Private | Anonymous | NoReserve | (address == null ? 0 : Fixed), -1, 0);

    /// <summary>
    /// Zeroes that cost nothing until they are touched, for tables that are mostly empty: the C library's calloc writes them when
    /// it has such a piece at hand.
    /// </summary>
    /// <param name="length">Bytes.</param>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static byte* Zeroes(nuint length) => Map(null, length, ProtRead | ProtWrite, Private | Anonymous | NoReserve, -1, 0);

    /// <summary>munmap.</summary>
    public static void Unmap(void* address, nuint length)
    {
        _ = munmap(address, length);
        t_witness?.Unmapped((nint)address, length);
    }

    /// <summary>mprotect that throws.</summary>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static void Protect(void* address, nuint length, int protection)
    {
        if (mprotect(address, length, protection) != 0)
            throw Refused($"cannot protect {length} bytes");
    }

    /// <summary>Bytes of a file now; 0 when it cannot be asked.</summary>
    public static ulong FileSize(int fd)
    {
        const int end = 2;
        return (ulong)Math.Max(0, lseek(fd, 0, end));
    }

    private static Win32Exception Refused(string what)
    {
        int error = Marshal.GetLastPInvokeError();
        return new Win32Exception(error, $"{what}: {ProcessLimits.Words(error)}");
    }

    private static int AskMostMappings()
    {
        const int usual = 65530;
        try
        {
            return int.TryParse(File.ReadAllText("/proc/sys/vm/max_map_count"), out int configured) ? configured : usual;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return usual;
        }
    }

    /// <summary>close.</summary>
    public static void Close(int fd) => _ = close(fd);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int memfd_create(string name, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ftruncate(int fd, long length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial void* mmap(void* address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mprotect(void* address, nuint length, int protection);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int munmap(void* address, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(int fd, long offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);
}
