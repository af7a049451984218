// SPDX-License-Identifier: GPL-2.0-or-later
using System.ComponentModel;
using Tmds.Linux;
using static Tmds.Linux.LibC;

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

/// <summary>mmap and its relatives, which say in words what the kernel refuses, and let a test see what is mapped.</summary>
internal static unsafe class MemoryMap
{
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
    /// <param name="name">What /proc calls it: a UTF-8 literal, since those have a zero after them.</param>
    /// <param name="size">Bytes.</param>
    /// <exception cref="Win32Exception">The system has no memory or file descriptors left.</exception>
    public static int CreateMemoryFile(ReadOnlySpan<byte> name, ulong size)
    {
        int fd;
        fixed (byte* text = name)
            fd = memfd_create(text, MFD_CLOEXEC);
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
        void* mapped = mmap(address, (size_t)length, protection, flags, fd, (long)offset);
        if (mapped == MAP_FAILED)
            throw Refused($"cannot map {length} bytes{((protection & PROT_EXEC) != 0 ? " of code" : string.Empty)}");
        t_witness?.Mapped((nint)mapped, length);
        return (byte*)mapped;
    }

    /// <summary>Address space without access, that nobody else gets.</summary>
    /// <param name="address">Where, in place of what is there; null: anywhere.</param>
    /// <param name="length">Bytes.</param>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static byte* Reserve(void* address, nuint length) =>
        Map(address, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (address == null ? 0 : MAP_FIXED), -1, 0);

    /// <summary>
    /// Zeroes that cost nothing until they are touched, for tables that are mostly empty: the C library's calloc writes them when
    /// it has such a piece at hand.
    /// </summary>
    /// <param name="length">Bytes.</param>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static byte* Zeroes(nuint length) => Map(null, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    /// <summary>Has the kernel make the pages of a writable mapping at once. Linux 5.14 can; an older one makes each when it is missed.</summary>
    public static void Populate(void* address, nuint length)
    {
        const int PopulateWrite = 23;
        _ = madvise(address, (size_t)length, PopulateWrite);
    }

    /// <summary>munmap.</summary>
    public static void Unmap(void* address, nuint length)
    {
        _ = munmap(address, (size_t)length);
        t_witness?.Unmapped((nint)address, length);
    }

    /// <summary>mprotect that throws.</summary>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static void Protect(void* address, nuint length, int protection)
    {
        if (mprotect(address, (size_t)length, protection) != 0)
            throw Refused($"cannot protect {length} bytes");
    }

    /// <summary>Bytes of a file now; 0 when it cannot be asked.</summary>
    public static ulong FileSize(int fd) => (ulong)Math.Max(0, (long)lseek(fd, 0, SEEK_END));

    private static Win32Exception Refused(string what)
    {
        int error = errno;
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
}
